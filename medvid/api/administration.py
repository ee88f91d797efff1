"""Calls of administrators: `client.admin`. Each action needs a reason, `why`, for the audit log.

An action that is sent twice changes nothing the second time, so all of them may be sent again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, TypedDict, Unpack
from uuid import UUID

from medvid.api import administration_answers as answers
from medvid.api.calls import API, Call, get, post, text_of
from medvid.api.methods import AsyncCaller, Caller, method, stream
from medvid.api.transport import AnswerType, Transport

_PAGE_SIZE: Final = 200
_GZIP: Final = b"\x1f\x8b"
EntryId = UUID | str
JobId = UUID | str


class Metadata(TypedDict, total=False):
    """What can be changed about an entry besides its name; None empties a field."""

    organization: str | None
    team: str | None
    authors: str | None
    model_url: str | None
    track: str | None
    contact: str | None


async def entries(
    transport: Transport,
    *,
    board: str | None = None,
    model_name: str | None = None,
    removed: bool = False,
) -> AsyncGenerator[answers.ManagedEntry, None]:
    """Yield entries with what is not public, by name; with `removed`, removed ones too."""
    call = get("/admin/entries", board=board, model_name=model_name, limit=_PAGE_SIZE,
               removed="true" if removed else None)  # fmt: skip
    async for page in transport.pages(call, answers.ManagedEntryPage):
        for entry in page.entries:
            yield entry


async def entry(transport: Transport, entry: EntryId) -> answers.ManagedEntry:
    """Return an entry with what is not public."""
    return await transport.ask(get(f"/admin/entries/{entry}"), answers.ManagedEntry)


async def add_entry(
    transport: Transport, board: str, row: Mapping[str, Any], *, why: str
) -> answers.RowChange:
    """Add an entry with given scores; a row as in an export."""
    return await _do(transport, "/entries", answers.RowChange, why, board=board, entry=row)


async def promote(
    transport: Transport,
    entry: EntryId,
    *,
    why: str,
    verified_on: date | str | None = None,
    note: str | None = None,
) -> answers.EntryChange:
    """Verify an entry, today or on a day: it moves to the official board."""
    day = None if verified_on is None else str(verified_on)
    path = f"/entries/{entry}/promote"
    return await _do(transport, path, answers.EntryChange, why, verified_on=day, note=note)


async def demote(transport: Transport, entry: EntryId, *, why: str) -> answers.EntryChange:
    """Bring an official entry back to the community board."""
    return await _do(transport, f"/entries/{entry}/demote", answers.EntryChange, why)


async def remove(transport: Transport, entry: EntryId, *, why: str) -> answers.EntryChange:
    """Take an entry off its board; its name is free, its scores stay."""
    return await _do(transport, f"/entries/{entry}/remove", answers.EntryChange, why)


async def restore(transport: Transport, entry: EntryId, *, why: str) -> answers.EntryChange:
    """Bring a removed entry back, if its name is still free."""
    return await _do(transport, f"/entries/{entry}/restore", answers.EntryChange, why)


async def rename(
    transport: Transport, entry: EntryId, model_name: str, *, why: str
) -> answers.EntryChange:
    """Give an entry another name."""
    path = f"/entries/{entry}/rename"
    return await _do(transport, path, answers.EntryChange, why, model_name=model_name)


async def edit(
    transport: Transport, entry: EntryId, *, why: str, **fields: Unpack[Metadata]
) -> answers.EntryChange:
    """Change an entry's metadata; fields left out stay."""
    call = post(f"/admin/entries/{entry}/edit", {"why": why, **fields}, repeatable=True)
    return await transport.ask(call, answers.EntryChange)


async def set_ranking(
    transport: Transport, board: str, ranking: str, *, why: str
) -> answers.Change:
    """Choose how a board ranks: `competition` or `dense`; it is ranked again."""
    return await _do(transport, f"/boards/{board}/ranking", answers.Change, why, ranking=ranking)


