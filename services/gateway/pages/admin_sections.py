"""What each page of the administrators shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast, get_args
from urllib.parse import quote

import orjson
from aiohttp import web

from medvid.benchmark.series import TREATMENTS
from medvid.benchmark.tasks import BOARDS, METRICS, RANKINGS
from medvid.judging.parts_table import PARTS
from medvid.models.administration import CostsBy, LetterState
from medvid.models.fact_texts import fact_texts
from medvid.models.notes import NoteKind, NoteState
from medvid.models.submissions import State
from services.gateway.accounts.rules import SCOPES, Caller
from services.gateway.admin import models
from services.gateway.admin.costs import CostsQuery
from services.gateway.admin.entries_api import export_boards
from services.gateway.admin.entry_cursors import after_entry, entry_cursor
from services.gateway.admin.notes_api import NotesQuery
from services.gateway.admin.operations_api import costs_file
from services.gateway.admin.rescore_models import rescore_detail
from services.gateway.admin.rules import EDITABLE
from services.gateway.judging.models import verdict_page
from services.gateway.pages import verdict_pages
from services.gateway.pages.admin_form_fields import body
from services.gateway.pages.admin_pages import Context, Section
from services.gateway.pages.admin_parts import AdminParts
from services.gateway.submissions.access import read_submission_id
from services.gateway.submissions.lifecycle import SubmissionFilter
from services.gateway.web.endpoints import Handle
from services.gateway.web.paging import cursor_of, cut, position_of
from services.gateway.web.parameters import id_reader, query_of, read_query
from shared.runtime.errors import NotFound

_PAGE: Final = 50
_PARSERS: Final = [part for part in PARTS if part.kind == "parser"]
_STATES: Final = get_args(State)
_READER: Final = Caller.signed_in("administrator")  # who reads is not written down


def all_sections(parts: AdminParts) -> list[Section]:
    """Return every page, in the order of the navigation."""
    return [
        *operation_sections(parts),
        *entry_sections(parts),
        note_section(parts),
        *rescore_sections(parts),
        cost_section(parts),
        key_section(parts),
        audit_section(parts),
    ]


def downloads(parts: AdminParts) -> Mapping[str, Handle]:
    """Return what a signed-in browser may fetch as a file."""

    async def export(request: web.Request) -> web.Response:
        return await export_boards(parts.files, query_of(request, models.ExportQuery))

    async def costs(request: web.Request) -> web.Response:
        wanted = _costs_query(request, format="csv", page_size="20000")
        return costs_file(await parts.costs.page(wanted))

    return {"admin_export": export, "admin_costs_csv": costs}


def operation_sections(parts: AdminParts) -> list[Section]:
    """Return the pages of the whole, of submissions and of dead letters."""

    async def overview(_: web.Request) -> Context:
        letters = await parts.letters.page("open", None, None, before=None, limit=_PAGE)
        jobs = await parts.rescoring.page(None, 1)
        return {"judging": await parts.hold.state(), "objections": await parts.notes.open(),
                "endpoints": await parts.pool.endpoints(),
                "letters": len(letters), "most": _PAGE,
                "job": jobs[0] if jobs else None,
                "states": await parts.submissions.lifecycle.counts(),
                "lately": await parts.submissions.lifecycle.last_day(),
                "searching": await parts.submissions.lifecycle.searching()}  # fmt: skip

    async def submissions(request: web.Request) -> Context:
        state = request.query.get("state") or None
        state = state if state in _STATES else None
        found = await parts.submissions.lifecycle.page(
            SubmissionFilter(state=state), position_of(request.query.get("cursor")), _PAGE + 1
        )
        shown, more = cut(found, _PAGE, lambda each: cursor_of((each.created_at, each.id)))
        return {"found": shown, "state": state, "states": _STATES, "more_cursor": more}

    async def verdicts(request: web.Request) -> Context:
        submission = read_submission_id(request.match_info["id"])
        asked, wanted = verdict_pages.read_filters(request.query)
        try:
            found, reasons = await parts.judging.explained(submission, _READER, wanted)
        except NotFound as error:
            if error.error_code != "run_not_found":
                raise
            return {"id": submission, "run": None}
        page = verdict_page(found, wanted)
        models = await parts.judging.store.verdict_models(found.run)
        asks_reasons = await parts.judging.store.asks_reasons(found.run)
        here = {"id": submission}
        shown = verdict_pages.shown(found, page, asked, models, "admin_verdicts", here)
        return {**here, "reasons": reasons, "asks_reasons": asks_reasons, **shown}

    async def letters(request: web.Request) -> Context:
        state = request.query.get("state", "open")
        state = state if state in get_args(LetterState) else "open"
        found = await parts.letters.page(
            cast(LetterState, state), None, None, before=_number(request), limit=_PAGE + 1
        )
        shown, more = cut(found, _PAGE, lambda letter: str(letter.id))
        return {"letters": shown, "state": state, "states": get_args(LetterState),
                "more_cursor": more}  # fmt: skip

    return [
        Section("admin", "admin.html", "Overview", overview),
        Section("admin_submissions", "admin_submissions.html", "Submissions", submissions),
        Section(
            "admin_verdicts", "admin_verdicts.html", "Verdicts", verdicts, under="admin_submissions"
        ),
        Section("admin_dead_letters", "admin_letters.html", "Dead letters", letters),
    ]


def entry_sections(parts: AdminParts) -> list[Section]:
    """Return the pages of entries, and of boards: as files, and how they rank."""

    async def listed(request: web.Request) -> Context:
        query = {name: value for name, value in request.query.items() if value}
        asked = read_query(query, models.EntriesQuery)
        name = asked.model_name.strip() if asked.model_name else None
        found = await parts.entries.page(
            asked.board, name or None, after_entry(asked.cursor), _PAGE + 1, removed=asked.removed
        )
        shown, more = cut(found, _PAGE, entry_cursor)
        return {"entries": shown, "asked": asked, "more_cursor": more, "boards": BOARDS,
                "metrics": METRICS, "query": _kept(query)}  # fmt: skip

    async def one(request: web.Request) -> Context:
        found = await parts.entries.find(id_reader("entry")(request.match_info["id"]))
        return {"entry": found, "editable": EDITABLE, "given_facts": fact_texts(found.facts)}

    async def boards(request: web.Request) -> Context:
        asked = {name: value for name, value in request.query.items() if value}
        board = asked.pop("board", "")
        difference = None
        if board in BOARDS and request.method == "GET":
            wanted = body(models.SeriesQuery, **asked).wanted()
            difference = await parts.series.difference(board, wanted)
        return {"boards": BOARDS, "rankings": await parts.boards.rankings(), "known": RANKINGS,
                "series": await parts.series.all(), "treatments": TREATMENTS,
                "difference": difference}  # fmt: skip

    return [
        Section("admin_entries", "admin_entries.html", "Entries", listed),
        Section("admin_entry", "admin_entry.html", "Entry", one, under="admin_entries"),
        Section("admin_boards", "admin_boards.html", "Boards", boards),
    ]


def note_section(parts: AdminParts) -> Section:
    """Return the page of objections, notes and errata."""

    async def listed(request: web.Request) -> Context:
        query = {name: value for name, value in request.query.items() if value}
        asked = read_query({**query, "limit": str(_PAGE)}, NotesQuery)
        found = await parts.notes.page(
            asked.kind, asked.state, position_of(asked.cursor), _PAGE + 1
        )
        shown, more = cut(found, _PAGE, lambda note: cursor_of((note.created_at, note.id)))
        return {"notes": shown, "asked": asked, "more_cursor": more, "query": _kept(query),
                "kinds": get_args(NoteKind), "states": get_args(NoteState),
                "boards": BOARDS}  # fmt: skip

    return Section("admin_notes", "admin_notes.html", "Notes", listed)


def rescore_sections(parts: AdminParts) -> list[Section]:
    """Return the pages of re-scoring and ground truth."""

    async def jobs(request: web.Request) -> Context:
        board = request.query.get("judge_on", "")
        cost = None
        if board and request.method == "GET":
            cost = await parts.succession.estimate(board if board in BOARDS else None, None)
        return {"jobs": await parts.rescoring.page(None, _PAGE), "boards": BOARDS,
                "cost": cost, "judge_on": board,
                "versions": await parts.truths.all(), "parsers": _PARSERS}  # fmt: skip

    async def job(request: web.Request) -> Context:
        found = await parts.rescoring.find(id_reader("rescore")(request.match_info["id"]))
        preview = await parts.rescoring.preview(found.id)
        failures = await parts.rescoring.failures(found.id)
        stays, runs = await parts.succession.staying(found), await parts.succession.runs(found)
        unranked = await parts.succession.unranked(found)
        return {"detail": rescore_detail(found, preview, failures, stays, runs, unranked)}

    async def truths(_: web.Request) -> Context:
        return {"versions": await parts.truths.all()}

    return [
        Section("admin_rescores", "admin_rescores.html", "Re-scoring", jobs),
        Section("admin_rescore", "admin_rescore.html", "Re-score job", job, under="admin_rescores"),
        Section("admin_ground_truths", "admin_truths.html", "Ground truth", truths),
    ]


def cost_section(parts: AdminParts) -> Section:
    """Return the page of what judging cost."""

    async def listed(request: web.Request) -> Context:
        asked = _costs_query(request, page_size=str(_PAGE))
        query = asked.model_dump(mode="json", include={"by", "since", "until"}, exclude_none=True)
        page = await parts.costs.page(asked)
        return {"asked": asked, "kinds": get_args(CostsBy), "page": page, "query": query,
                "pages": -(-page.total // page.page_size)}  # fmt: skip

    return Section("admin_costs", "admin_costs.html", "Costs", listed)


def _costs_query(request: web.Request, **own: str) -> CostsQuery:
    asked = {name: text for name, text in request.query.items() if text}
    return read_query({**asked, **own}, CostsQuery)


def key_section(parts: AdminParts) -> Section:
    """Return the page of API keys."""

    async def listed(request: web.Request) -> Context:
        found = await parts.keys.page(_READER, position_of(request.query.get("cursor")), _PAGE + 1)
        shown, more = cut(found, _PAGE, lambda key: cursor_of((key.created_at, key.id)))
        asked = request.query.get("key")
        chosen = next((key for key in shown if str(key.id) == asked), None)
        return {"keys": shown, "scopes": SCOPES, "more_cursor": more, "chosen": chosen,
                "cursor": request.query.get("cursor")}  # fmt: skip

    return Section("admin_keys", "admin_keys.html", "Keys", listed)


def audit_section(parts: AdminParts) -> Section:
    """Return the page of the audit log."""

    async def log(request: web.Request) -> Context:
        query = {name: value for name, value in request.query.items() if value}
        asked = body(models.AuditQuery, **{**query, "limit": str(_PAGE)})
        found = await parts.log.page(asked, _PAGE + 1)
        shown, more = cut(found, _PAGE, lambda line: str(line.id))
        return {"lines": shown, "asked": asked, "more_cursor": more, "shown": _facts,
                "known": await parts.log.known()}  # fmt: skip

    return Section("admin_audit", "admin_audit.html", "Audit log", log)


def _kept(query: Mapping[str, str]) -> str:
    """Return the query of another page of the same list, as what stands before its cursor."""
    return "".join(f"{name}={quote(value)}&" for name, value in query.items() if name != "cursor")


def _facts(facts: object) -> str:
    return orjson.dumps(facts).decode() if facts is not None else ""


def _number(request: web.Request) -> int | None:
    cursor = request.query.get("cursor", "")
    return int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) <= 18 else None
