"""What each page of the administrators shows, and what its forms do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast, get_args
from uuid import UUID

import orjson
from aiohttp import web

from medvid.benchmark.report import Problem
from medvid.benchmark.tasks import BOARDS, METRICS, RANKINGS, Board
from services.gateway.accounts import models as key_models
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.keys import key_not_found
from services.gateway.accounts.rules import SCOPES, Caller
from services.gateway.admin import entries_api, models, operations_api, operations_models
from services.gateway.admin.board_rows import read_row
from services.gateway.admin.dead_letters import LetterState
from services.gateway.admin.entries_api import Operation, export_boards, table
from services.gateway.admin.entry_cursors import after_entry, entry_cursor
from services.gateway.admin.models import EntryAction
from services.gateway.admin.rules import EDITABLE
from services.gateway.pages.admin_form_fields import (
    Fields,
    body,
    checked,
    given,
    numbers,
    text,
    upload,
)
from services.gateway.pages.admin_forms import form
from services.gateway.pages.admin_pages import Context, Do, Section
from services.gateway.pages.admin_parts import Parts
from services.gateway.pages.admin_rescore_sections import rescore_sections
from services.gateway.submissions.lifecycle import SubmissionFilter
from services.gateway.submissions.models import State
from services.gateway.submissions.rules import not_withdrawable
from services.gateway.web.endpoints import Handle
from services.gateway.web.errors import RefusedBody
from services.gateway.web.paging import cursor_of, cut, position_of
from services.gateway.web.parameters import id_reader, query_of, uuid_of
from shared.runtime.errors import Conflict

_PAGE: Final = 50
_STATES: Final = get_args(State)
_QUOTAS: Final = ("submissions_per_day", "bytes_per_day", "judge_runs_per_month")


def entry_sections(parts: Parts) -> list[Section]:
    """Return the pages of entries."""
    entries = parts.entries

    async def listed(request: web.Request) -> Context:
        asked = query_of(request, models.EntriesQuery)
        name = asked.model_name.strip() if asked.model_name else None
        found = await entries.page(
            asked.board, name or None, after_entry(asked.cursor), _PAGE + 1, removed=asked.removed
        )
        shown, more = cut(found, _PAGE, entry_cursor)
        return {"entries": shown, "asked": asked, "more_cursor": more, "boards": BOARDS,
                "metrics": METRICS}  # fmt: skip

    async def one(request: web.Request) -> Context:
        return {"entry": await entries.find(_entry(request)), "editable": EDITABLE}

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
        Section("admin_entries", "admin_entries.html", "Entries", listed, {"add": add}),
        Section(
            "admin_entry",
            "admin_entry.html",
            "Entry",
            one,
            _entry_actions(parts),
            under="admin_entries",
        ),
    ]


def _entry_actions(parts: Parts) -> Mapping[str, Do]:
    async def withdraw(request: web.Request, _: Fields, action: AdminAction) -> str:
        entry = await parts.entries.find(_entry(request))
        if entry.submission_id is None:
            raise Conflict("it was added by hand.", fix="Remove it.", code="no_submission")
        taken = await parts.submissions.withdraw(
            entry.submission_id, "administrator", action.why, action
        )
        if not taken and entry.submission_state != "withdrawn":
            raise not_withdrawable(entry.submission_state or "")
        return f"The submission of {entry.model_name} is withdrawn."

    def row(operation: Operation, says: str, *, keep_blank: bool = False) -> Do:
        def sentence(done: EntryAction, _: object) -> str:
            return says.format(name=done.entry.model_name, board=done.entry.board)

        return form(parts, operation, sentence, keep_blank=keep_blank)

    return {
        "promote": row(entries_api.promote, "{name} is official."),
        "demote": row(entries_api.demote, "{name} is on the community board."),
        "rename": row(entries_api.rename, "It is named {name}."),
        "edit": form(parts, entries_api.edit, _whether_changed, keep_blank=True),
        "remove": row(entries_api.remove, "{name} is on no board, and its name is free."),
        "withdraw": withdraw,
        "restore": row(entries_api.restore, "{name} is on the {board} board again."),
    }


def _whether_changed(done: EntryAction, _: object) -> str:
    return "Changed." if done.changed else "It was so before."


def key_sections(parts: Parts) -> list[Section]:
    """Return the page of API keys."""
    # Who is signed in administers; the audit log has the name.
    caller = Caller("local", root=True)

    async def listed(request: web.Request) -> Context:
        found = await parts.keys.page(caller, position_of(request.query.get("cursor")), _PAGE + 1)
        shown, more = cut(found, _PAGE, lambda key: cursor_of((key.created_at, key.id)))
        return {"keys": shown, "scopes": SCOPES, "more_cursor": more}

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
    return [Section("admin_keys", "admin_keys.html", "Keys", listed, actions)]


def all_sections(parts: Parts) -> list[Section]:
    """Return every page, in the order of the navigation."""
    return [
        *operation_sections(parts),
        *entry_sections(parts),
        *file_sections(parts),
        *rescore_sections(parts),
        *key_sections(parts),
        *audit_sections(parts),
    ]


def downloads(parts: Parts) -> Mapping[str, Handle]:
    """Return what a signed-in browser may fetch as a file."""

    async def export(request: web.Request) -> web.Response:
        asked = query_of(request, models.ExportQuery)
        return await export_boards(parts.files, asked)

    return {"admin_export": export}


def file_sections(parts: Parts) -> list[Section]:
    """Return the page of boards: as files, and how they rank."""

    async def show(_: web.Request) -> Context:
        return {"boards": BOARDS, "rankings": await parts.boards.rankings(), "known": RANKINGS}

    def ranked(done: models.ChangeAnswer, given: Mapping[str, Any]) -> str:
        told = f"The {given['board']} board's ranking is {given['body'].ranking}."
        return told if done.changed else f"{told} It was so before."

    set_ranking = form(parts, entries_api.set_ranking, ranked)

    async def rank(request: web.Request, fields: Fields, action: AdminAction) -> str:
        _board(fields)  # a field, and not an address: refused as one
        return await set_ranking(request, fields, action)

    async def load(_: web.Request, fields: Fields, action: AdminAction) -> str:
        sent = upload(fields, "file")
        content = _content(sent)
        dry_run = text(fields, "action") == "check"
        changes = await parts.files.apply(
            content, action, existing="update" if checked(fields, "update") else "keep",
            dry_run=dry_run,
        )  # fmt: skip
        counts = models.ImportAnswer.of(changes, dry_run=dry_run).counts
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        rows = "; ".join(
            f"{change.row.model_name}: {change.kind}"
            + "".join(f", {name} {was} → {now}" for name, (was, now) in change.fields.items())
            for change in changes
            if change.kind != "unchanged"
        )
        return f"{'Would be' if dry_run else 'Rows'}: {told}. {rows}"

    return [
        Section("admin_boards", "admin_boards.html", "Boards", show,
                {"check": load, "import": load,
                 "rank": rank})
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
        shown, more = cut(found, _PAGE, lambda each: cursor_of((each.created_at, each.id)))
        return {"found": shown, "state": state, "states": _STATES, "more_cursor": more}

    async def letters(request: web.Request) -> Context:
        state = request.query.get("state", "open")
        state = state if state in get_args(LetterState) else "open"
        found = await parts.letters.page(
            cast(LetterState, state), None, None, before=_number(request), limit=_PAGE + 1
        )
        shown, more = cut(found, _PAGE, lambda letter: str(letter.id))
        return {"letters": shown, "state": state, "states": get_args(LetterState),
                "more_cursor": more}  # fmt: skip

    def outcomes(done: operations_models.LettersAnswer, _: object) -> str:
        return " ".join(
            f"{each.id}: {each.problem or ('done' if each.changed else 'was closed before')}."
            for each in done.letters
        )

    judging = {
        "pause": form(parts, operations_api.pause_judging, "Judging is paused."),
        "resume": form(parts, operations_api.resume_judging, "Judging goes on."),
    }
    closing = {
        "replay": form(parts, operations_api.replay_dead_letters, outcomes),
        "discard": form(parts, operations_api.discard_dead_letters, outcomes),
    }
    return [
        Section("admin", "admin.html", "Overview", overview, judging),
        Section("admin_submissions", "admin_submissions.html", "Submissions", submissions, {}),
        Section("admin_dead_letters", "admin_letters.html", "Dead letters", letters, closing),
    ]  # fmt: skip


def audit_sections(parts: Parts) -> list[Section]:
    """Return the page of the audit log."""

    async def log(request: web.Request) -> Context:
        query = {name: value for name, value in request.query.items() if value}
        asked = body(models.AuditQuery, **{**query, "limit": str(_PAGE)})
        found = await parts.log.page(asked, _PAGE + 1)
        shown, more = cut(found, _PAGE, lambda line: str(line.id))
        return {"lines": shown, "asked": asked, "more_cursor": more, "shown": _facts}

    return [Section("admin_audit", "admin_audit.html", "Audit log", log, {})]


def _facts(facts: object) -> str:
    return orjson.dumps(facts).decode() if facts is not None else ""


def _entry(request: web.Request) -> UUID:
    return id_reader("entry")(request.match_info["id"])


def _board(fields: Fields) -> Board:
    board = text(fields, "board")
    if board not in BOARDS:
        problem = Problem("wrong_value", "$.board", board, " or ".join(BOARDS), "Choose one.")
        raise RefusedBody([problem])
    return board


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
