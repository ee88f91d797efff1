"""Calls of administrators: `client.admin`. Each action needs a reason, `why`, for the audit log.

An action that is sent twice changes nothing the second time, so all of them may be sent again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final, TypedDict, Unpack
from urllib.parse import quote

from medvid.api.calls import Call, get, post, text_of
from medvid.api.jobs import (
    EntryId,
    apply_reread,
    apply_rescore,
    apply_succession,
    difference,
    discard_reread,
    discard_rescore,
    discard_succession,
    do,
    read_succession,
    reread,
    rereads,
    rescore,
    rescores,
    succession,
    succession_estimate,
    successions,
)
from medvid.api.judging import explained_verdicts
from medvid.api.methods import AsyncCalls, SyncCalls, method, stream
from medvid.api.notes import (
    add_erratum,
    add_note,
    notes,
    publish_note,
    refuse_note,
    resolve_note,
    withdraw_note,
)
from medvid.api.transport import Transport
from medvid.models.administration import (
    AuditLineView,
    AuditPage,
    ChangeAnswer,
    CostsPage,
    DeadLetterView,
    EntriesPage,
    EntryAction,
    GroundTruthList,
    ImportAnswer,
    JudgingView,
    LettersAnswer,
    LettersPage,
    LoadedView,
    ManagedEntryView,
    PoolEndpoints,
    RowChangeView,
    SeriesDifference,
)
from medvid.models.base import API

_PAGE_SIZE: Final = 200
_GZIP: Final = b"\x1f\x8b"


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
) -> AsyncGenerator[ManagedEntryView, None]:
    """Yield entries with what is not public, by name; with `removed`, removed ones too."""
    call = get("/admin/entries", board=board, model_name=model_name, limit=_PAGE_SIZE,
               removed="true" if removed else None)  # fmt: skip
    async for page in transport.pages(call, EntriesPage):
        for entry in page.entries:
            yield entry


async def entry(transport: Transport, entry: EntryId) -> ManagedEntryView:
    """Return an entry with what is not public."""
    return await transport.ask(get(f"/admin/entries/{entry}"), ManagedEntryView)


async def add_entry(
    transport: Transport, board: str, row: Mapping[str, Any], *, why: str
) -> RowChangeView:
    """Add an entry with given scores; a row as in an export."""
    return await do(transport, "/entries", RowChangeView, why, board=board, entry=row)


async def promote(
    transport: Transport,
    entry: EntryId,
    *,
    why: str,
    verified_on: date | str | None = None,
    note: str | None = None,
) -> EntryAction:
    """Verify an entry, today or on a day: it moves to the official board."""
    day = None if verified_on is None else str(verified_on)
    path = f"/entries/{entry}/promote"
    return await do(transport, path, EntryAction, why, verified_on=day, note=note)


async def demote(transport: Transport, entry: EntryId, *, why: str) -> EntryAction:
    """Bring an official entry back to the community board."""
    return await do(transport, f"/entries/{entry}/demote", EntryAction, why)


async def remove(transport: Transport, entry: EntryId, *, why: str) -> EntryAction:
    """Take an entry off its board; its name is free, its scores stay."""
    return await do(transport, f"/entries/{entry}/remove", EntryAction, why)


async def erase(transport: Transport, entry: EntryId, *, why: str) -> EntryAction:
    """Erase the names of an entry that left its board; its tombstone stays without them."""
    return await do(transport, f"/entries/{entry}/erase", EntryAction, why)


async def restore(transport: Transport, entry: EntryId, *, why: str) -> EntryAction:
    """Bring a removed entry back, if its name is still free."""
    return await do(transport, f"/entries/{entry}/restore", EntryAction, why)


async def rename(transport: Transport, entry: EntryId, model_name: str, *, why: str) -> EntryAction:
    """Give an entry another name."""
    path = f"/entries/{entry}/rename"
    return await do(transport, path, EntryAction, why, model_name=model_name)


async def edit(
    transport: Transport, entry: EntryId, *, why: str, **fields: Unpack[Metadata]
) -> EntryAction:
    """Change an entry's metadata; fields left out stay."""
    call = post(f"/admin/entries/{entry}/edit", {"why": why, **fields}, repeatable=True)
    return await transport.ask(call, EntryAction)


async def set_facts(
    transport: Transport,
    entry: EntryId,
    facts: Mapping[str, object],
    *,
    why: str,
    release: Sequence[str] = (),
) -> EntryAction:
    """State facts of an entry's model, by name; None makes one unknown, others stay.

    What changes is held; `release` names facts that the model's owner may change again.
    """
    body = {"why": why, "facts": facts} | ({"release": list(release)} if release else {})
    call = post(f"/admin/entries/{entry}/facts", body, repeatable=True)
    return await transport.ask(call, EntryAction)