async def export_boards(
    transport: Transport, *, board: str | None = None, form: str = "json"
) -> str:
    """Return one board or all as `json` or `csv` text; importing it again changes nothing."""
    call = get("/admin/boards/export", board=board, format=form)
    return await transport.repeating(call, text_of)


async def import_boards(
    transport: Transport,
    *,
    why: str,
    boards: Mapping[str, Any] | None = None,
    csv: str | None = None,
    existing: str = "keep",
    dry_run: bool = False,
) -> answers.BoardImport:
    """Import boards, rows by board or CSV text: all rows or none.

    `existing` says what becomes of names that a board has: `keep` or `update`.
    """
    return await _do(
        transport, "/boards/import", answers.BoardImport, why, boards=boards, csv=csv,
        existing=existing, dry_run=dry_run,
    )  # fmt: skip


async def rescore(
    transport: Transport,
    *,
    why: str,
    ground_truth: str | None = None,
    board: str | None = None,
    entries: Sequence[EntryId] | None = None,
) -> answers.RescoreJob:
    """Score entries again beside the scores in force: all, one board's, or some."""
    return await _do(
        transport, "/rescores", answers.RescoreJob, why, ground_truth=ground_truth, board=board,
        entries=[str(each) for each in entries] if entries else None,
    )  # fmt: skip


async def rescores(transport: Transport) -> AsyncGenerator[answers.RescoreJob, None]:
    """Yield re-score jobs, newest first."""
    call = get("/admin/rescores", limit=_PAGE_SIZE)
    async for page in transport.pages(call, answers.RescoreJobPage):
        for job in page.jobs:
            yield job


async def difference(transport: Transport, job: JobId) -> answers.Rescore:
    """Return a re-score job with what it would change."""
    return await transport.ask(get(f"/admin/rescores/{job}"), answers.Rescore)


async def apply_rescore(
    transport: Transport,
    job: JobId,
    *,
    why: str,
    preview: int,
    without_failed: bool = False,
    make_current: bool = False,
    judge_again: bool = False,
) -> answers.Change:
    """Put a job's scores in force; `preview` is the number of the difference that was looked at."""
    return await _do(
        transport, f"/rescores/{job}/apply", answers.Change, why, preview=preview,
        without_failed=without_failed, make_current=make_current, judge_again=judge_again,
    )  # fmt: skip


async def discard_rescore(transport: Transport, job: JobId, *, why: str) -> answers.Change:
    """Drop a re-score job; the scores in force stay."""
    return await _do(transport, f"/rescores/{job}/discard", answers.Change, why)


async def judging(transport: Transport) -> answers.JudgingState:
    """Return whether judging is paused, and its runs by state."""
    return await transport.ask(get("/admin/judging"), answers.JudgingState)


async def pause_judging(transport: Transport, *, why: str) -> answers.Change:
    """Pause all judging, also of runs to come."""
    return await _do(transport, "/judging/pause", answers.Change, why)


async def resume_judging(transport: Transport, *, why: str) -> answers.Change:
    """Resume judging."""
    return await _do(transport, "/judging/resume", answers.Change, why)


async def dead_letters(
    transport: Transport, *, state: str = "open", queue: str | None = None
) -> AsyncGenerator[answers.DeadLetter, None]:
    """Yield messages that could not be handled, newest first."""
    call = get("/admin/dead-letters", state=state, queue=queue, limit=_PAGE_SIZE)
    async for page in transport.pages(call, answers.DeadLetterPage):
        for letter in page.letters:
            yield letter


async def replay_letters(
    transport: Transport,
    ids: Sequence[int] | None,
    *,
    why: str,
    queue: str | None = None,
    reason: str | None = None,
) -> answers.LetterOutcomes:
    """Send dead letters again; None: all open ones of this queue and reason."""
    return await _letters(transport, "replay", ids, why, queue, reason)


async def discard_letters(
    transport: Transport,
    ids: Sequence[int] | None,
    *,
    why: str,
    queue: str | None = None,
    reason: str | None = None,
) -> answers.LetterOutcomes:
    """Close dead letters without sending them; None: all open ones of this queue and reason."""
    return await _letters(transport, "discard", ids, why, queue, reason)


