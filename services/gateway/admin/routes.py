"""Addresses of administration: entries, boards as files, the audit log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from uuid import UUID

import orjson
from aiohttp import web

from medvid.benchmark.report import Problem
from medvid.benchmark.tasks import BOARDS
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import AuditLog
from services.gateway.accounts.callers import Callers
from services.gateway.admin import wire
from services.gateway.admin.acting import action_of, id_of
from services.gateway.admin.board_csv import read_csv, write_csv
from services.gateway.admin.board_rows import read_row
from services.gateway.admin.entries import Changed, EntryActions
from services.gateway.admin.entry_cursors import after_entry, entry_cursor
from services.gateway.admin.imports import BoardFiles
from services.gateway.admin.managed_entries import check_fields
from services.gateway.web.bodies import body_of
from services.gateway.web.endpoints import (
    CSV,
    JSON,
    Access,
    Body,
    Endpoint,
    Handle,
    Reply,
    json_reply,
)
from services.gateway.web.errors import RefusedBody
from services.gateway.web.parameters import query_of
from services.gateway.web.problem_codes import ADMINISTRATION, BODY_PROBLEMS
from services.gateway.web.responses import PRIVATE, json_response

TAG: Final = "administration"
ADMIN: Final = (Access.ADMIN,)
ACTION_PROBLEMS: Final = (*ADMINISTRATION, *BODY_PROBLEMS, "reason_required")
_ENTRY_PROBLEMS: Final = (*ACTION_PROBLEMS, "entry_not_found")
_ENTRY: Final = "/admin/entries/{id}"


def entry_endpoints(entries: EntryActions, files: BoardFiles, callers: Callers) -> list[Endpoint]:
    """Return the endpoints of entries."""

    async def page(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = query_of(request, wire.EntriesQuery)
        found = await entries.page(
            asked.board,
            asked.model_name,
            after_entry(asked.cursor),
            asked.limit + 1,
            removed=asked.removed,
        )
        shown = [wire.ManagedEntryView.of(entry) for entry in found[: asked.limit]]
        cursor = entry_cursor(found[asked.limit - 1]) if len(found) > asked.limit else None
        return json_response(wire.EntriesPage(entries=shown, next_cursor=cursor))

    async def find(request: web.Request) -> web.Response:
        await callers.administrator(request)
        return json_response(wire.ManagedEntryView.of(await entries.find(_entry_id(request))))

    async def add(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = await body_of(request, wire.AddBody)
        row, problems = read_row("$.entry", asked.board, asked.entry)
        if row is None:
            raise RefusedBody(problems)
        change = await files.add(asked.board, row, await action_of(request, callers, asked.why))
        status = 201 if change.kind == "added" else 200
        return json_response(wire.RowChangeView.of(change), status=status)

    async def promote(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = await body_of(request, wire.PromoteBody)
        action = await action_of(request, callers, asked.why)
        done = await entries.promote(_entry_id(request), action, asked.verified_on, asked.note)
        return json_response(wire.EntryAction.of(done))

    async def rename(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = await body_of(request, wire.RenameBody)
        action = await action_of(request, callers, asked.why)
        fields = checked_fields({"model_name": asked.model_name})
        done = await entries.rename(_entry_id(request), action, fields["model_name"] or "")
        return json_response(wire.EntryAction.of(done))

    async def edit(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = await body_of(request, wire.EditBody)
        action = await action_of(request, callers, asked.why)
        done = await entries.edit(_entry_id(request), action, checked_fields(asked.fields()))
        return json_response(wire.EntryAction.of(done))

    def plain(do: Callable[[UUID, AdminAction], Awaitable[Changed]]) -> Handle:
        async def handle(request: web.Request) -> web.Response:
            await callers.administrator(request)
            asked = await body_of(request, wire.Deed)
            action = await action_of(request, callers, asked.why)
            return json_response(wire.EntryAction.of(await do(_entry_id(request), action)))

        return handle

    return [
        Endpoint(
            "GET",
            "/admin/entries",
            page,
            summary="List entries with what is not public",
            tag=TAG,
            query_model=wire.EntriesQuery,
            replies={200: json_reply("A page of entries, by name.", wire.EntriesPage)},
            problems=(*ADMINISTRATION, "invalid_query"),
            access=ADMIN,
        ),
        Endpoint(
            "POST",
            "/admin/entries",
            add,
            summary="Add an entry with given scores",
            description="200 where the board has exactly this entry.",
            tag=TAG,
            body=Body(wire.AddBody),
            replies={
                200: json_reply("It was there.", wire.RowChangeView),
                201: json_reply("Added.", wire.RowChangeView),
            },
            problems=(*ACTION_PROBLEMS, "model_name_taken"),
            access=ADMIN,
        ),
        Endpoint(
            "GET",
            _ENTRY,
            find,
            summary="Read an entry with what is not public",
            tag=TAG,
            path_model=wire.EntryPath,
            replies={200: json_reply("The entry.", wire.ManagedEntryView)},
            problems=(*ADMINISTRATION, "entry_not_found"),
            access=ADMIN,
        ),
        _action("promote", promote, "Verify an entry: it becomes official", wire.PromoteBody,
                "not_scored_yet", "stub_not_official", "entry_removed", "model_name_taken"),
        _action("demote", plain(entries.demote), "Bring an entry back to the community board",
                wire.Deed, "entry_removed", "model_name_taken"),
        _action("rename", rename, "Give an entry another name", wire.RenameBody,
                "entry_removed", "model_name_taken"),
        _action("edit", edit, "Change an entry's metadata", wire.EditBody,
                "entry_removed", "no_submission"),
        _action("remove", plain(entries.remove), "Take an entry off its board and free its name",
                wire.Deed),
        _action("restore", plain(entries.restore), "Bring a removed entry back",
                wire.Deed, "model_name_taken", "not_restorable"),
    ]  # fmt: skip


def file_endpoints(files: BoardFiles, callers: Callers) -> list[Endpoint]:
    """Return the endpoints of boards as files."""

    async def export(request: web.Request) -> web.Response:
        await callers.administrator(request)
        return await exported(files, query_of(request, wire.ExportQuery))

    async def load(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = await body_of(request, wire.ImportBody, largest=wire.LARGEST_IMPORT)
        action = await action_of(request, callers, asked.why)
        content = asked.boards if asked.csv is None else table(asked.csv)
        changes = await files.apply(content, action, existing=asked.existing, dry_run=asked.dry_run)
        return json_response(wire.ImportAnswer.of(changes, dry_run=asked.dry_run))

    return [
        Endpoint(
            "GET",
            "/admin/boards/export",
            export,
            summary="Export boards",
            description="No cell of the CSV is a formula to a spreadsheet.",
            tag=TAG,
            query_model=wire.ExportQuery,
            replies={200: Reply("The boards' entries.", {JSON: wire.ExportedBoards, CSV: None})},
            problems=(*ADMINISTRATION, "invalid_query"),
            access=ADMIN,
        ),
        Endpoint(
            "POST",
            "/admin/boards/import",
            load,
            summary="Import boards",
            description="All rows or none; a dry run tells what would become of each.",
            tag=TAG,
            body=Body(wire.ImportBody),
            replies={200: json_reply("What became of each row.", wire.ImportAnswer)},
            problems=(*ACTION_PROBLEMS, "model_name_taken"),
            access=ADMIN,
        ),
    ]


async def exported(files: BoardFiles, asked: wire.ExportQuery) -> web.Response:
    """Return boards as the file that was asked for."""
    boards = await files.export((asked.board,) if asked.board else BOARDS)
    name = f"{asked.board or 'boards'}.{asked.format}"
    headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{name}"'}
    if asked.format == "csv":
        return web.Response(text=write_csv(boards), content_type=CSV, headers=headers)
    content = {board: [row.to_json() for row in rows] for board, rows in boards.items()}
    return web.Response(body=orjson.dumps(content), content_type=JSON, headers=headers)


def audit_endpoints(log: AuditLog, callers: Callers) -> list[Endpoint]:
    """Return the endpoint of the audit log."""

    async def page(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = query_of(request, wire.AuditQuery)
        found = await log.page(asked.wanted(), before=asked.cursor, limit=asked.limit + 1)
        shown = found[: asked.limit]
        cursor = str(shown[-1].id) if len(found) > len(shown) else None
        lines = [wire.AuditLineView.of(line) for line in shown]
        return json_response(wire.AuditPage(lines=lines, next_cursor=cursor))

    return [
        Endpoint(
            "GET",
            "/admin/audit",
            page,
            summary="Read the audit log",
            description="What administrators did, newest first. It is never changed.",
            tag=TAG,
            query_model=wire.AuditQuery,
            replies={200: json_reply("A page of lines.", wire.AuditPage)},
            problems=(*ADMINISTRATION, "invalid_query"),
            access=ADMIN,
        )
    ]


def _action(
    name: str, handler: Handle, summary: str, body: type[wire.Deed], *problems: str
) -> Endpoint:
    return Endpoint(
        "POST",
        f"{_ENTRY}/{name}",
        handler,
        summary=summary,
        tag=TAG,
        path_model=wire.EntryPath,
        body=Body(body),
        replies={200: json_reply("The entry as it is now.", wire.EntryAction)},
        problems=(*_ENTRY_PROBLEMS, *problems),
        access=ADMIN,
    )


def _entry_id(request: web.Request) -> UUID:
    return id_of(request, "entry")


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