async def set_ranking(transport: Transport, board: str, ranking: str, *, why: str) -> ChangeAnswer:
    """Choose how a board ranks: `competition` or `dense`; it is ranked again."""
    return await do(transport, f"/boards/{board}/ranking", ChangeAnswer, why, ranking=ranking)


async def series_difference(
    transport: Transport,
    board: str,
    *,
    current: str | None = None,
    other_judges: str | None = None,
    published: str | None = None,
) -> SeriesDifference:
    """Return what another series would do to a board's ranks; without any, its series as it is.

    `current` is a judge version; `other_judges` and `published` are `ranked` or `missing`.
    """
    call = get(
        f"/admin/boards/{board}/series", current=current, other_judges=other_judges,
        published=published,
    )  # fmt: skip
    return await transport.ask(call, SeriesDifference)


async def set_series(
    transport: Transport,
    board: str,
    *,
    why: str,
    revision: int,
    current: str | None = None,
    other_judges: str | None = None,
    published: str | None = None,
) -> ChangeAnswer:
    """Have a board rank by another series; `revision` is that of the difference."""
    return await do(
        transport, f"/boards/{board}/series", ChangeAnswer, why, revision=revision,
        current=current, other_judges=other_judges, published=published,
    )  # fmt: skip


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
) -> ImportAnswer:
    """Import boards, rows by board or CSV text: all rows or none.

    `existing` says what becomes of names that a board has: `keep` or `update`.
    """
    return await do(
        transport, "/boards/import", ImportAnswer, why, boards=boards, csv=csv,
        existing=existing, dry_run=dry_run,
    )  # fmt: skip


async def judging(transport: Transport) -> JudgingView:
    """Return whether judging is paused, and its runs by state."""
    return await transport.ask(get("/admin/judging"), JudgingView)


async def endpoints(transport: Transport) -> PoolEndpoints:
    """Return the endpoints of the judge's pool; none where it has one endpoint."""
    return await transport.ask(get("/admin/judging/endpoints"), PoolEndpoints)


async def drain_endpoint(transport: Transport, name: str, *, why: str) -> ChangeAnswer:
    """Give an endpoint of the pool no call any more."""
    return await do(transport, f"/judging/endpoints/{quote(name, '')}/drain", ChangeAnswer, why)


async def restore_endpoint(transport: Transport, name: str, *, why: str) -> ChangeAnswer:
    """Use an endpoint again that was drained, or taken out for serving another model."""
    return await do(transport, f"/judging/endpoints/{quote(name, '')}/restore", ChangeAnswer, why)


async def costs(
    transport: Transport,
    *,
    by: str = "run",
    since: date | str | None = None,
    until: date | str | None = None,
    page: int = 1,
    page_size: int = 1_000,
) -> CostsPage:
    """Return what judging cost by run, submission, judge, endpoint or day, the latest first.

    `since` and `until` are the first and the last day (UTC).
    """
    call = get("/admin/costs", by=by, since=since, until=until, page=page, page_size=page_size)
    return await transport.ask(call, CostsPage)


async def export_costs(
    transport: Transport,
    *,
    by: str = "run",
    since: date | str | None = None,
    until: date | str | None = None,
) -> str:
    """Return the same as CSV, at most 20,000 lines."""
    call = get("/admin/costs", by=by, since=since, until=until, format="csv", page_size=20_000)
    return await transport.repeating(call, text_of)


async def pause_judging(transport: Transport, *, why: str) -> ChangeAnswer:
    """Pause all judging, also of runs to come."""
    return await do(transport, "/judging/pause", ChangeAnswer, why)


async def resume_judging(transport: Transport, *, why: str) -> ChangeAnswer:
    """Resume judging."""
    return await do(transport, "/judging/resume", ChangeAnswer, why)


async def dead_letters(
    transport: Transport, *, state: str = "open", queue: str | None = None
) -> AsyncGenerator[DeadLetterView, None]:
    """Yield messages that could not be handled, newest first."""
    call = get("/admin/dead-letters", state=state, queue=queue, limit=_PAGE_SIZE)
    async for page in transport.pages(call, LettersPage):
        for letter in page.letters:
            yield letter


async def replay_letters(
    transport: Transport,
    ids: Sequence[int] | None,
    *,
    why: str,
    queue: str | None = None,
    reason: str | None = None,
) -> LettersAnswer:
    """Send dead letters again; None: all open ones of this queue and reason."""
    return await _letters(transport, "replay", ids, why, queue, reason)


async def discard_letters(
    transport: Transport,
    ids: Sequence[int] | None,
    *,
    why: str,
    queue: str | None = None,
    reason: str | None = None,
) -> LettersAnswer:
    """Close dead letters without sending them; None: all open ones of this queue and reason."""
    return await _letters(transport, "discard", ids, why, queue, reason)