async def audit(
    transport: Transport,
    *,
    who: str | None = None,
    action: str | None = None,
    subject_kind: str | None = None,
    subject: str | None = None,
    since: datetime | str | None = None,
) -> AsyncGenerator[answers.AuditLine, None]:
    """Yield what administrators did, newest first."""
    after = since.isoformat() if isinstance(since, datetime) else since
    call = get("/admin/audit", who=who, action=action, subject_kind=subject_kind,
               subject=subject, since=after, limit=_PAGE_SIZE)  # fmt: skip
    async for page in transport.pages(call, answers.AuditPage):
        for line in page.lines:
            yield line


async def ground_truths(transport: Transport) -> answers.GroundTruthVersions:
    """Return the versions of the ground truth."""
    return await transport.ask(get("/admin/ground-truths"), answers.GroundTruthVersions)


async def load_ground_truth(
    transport: Transport, content: bytes, *, why: str, current: bool = False
) -> answers.LoadedGroundTruth:
    """Load a version from a file's content: JSON, plain or gzip."""
    kind = "application/gzip" if content.startswith(_GZIP) else "application/json"
    call = Call(
        "POST",
        f"{API}/admin/ground-truths",
        query={"why": why, "current": str(current).lower()},
        headers={"Content-Type": kind},
        content=content,
        repeatable=True,
    )
    return await transport.ask(call, answers.LoadedGroundTruth)


async def reload_ground_truth(
    transport: Transport, file: str, *, why: str, current: bool = False
) -> answers.LoadedGroundTruth:
    """Load a version from a file of the server's own folder."""
    path = "/ground-truths/reload"
    return await _do(transport, path, answers.LoadedGroundTruth, why, file=file, current=current)


async def choose_ground_truth(transport: Transport, version: str, *, why: str) -> answers.Change:
    """Choose the version that uploads are checked against."""
    return await _do(transport, "/ground-truths/current", answers.Change, why, version=version)


async def _letters(
    transport: Transport, action: str, ids: Sequence[int] | None, why: str,
    queue: str | None, reason: str | None,
) -> answers.LetterOutcomes:  # fmt: skip
    which: dict[str, object] = {"all": True} if ids is None else {"ids": list(ids)}
    return await _do(
        transport, f"/dead-letters/{action}", answers.LetterOutcomes, why, **which, queue=queue,
        reason=reason,
    )  # fmt: skip


async def _do(
    transport: Transport, path: str, answer: type[AnswerType], why: str, **given: object
) -> AnswerType:
    """Do an action; fields that are None are left out."""
    body = {name: value for name, value in given.items() if value is not None}
    call = post(f"/admin{path}", {"why": why, **body}, repeatable=True)
    return await transport.ask(call, answer)


class AdminMethods:
    """Every administrator's call, in the form of the client that has it."""

    add_entry = method(add_entry)
    promote = method(promote)
    demote = method(demote)
    remove = method(remove)
    restore = method(restore)
    rename = method(rename)
    edit = method(edit)
    set_ranking = method(set_ranking)
    export_boards = method(export_boards)
    import_boards = method(import_boards)
    rescore = method(rescore)
    rescores = stream(rescores)
    difference = method(difference)
    apply_rescore = method(apply_rescore)
    discard_rescore = method(discard_rescore)
    judging = method(judging)
    pause_judging = method(pause_judging)
    resume_judging = method(resume_judging)
    dead_letters = stream(dead_letters)
    replay_letters = method(replay_letters)
    discard_letters = method(discard_letters)
    audit = stream(audit)
    ground_truths = method(ground_truths)
    load_ground_truth = method(load_ground_truth)
    reload_ground_truth = method(reload_ground_truth)
    choose_ground_truth = method(choose_ground_truth)
    entry = method(entry)
    entries = stream(entries)


class Administration(AdminMethods, Caller):
    """What administrators can do, as plain functions."""


class AsyncAdministration(AdminMethods, AsyncCaller):
    """What administrators can do, as coroutines."""
