"""Operations of administration: entries, boards as files, the audit log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from aiohttp import web
from pydantic import Field

from medvid.benchmark.report import Problem
from medvid.benchmark.tasks import BOARDS
from medvid.models.administration import (
    AuditPage,
    ChangeAnswer,
    EntriesPage,
    EntryAction,
    ImportAnswer,
    ManagedEntryView,
    RowChangeView,
)
from medvid.models.jobs import SeriesDifference
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.admin.audit_log import AuditLog
from services.gateway.admin.board_csv import read_csv, write_csv
from services.gateway.admin.board_rows import read_row
from services.gateway.admin.board_series import BoardsSeries
from services.gateway.admin.board_settings import BoardSettings
from services.gateway.admin.entries import EntryActions
from services.gateway.admin.entry_cursors import after_entry, entry_cursor
from services.gateway.admin.imports import BoardFiles
from services.gateway.admin.models import (
    LARGEST_IMPORT,
    AddBody,
    AuditQuery,
    EditBody,
    EntriesQuery,
    ExportedBoards,
    ExportQuery,
    FactsBody,
    ImportBody,
    PromoteBody,
    RankingBody,
    Reason,
    RenameBody,
    SeriesBody,
    SeriesQuery,
    entry_action,
    import_answer,
    managed_entry,
    row_change,
)
from services.gateway.admin.rules import check_fields
from services.gateway.boards.names import BoardName
from services.gateway.web.endpoints import ADMIN, CSV, JSON, Reply, json_reply
from services.gateway.web.errors import RefusedBody
from services.gateway.web.paging import cut
from services.gateway.web.parameters import id_reader
from services.gateway.web.responses import PRIVATE
from services.gateway.web.router import PathText, Router

router: Final = Router("administration", access=ADMIN, reason=Reason)
EntryId = Annotated[
    UUID, Field(description="the entry's id, as on its board"), PathText(id_reader("entry"))
]
Operation = Callable[..., Awaitable[Any]]


@router.get("/admin/entries", reply="A page of entries, by name.")
async def list_entries(entries: EntryActions, query: EntriesQuery) -> EntriesPage:
    """List entries with what is not public."""
    found = await entries.page(
        query.board,
        query.model_name,
        after_entry(query.cursor),
        query.limit + 1,
        removed=query.removed,
    )
    shown, cursor = cut(found, query.limit, entry_cursor)
    return EntriesPage(entries=[managed_entry(entry) for entry in shown], next_cursor=cursor)


@router.post(
    "/admin/entries",
    reply={
        200: json_reply("It was there.", RowChangeView),
        201: json_reply("Added.", RowChangeView),
    },
    status=lambda change: 201 if change.kind == "added" else 200,
    problems=("model_name_taken",),
)
async def add_entry(files: BoardFiles, body: AddBody, action: AdminAction) -> RowChangeView:
    """Add an entry with given scores.

    200 where the board has exactly this entry.
    """
    row, problems = read_row("$.entry", body.board, body.entry)
    if row is None:
        raise RefusedBody(problems)
    return row_change(await files.add(body.board, row, action))


@router.get("/admin/entries/{id}", reply="The entry.", problems=("entry_not_found",))
async def read_entry(entries: EntryActions, id: EntryId) -> ManagedEntryView:
    """Read an entry with what is not public."""
    return managed_entry(await entries.find(id))


def _on_entry(name: str, *problems: str) -> Callable[[Operation], Operation]:
    return router.post(
        f"/admin/entries/{{id}}/{name}",
        reply="The entry as it is now.",
        problems=("entry_not_found", *problems),
    )


@_on_entry(
    "promote",
    "not_scored_yet",
    "stub_not_official",
    "unconfirmed_not_official",
    "entry_removed",
    "model_name_taken",
)
async def promote(
    entries: EntryActions, id: EntryId, body: PromoteBody, action: AdminAction
) -> EntryAction:
    """Verify an entry: it becomes official."""
    return entry_action(await entries.promote(id, action, body.verified_on, body.note))


@_on_entry("demote", "entry_removed", "model_name_taken")
async def demote(entries: EntryActions, id: EntryId, action: AdminAction) -> EntryAction:
    """Bring an entry back to the community board."""
    return entry_action(await entries.demote(id, action))


@_on_entry("rename", "entry_removed", "model_name_taken")
async def rename(
    entries: EntryActions, id: EntryId, body: RenameBody, action: AdminAction
) -> EntryAction:
    """Give an entry another name."""
    fields = checked_fields({"model_name": body.model_name})
    return entry_action(await entries.rename(id, action, fields["model_name"] or ""))


@_on_entry("edit", "entry_removed", "no_submission")
async def edit(
    entries: EntryActions, id: EntryId, body: EditBody, action: AdminAction
) -> EntryAction:
    """Change an entry's metadata."""
    return entry_action(await entries.edit(id, action, checked_fields(body.fields())))