async def sealed_evidence(
    transport: Transport, snapshot: int, *, why: str
) -> AsyncGenerator[bytes, None]:
    """Yield the sealed part of a snapshot's evidence, piece by piece; `medvid.evidence` reads it.

    For an auditor who may hold the ground truth. It takes a second for each entry.
    """
    call = replace(
        post(f"/admin/snapshots/{snapshot}/sealed-evidence", {"why": why}),
        headers={"Accept": "application/x-tar"},
    )
    async with transport.stream(call) as parts:
        async for part in parts:
            yield part


async def audit(
    transport: Transport,
    *,
    who: str | None = None,
    action: str | None = None,
    subject_kind: str | None = None,
    subject: str | None = None,
    since: datetime | str | None = None,
) -> AsyncGenerator[AuditLineView, None]:
    """Yield what administrators did, newest first."""
    after = since.isoformat() if isinstance(since, datetime) else since
    call = get("/admin/audit", who=who, action=action, subject_kind=subject_kind,
               subject=subject, since=after, limit=_PAGE_SIZE)  # fmt: skip
    async for page in transport.pages(call, AuditPage):
        for line in page.lines:
            yield line


async def ground_truths(transport: Transport) -> GroundTruthList:
    """Return the versions of the ground truth."""
    return await transport.ask(get("/admin/ground-truths"), GroundTruthList)


async def load_ground_truth(
    transport: Transport, content: bytes, *, why: str, current: bool = False
) -> LoadedView:
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
    return await transport.ask(call, LoadedView)


async def reload_ground_truth(
    transport: Transport, file: str, *, why: str, current: bool = False
) -> LoadedView:
    """Load a version from a file of the server's own folder."""
    path = "/ground-truths/reload"
    return await do(transport, path, LoadedView, why, file=file, current=current)


async def choose_ground_truth(transport: Transport, version: str, *, why: str) -> ChangeAnswer:
    """Choose the version that uploads are checked against."""
    return await do(transport, "/ground-truths/current", ChangeAnswer, why, version=version)


async def _letters(
    transport: Transport, action: str, ids: Sequence[int] | None, why: str,
    queue: str | None, reason: str | None,
) -> LettersAnswer:  # fmt: skip
    which: dict[str, object] = {"all": True} if ids is None else {"ids": list(ids)}
    return await do(
        transport, f"/dead-letters/{action}", LettersAnswer, why, **which, queue=queue,
        reason=reason,
    )  # fmt: skip


class AdminMethods:
    """Every administrator's call, in the form of the client that has it."""

    add_entry = method(add_entry)
    promote = method(promote)
    demote = method(demote)
    remove = method(remove)
    erase = method(erase)
    restore = method(restore)
    rename = method(rename)
    edit = method(edit)
    set_facts = method(set_facts)
    set_ranking = method(set_ranking)
    series_difference = method(series_difference)
    set_series = method(set_series)
    export_boards = method(export_boards)
    import_boards = method(import_boards)
    rescore = method(rescore)
    rescores = stream(rescores)
    succession_estimate = method(succession_estimate)
    succession = method(succession)
    successions = stream(successions)
    read_succession = method(read_succession)
    apply_succession = method(apply_succession)
    discard_succession = method(discard_succession)
    reread = method(reread)
    rereads = stream(rereads)
    apply_reread = method(apply_reread)
    discard_reread = method(discard_reread)
    difference = method(difference)
    apply_rescore = method(apply_rescore)
    discard_rescore = method(discard_rescore)
    judging = method(judging)
    verdicts = stream(explained_verdicts)
    endpoints = method(endpoints)
    drain_endpoint = method(drain_endpoint)
    restore_endpoint = method(restore_endpoint)
    notes = stream(notes)
    add_note = method(add_note)
    add_erratum = method(add_erratum)
    publish_note = method(publish_note)
    refuse_note = method(refuse_note)
    resolve_note = method(resolve_note)
    withdraw_note = method(withdraw_note)
    costs = method(costs)
    export_costs = method(export_costs)
    pause_judging = method(pause_judging)
    resume_judging = method(resume_judging)
    dead_letters = stream(dead_letters)
    replay_letters = method(replay_letters)
    discard_letters = method(discard_letters)
    audit = stream(audit)
    sealed_evidence = stream(sealed_evidence)
    ground_truths = method(ground_truths)
    load_ground_truth = method(load_ground_truth)
    reload_ground_truth = method(reload_ground_truth)
    choose_ground_truth = method(choose_ground_truth)
    entry = method(entry)
    entries = stream(entries)


class Administration(AdminMethods, SyncCalls):
    """What administrators can do, as plain functions."""


class AsyncAdministration(AdminMethods, AsyncCalls):
    """What administrators can do, as coroutines."""
