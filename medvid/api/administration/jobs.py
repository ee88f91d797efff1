"""Calls about jobs that compute values anew, beside those in force: scored again, or read again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

from medvid.api.administration.actions import PAGE_SIZE, do
from medvid.api.calls import EntryId, get
from medvid.api.methods import method, stream
from medvid.api.transport import Transport
from medvid.models.administration import ChangeAnswer
from medvid.models.jobs import JobsPage, RescoreDetail, RescoreJobView, SuccessionEstimate

JobId = UUID | str


async def rescore(
    transport: Transport,
    *,
    why: str,
    ground_truth: str | None = None,
    board: str | None = None,
    entries: Sequence[EntryId] | None = None,
) -> RescoreJobView:
    """Score entries again beside the scores in force: all, one board's, or some."""
    return await do(
        transport, "/rescores", RescoreJobView, why, ground_truth=ground_truth, board=board,
        entries=[str(each) for each in entries] if entries else None,
    )  # fmt: skip


async def rescores(transport: Transport) -> AsyncGenerator[RescoreJobView, None]:
    """Yield re-score jobs, newest first."""
    async for job in _jobs(transport, "rescores"):
        yield job


async def reread(
    transport: Transport,
    *,
    why: str,
    parser: str,
    judge_version: str | None = None,
    board: str | None = None,
    entries: Sequence[EntryId] | None = None,
) -> RescoreJobView:
    """Read a judge's kept replies with another parser, beside the values in force, at no cost.

    `judge_version`: whose, by the beginning of its version; by default the judge in force.
    """
    return await do(
        transport, "/rereads", RescoreJobView, why, parser=parser, judge_version=judge_version,
        board=board, entries=[str(each) for each in entries] if entries else None,
    )  # fmt: skip


async def rereads(transport: Transport) -> AsyncGenerator[RescoreJobView, None]:
    """Yield jobs that read replies again, newest first."""
    async for job in _jobs(transport, "rereads"):
        yield job


async def apply_reread(
    transport: Transport, job: JobId, *, why: str, preview: int, without_failed: bool = False
) -> ChangeAnswer:
    """Put in force what was read again; `preview` as for a re-score."""
    path = f"/rereads/{job}/apply"
    return await do(
        transport, path, ChangeAnswer, why, preview=preview, without_failed=without_failed
    )


async def discard_reread(transport: Transport, job: JobId, *, why: str) -> ChangeAnswer:
    """Drop such a job; the values in force stay."""
    return await do(transport, f"/rereads/{job}/discard", ChangeAnswer, why)


async def succession_estimate(
    transport: Transport, *, board: str | None = None, entries: Sequence[EntryId] | None = None
) -> SuccessionEstimate:
    """Return what judging entries by the judge that runs now costs."""
    ids = ",".join(str(each) for each in entries) if entries else None
    call = get("/admin/successions/estimate", board=board, entries=ids)
    return await transport.ask(call, SuccessionEstimate)


async def succession(
    transport: Transport,
    *,
    why: str,
    calls: int,
    board: str | None = None,
    entries: Sequence[EntryId] | None = None,
) -> RescoreJobView:
    """Have entries judged by the judge that runs now, beside the values in force.

    `calls` is that of the estimate that was looked at: more is refused.
    """
    return await do(
        transport, "/successions", RescoreJobView, why, calls=calls, board=board,
        entries=[str(each) for each in entries] if entries else None,
    )  # fmt: skip


async def successions(transport: Transport) -> AsyncGenerator[RescoreJobView, None]:
    """Yield jobs of succession, newest first."""
    async for job in _jobs(transport, "successions"):
        yield job


async def read_succession(transport: Transport, job: JobId) -> RescoreDetail:
    """Return a job of succession with the bridge between both judges and what would change."""
    return await transport.ask(get(f"/admin/successions/{job}"), RescoreDetail)


async def apply_succession(
    transport: Transport,
    job: JobId,
    *,
    why: str,
    preview: int,
    without_failed: bool = False,
    leave_unranked: bool = False,
) -> ChangeAnswer:
    """Put the values of the new judge in force; `preview` as for a re-score."""
    return await do(
        transport, f"/successions/{job}/apply", ChangeAnswer, why, preview=preview,
        without_failed=without_failed, leave_unranked=leave_unranked,
    )  # fmt: skip


async def discard_succession(transport: Transport, job: JobId, *, why: str) -> ChangeAnswer:
    """Drop such a job; the values in force stay, and its verdicts are kept."""
    return await do(transport, f"/successions/{job}/discard", ChangeAnswer, why)


async def difference(transport: Transport, job: JobId) -> RescoreDetail:
    """Return a re-score job with what it would change."""
    return await transport.ask(get(f"/admin/rescores/{job}"), RescoreDetail)


async def apply_rescore(
    transport: Transport,
    job: JobId,
    *,
    why: str,
    preview: int,
    without_failed: bool = False,
    make_current: bool = False,
    judge_again: bool = False,
) -> ChangeAnswer:
    """Put a job's scores in force; `preview` is the number of the difference that was looked at."""
    return await do(
        transport, f"/rescores/{job}/apply", ChangeAnswer, why, preview=preview,
        without_failed=without_failed, make_current=make_current, judge_again=judge_again,
    )  # fmt: skip


async def discard_rescore(transport: Transport, job: JobId, *, why: str) -> ChangeAnswer:
    """Drop a re-score job; the scores in force stay."""
    return await do(transport, f"/rescores/{job}/discard", ChangeAnswer, why)


async def _jobs(transport: Transport, kind: str) -> AsyncGenerator[RescoreJobView, None]:
    call = get(f"/admin/{kind}", limit=PAGE_SIZE)
    async for page in transport.pages(call, JobsPage):
        for job in page.jobs:
            yield job


class JobMethods:
    """Calls about jobs, in the form of the client that has them."""

    rescore = method(rescore)
    rescores = stream(rescores)
    reread = method(reread)
    rereads = stream(rereads)
    apply_reread = method(apply_reread)
    discard_reread = method(discard_reread)
    succession_estimate = method(succession_estimate)
    succession = method(succession)
    successions = stream(successions)
    read_succession = method(read_succession)
    apply_succession = method(apply_succession)
    discard_succession = method(discard_succession)
    difference = method(difference)
    apply_rescore = method(apply_rescore)
    discard_rescore = method(discard_rescore)
