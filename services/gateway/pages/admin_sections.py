"""What each page of the administrators shows, and what its forms do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast, get_args
from uuid import UUID

import orjson
from aiohttp import web

from medvid.benchmark.report import Problem
from medvid.benchmark.tasks import BOARDS, METRICS, RANKINGS, Board
from services.gateway.accounts import models as key_models
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import AuditLog
from services.gateway.accounts.keys import ManageKeys, key_not_found
from services.gateway.accounts.rules import SCOPES, Caller
from services.gateway.admin import operations_wire, wire
from services.gateway.admin.acting import id_of
from services.gateway.admin.board_rows import read_row
from services.gateway.admin.board_settings import BoardSettings
from services.gateway.admin.dead_letters import DeadLetters, LetterState
from services.gateway.admin.entries import EntryActions
from services.gateway.admin.entry_cursors import after_entry, entry_cursor
from services.gateway.admin.ground_truths import GroundTruths
from services.gateway.admin.imports import BoardFiles
from services.gateway.admin.judging_hold import HoldJudging
from services.gateway.admin.managed_entries import EDITABLE
from services.gateway.admin.operations_routes import letter_outcome
from services.gateway.admin.rescoring import Rescoring
from services.gateway.admin.routes import checked_fields, exported, table
from services.gateway.pages.admin_form_fields import (
    Fields,
    body,
    checked,
    given,
    numbers,
    text,
    upload,
)
from services.gateway.pages.admin_pages import Context, Do, Section
from services.gateway.submissions.lifecycle_store import PostgresLifecycle
from services.gateway.submissions.ports import SubmissionFilter
from services.gateway.submissions.rules import not_withdrawable
from services.gateway.submissions.wire import State
from services.gateway.web.endpoints import Handle
from services.gateway.web.errors import RefusedBody
from services.gateway.web.paging import cursor_of, position_of
from services.gateway.web.parameters import query_of, uuid_of
from shared.runtime.errors import Conflict

_PAGE: Final = 50
_STATES: Final = get_args(State)
_QUOTAS: Final = ("submissions_per_day", "bytes_per_day", "judge_runs_per_month")


@dataclass(frozen=True, slots=True)
class Parts:
    """The use cases that the pages are made with."""

    entries: EntryActions
    files: BoardFiles
    boards: BoardSettings
    letters: DeadLetters
    truths: GroundTruths
    rescoring: Rescoring
    hold: HoldJudging
    log: AuditLog
    submissions: PostgresLifecycle
    keys: ManageKeys


def entry_sections(parts: Parts) -> list[Section]:
    """Return the pages of entries."""
    entries = parts.entries

    async def listed(request: web.Request) -> Context:
        asked = query_of(request, wire.EntriesQuery)
        name = asked.model_name.strip() if asked.model_name else None
        found = await entries.page(
            asked.board, name or None, after_entry(asked.cursor), _PAGE + 1, removed=asked.removed
        )
        more = entry_cursor(found[_PAGE - 1]) if len(found) > _PAGE else None
        return {"entries": found[:_PAGE], "asked": asked, "more_cursor": more, "boards": BOARDS,
                "metrics": METRICS}  # fmt: skip

    async def one(request: web.Request) -> Context:
        return {"entry": await entries.find(id_of(request, "entry")), "editable": EDITABLE}

    async def add(_: web.Request, fields: Fields, action: AdminAction) -> str:
        asked = {**given(fields, "model_name", "organization", "team", "authors", "model_url",
                         "track", "date"),
                 **numbers(fields, *(metric.key for metric in METRICS))}  # fmt: skip
        board = _board(fields)
        row, found = read_row("$", board, asked)
        if row is None:
            raise RefusedBody(found)
        change = await parts.files.add(board, row, action)
        return f"{row.model_name} is on the {board} board ({change.kind})."

    return [
        Section("/entries", "admin_entries.html", "Entries", listed, {"add": add}),
        Section(
            "/entries/{id}", "admin_entry.html", "Entry", one, _entry_actions(parts), linked=False
        ),
    ]


def _entry_actions(parts: Parts) -> Mapping[str, Do]:
    entries = parts.entries

    async def promote(request: web.Request, fields: Fields, action: AdminAction) -> str:
        asked = body(wire.PromoteBody, why=action.why, **given(fields, "verified_on", "note"))
        done = await entries.promote(_entry(request), action, asked.verified_on, asked.note)
        return f"{done.entry.model_name} is official."

    async def demote(request: web.Request, _: Fields, action: AdminAction) -> str:
        done = await entries.demote(_entry(request), action)
        return f"{done.entry.model_name} is on the community board."

    async def rename(request: web.Request, fields: Fields, action: AdminAction) -> str:
        name = checked_fields({"model_name": text(fields, "model_name")})["model_name"] or ""
        done = await entries.rename(_entry(request), action, name)
        return f"It is named {done.entry.model_name}."

    async def edit(request: web.Request, fields: Fields, action: AdminAction) -> str:
        sent = {name: text(fields, name) for name in EDITABLE if name in fields}
        done = await entries.edit(_entry(request), action, checked_fields(sent))
        return "Changed." if done.changed else "It was so before."

    async def remove(request: web.Request, _: Fields, action: AdminAction) -> str:
        done = await entries.remove(_entry(request), action)
        return f"{done.entry.model_name} is on no board, and its name is free."

    async def withdraw(request: web.Request, _: Fields, action: AdminAction) -> str:
        entry = await entries.find(_entry(request))
        if entry.submission_id is None:
            raise Conflict("it was added by hand.", fix="Remove it.", code="no_submission")
        taken = await parts.submissions.withdraw(
            entry.submission_id, "administrator", action.why, action
        )
        if not taken and entry.submission_state != "withdrawn":
            raise not_withdrawable(entry.submission_state or "")
        return f"The submission of {entry.model_name} is withdrawn."

    async def restore(request: web.Request, _: Fields, action: AdminAction) -> str:
        done = await entries.restore(_entry(request), action)
        return f"{done.entry.model_name} is on the {done.entry.board} board again."

    return {"promote": promote, "demote": demote, "rename": rename, "edit": edit,
            "remove": remove, "withdraw": withdraw, "restore": restore}  # fmt: skip


def key_sections(parts: Parts) -> list[Section]:
    """Return the page of API keys."""
    # Whoever is signed in administers; who it is stands in the audit log.
    caller = Caller("local", root=True)

    async def listed(request: web.Request) -> Context:
        found = await parts.keys.page(caller, position_of(request.query.get("cursor")), _PAGE + 1)
        last = found[_PAGE - 1] if len(found) > _PAGE else None
        return {"keys": found[:_PAGE], "scopes": SCOPES,
                "more_cursor": cursor_of((last.created_at, last.id)) if last else None}  # fmt: skip

    async def make(_: web.Request, fields: Fields, action: AdminAction) -> str:
        asked = body(
            key_models.KeyRequest, why=action.why, label=text(fields, "label"),
            owner=text(fields, "owner"), scopes=list(fields.getall("scopes", [])),
            quotas=given(fields, *_QUOTAS),
        )  # fmt: skip
        made = await parts.keys.make(
            caller, asked.label, asked.owner, asked.scopes, asked.quotas.quotas(), action
        )
        return f"The key, shown once: {made.secret}"

    async def revoke(_: web.Request, fields: Fields, action: AdminAction) -> str:
        await parts.keys.revoke(caller, _key(fields), action.why, action.request_id)
        return "The key is revoked."

    async def quotas(_: web.Request, fields: Fields, action: AdminAction) -> str:
        asked = body(key_models.QuotaRequest, why=action.why, **given(fields, *_QUOTAS))
        await parts.keys.set_quotas(caller, _key(fields), asked.quotas(), action)
        return "Its quotas are set."

    actions = {"make": make, "revoke": revoke, "quotas": quotas}
    return [Section("/keys", "admin_keys.html", "Keys", listed, actions)]


def downloads(parts: Parts) -> Mapping[str, Handle]:
    """Return what a signed-in browser may fetch as a file."""

    async def export(request: web.Request) -> web.Response:
        asked = query_of(request, wire.ExportQuery)
        return await exported(parts.files, asked)

    return {"/boards/export": export}


def file_sections(parts: Parts) -> list[Section]:
    """Return the page of boards: as files, and how they rank."""

    async def show(_: web.Request) -> Context:
        return {"boards": BOARDS, "rankings": await parts.boards.rankings(), "known": RANKINGS}

    async def rank(_: web.Request, fields: Fields, action: AdminAction) -> str:
        board = _board(fields)
        asked = body(wire.RankingBody, why=action.why, ranking=text(fields, "ranking"))
        changed = await parts.boards.set_ranking(board, asked.ranking, action)
        told = f"The {board} board's ranking is {asked.ranking}."
        return told if changed else f"{told} It was so before."

    async def load(_: web.Request, fields: Fields, action: AdminAction) -> str:
        sent = upload(fields, "file")
        content = _content(sent)
        dry_run = text(fields, "action") == "check"
        changes = await parts.files.apply(
            content, action, existing="update" if checked(fields, "update") else "keep",
            dry_run=dry_run,
        )  # fmt: skip
        counts = wire.ImportAnswer.of(changes, dry_run=dry_run).counts
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        rows = "; ".join(
            f"{change.row.model_name}: {change.kind}"
            + "".join(f", {name} {was} → {now}" for name, (was, now) in change.fields.items())
            for change in changes
            if change.kind != "unchanged"
        )
        return f"{'Would be' if dry_run else 'Rows'}: {told}. {rows}"

    return [
        Section("/boards", "admin_boards.html", "Boards", show,
                {"check": load, "import": load, "rank": rank})
    ]  # fmt: skip


def operation_sections(parts: Parts) -> list[Section]:
    """Return the pages of submissions, re-scoring, dead letters, ground truth and judging."""

    async def overview(_: web.Request) -> Context:
        letters = await parts.letters.page("open", None, None, before=None, limit=_PAGE)
        jobs = await parts.rescoring.page(None, 1)
        return {"judging": await parts.hold.state(), "letters": len(letters), "most": _PAGE,
                "job": jobs[0] if jobs else None,
                "states": await parts.submissions.counts(),
                "searching": await parts.submissions.searching()}  # fmt: skip

    async def submissions(request: web.Request) -> Context:
        state = request.query.get("state") or None
        state = state if state in _STATES else None
        found = await parts.submissions.page(
            SubmissionFilter(state=state), position_of(request.query.get("cursor")), _PAGE + 1
        )
        last = found[_PAGE - 1] if len(found) > _PAGE else None
        return {"found": found[:_PAGE], "state": state, "states": _STATES,
                "more_cursor": cursor_of((last.created_at, last.id)) if last else None}  # fmt: skip

    async def letters(request: web.Request) -> Context:
        state = request.query.get("state", "open")
        state = state if state in get_args(LetterState) else "open"
        found = await parts.letters.page(
            cast(LetterState, state), None, None, before=_number(request), limit=_PAGE + 1
        )
        more = str(found[_PAGE - 1].id) if len(found) > _PAGE else None
        return {"letters": found[:_PAGE], "state": state, "states": get_args(LetterState),
                "more_cursor": more}  # fmt: skip

    async def close_letters(_: web.Request, fields: Fields, action: AdminAction) -> str:
        do = parts.letters.replay if text(fields, "action") == "replay" else parts.letters.discard
        asked = body(operations_wire.LettersBody, why=action.why, ids=_ids(fields), all=False)
        outcomes = [await letter_outcome(do, each, action) for each in asked.ids or ()]
        return " ".join(
            f"{each.id}: {each.problem or ('done' if each.changed else 'was closed before')}."
            for each in outcomes
        )

    async def pause(_: web.Request, __: Fields, action: AdminAction) -> str:
        await parts.hold.pause(action)
        return "Judging is paused."

    async def resume(_: web.Request, __: Fields, action: AdminAction) -> str:
        await parts.hold.resume(action)
        return "Judging goes on."

    return [
        Section("", "admin.html", "Overview", overview, {"pause": pause, "resume": resume}),
        Section("/submissions", "admin_submissions.html", "Submissions", submissions, {}),
        Section("/dead-letters", "admin_letters.html", "Dead letters", letters,
                {"replay": close_letters, "discard": close_letters}),
    ]  # fmt: skip


def audit_sections(parts: Parts) -> list[Section]:
    """Return the page of the audit log."""

    async def log(request: web.Request) -> Context:
        query = {name: value for name, value in request.query.items() if value}
        asked = body(wire.AuditQuery, **{**query, "limit": str(_PAGE)})
        found = await parts.log.page(asked.wanted(), before=asked.cursor, limit=_PAGE + 1)
        more = str(found[_PAGE - 1].id) if len(found) > _PAGE else None
        return {"lines": found[:_PAGE], "asked": asked, "more_cursor": more, "shown": _facts}

    return [Section("/audit", "admin_audit.html", "Audit log", log, {})]


def _facts(facts: object) -> str:
    return orjson.dumps(facts).decode() if facts is not None else ""


def _entry(request: web.Request) -> UUID:
    return id_of(request, "entry")


def _board(fields: Fields) -> Board:
    board = text(fields, "board")
    if board not in BOARDS:
        problem = Problem("wrong_value", "$.board", board, " or ".join(BOARDS), "Choose one.")
        raise RefusedBody([problem])
    return board


def _ids(fields: Fields) -> list[object] | None:
    return list(fields.getall("ids", [])) or None


def _key(fields: Fields) -> UUID:
    found = uuid_of(text(fields, "key"))
    if found is None:
        raise key_not_found()
    return found


def _number(request: web.Request) -> int | None:
    cursor = request.query.get("cursor", "")
    return int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) <= 18 else None


def _content(sent: bytes) -> object:
    """Return a board file's content, JSON or CSV; raises RefusedBody."""
    try:
        if sent.lstrip()[:1] == b"{":
            return orjson.loads(sent)
        return table(sent.decode("utf-8-sig"))
    except (orjson.JSONDecodeError, UnicodeDecodeError) as error:
        problem = Problem("invalid_json", "$", str(error), "an export", "Choose such a file.")
        raise RefusedBody([problem]) from None