@_on_entry("facts", "entry_removed")
async def state_facts(
    entries: EntryActions, id: EntryId, body: FactsBody, action: AdminAction
) -> EntryAction:
    """Change facts of an entry's model.

    What is left out stays, null makes a fact unknown again. What changes is held: the model's owner
    cannot change it until it is released. The change is public in the entry's `fact_changes`; the
    reason is in the audit log alone.
    """
    return entry_action(await entries.state_facts(id, action, body.facts, body.release))


@_on_entry("remove")
async def remove(entries: EntryActions, id: EntryId, action: AdminAction) -> EntryAction:
    """Take an entry off its board and free its name."""
    return entry_action(await entries.remove(id, action))


@_on_entry("erase", "entry_present")
async def erase(entries: EntryActions, id: EntryId, action: AdminAction) -> EntryAction:
    """Erase the names of a removed entry.

    Its tombstone stays, without model name, organization, authors and note. Past snapshots and the
    audit log are never changed.
    """
    return entry_action(await entries.erase(id, action))


@_on_entry("restore", "model_name_taken", "not_restorable")
async def restore(entries: EntryActions, id: EntryId, action: AdminAction) -> EntryAction:
    """Bring a removed entry back."""
    return entry_action(await entries.restore(id, action))


@router.get(
    "/admin/boards/export",
    reply=Reply("The boards' entries.", {JSON: ExportedBoards, CSV: None}),
)
async def export_boards(files: BoardFiles, query: ExportQuery) -> web.Response:
    """Export boards.

    No cell of the CSV is a formula to a spreadsheet.
    """
    boards = await files.export((query.board,) if query.board else BOARDS)
    name = f"{query.board or 'boards'}.{query.format}"
    headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{name}"'}
    if query.format == "csv":
        return web.Response(text=write_csv(boards), content_type=CSV, headers=headers)
    content = {board: [row.to_json() for row in rows] for board, rows in boards.items()}
    return web.Response(body=orjson.dumps(content), content_type=JSON, headers=headers)


@router.post(
    "/admin/boards/import",
    reply="What became of each row.",
    problems=("model_name_taken",),
    largest=LARGEST_IMPORT,
)
async def import_boards(files: BoardFiles, body: ImportBody, action: AdminAction) -> ImportAnswer:
    """Import boards.

    All rows or none; a dry run reports what would become of each.
    """
    content = body.boards if body.csv is None else table(body.csv)
    changes = await files.apply(content, action, existing=body.existing, dry_run=body.dry_run)
    return import_answer(changes, dry_run=body.dry_run)


@router.post(
    "/admin/boards/{board}/ranking", reply="Whether it changed.", problems=("board_not_found",)
)
async def set_ranking(
    boards: BoardSettings, board: BoardName, body: RankingBody, action: AdminAction
) -> ChangeAnswer:
    """Choose how a board ranks.

    It is ranked anew; snapshots of the past stay as they are.
    """
    return ChangeAnswer(changed=await boards.set_ranking(board, body.ranking, action))


@router.get(
    "/admin/boards/{board}/series",
    reply="What it would change.",
    problems=("board_not_found", "judge_version_not_found", "board_being_ranked"),
)
async def read_series_difference(
    boards: BoardsSeries, board: BoardName, query: SeriesQuery
) -> SeriesDifference:
    """Read what another series would change.

    Every entry's rank before and after; without parameters, the board's series as it is.
    """
    return await boards.difference(board, query.wanted())


@router.post(
    "/admin/boards/{board}/series",
    reply="Whether it changed.",
    problems=("board_not_found", "judge_version_not_found", "preview_outdated"),
)
async def set_series(
    boards: BoardsSeries, board: BoardName, body: SeriesBody, action: AdminAction
) -> ChangeAnswer:
    """Choose which judge's values a board ranks.

    After looking at the difference; snapshots of the past stay as they are.
    """
    return ChangeAnswer(changed=await boards.choose(board, body.wanted(), body.revision, action))


@router.get("/admin/audit", reply="A page of lines.")
async def read_audit_log(log: AuditLog, query: AuditQuery) -> AuditPage:
    """Read the audit log.

    What administrators did, newest first. It is never changed.
    """
    found = await log.page(query, query.limit + 1)
    shown, cursor = cut(found, query.limit, lambda line: str(line.id))
    return AuditPage(lines=shown, next_cursor=cursor)


def checked_fields(given: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return text fields as they are stored; raises RefusedBody with every problem."""
    fields, problems = check_fields(given)
    if problems:
        raise RefusedBody(problems)
    return fields


def table(text: str) -> object:
    """Return the rows of a CSV text; raises RefusedBody."""
    try:
        return read_csv(text)
    except ValueError as error:
        problem = Problem("invalid_csv", "$.csv", "a table that cannot be read", str(error),
                          "Send the table as an export has it.")  # fmt: skip
        raise RefusedBody([problem]) from None
