"""Succession: a job, like re-scoring, that has entries judged by the judge that runs now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import orjson
import structlog

from medvid.benchmark.tasks import Board
from medvid.judging.estimates import CallFigures, estimate, together
from medvid.judging.off import off
from medvid.judging.pricing import MICROUSD, TokenPrice
from medvid.models.jobs import RescoreJobView, StayingEntry, SuccessionEstimate, UnrankedEntry
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import record
from services.gateway.admin.ground_truths import ground_truth_not_found
from services.gateway.admin.rescoring import Rescoring, subject, unfinished
from shared.contracts.messages import JudgingRequested
from shared.runtime.errors import Conflict, Unavailable
from shared.storage.database import Connection, Database, transient_errors
from shared.storage.judge_service import judge_in_force, tokens_measured
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "succession.sql")
_WHY: Final = {
    "published": "its numbers are published ones; there is no file to judge",
    "file_gone": "its file is not kept any more",
    "stub_not_official": "a stub judge's scores never reach the official board",
    "not_asked_for": "it is not part of the job",
}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a job would judge: `entries` by row of `candidates`, and what that takes."""

    entries: Sequence[asyncpg.Record]
    shown: SuccessionEstimate


@dataclass(frozen=True, slots=True)
class Succession:
    """Estimates and starts jobs of succession; the rest of them is re-scoring's."""

    database: Database
    jobs: Rescoring

    async def estimate(
        self, board: Board | None, entry_ids: Sequence[UUID] | None
    ) -> SuccessionEstimate:
        """Return what judging entries by the judge in force takes; raises Unavailable."""
        async with transient_errors(), self.database.pool.acquire() as connection:
            return (await _plan(connection, board, entry_ids)).shown

    async def start(
        self,
        action: AdminAction,
        *,
        board: Board | None,
        entry_ids: Sequence[UUID] | None,
        calls: int,
    ) -> RescoreJobView:
        """Start a job that takes at most `calls` calls, the number in the estimate that was shown.

        Raises Conflict, Unavailable.
        """
        job_id = uuid4()
        try:
            async with transient_errors(), self.database.transaction() as transaction:
                connection = transaction.connection
                plan = await _plan(connection, board, entry_ids)
                _check(plan, calls)
                given = (job_id, plan.shown.judge_version, action.who, action.why)
                if await connection.execute(_SQL["job_add"], *given) != "INSERT 0 1":
                    raise ground_truth_not_found()
                entries = [row["entry_id"] for row in plan.entries]
                await connection.execute(_SQL["items_add"], job_id, entries)
                for run in await connection.fetch(_SQL["runs_add"], job_id):
                    await transaction.emit(
                        JudgingRequested(submission_id=run["submission_id"], run_id=run["id"])
                    )
                after = plan.shown.model_dump(include={"judge_version", "calls", "usd"})
                after |= {"entries": len(entries), "board": board}
                about = subject(job_id, "succession")
                await record(transaction, action, "succession", about, after=after)
        except asyncpg.UniqueViolationError as error:
            raise unfinished() from error
        _log.info("succession_started", job_id=str(job_id), entries=len(entries), who=action.who)
        return await self.jobs.find(job_id)

    async def runs(self, job: RescoreJobView) -> dict[str, int]:
        """Return the unfinished runs of a job by state, or by the reason of their pause."""
        async with transient_errors():
            rows = await self.database.pool.fetch(_SQL["runs_of_job"], job.id)
        return {row["state"]: row["runs"] for row in rows}

    async def unranked(self, job: RescoreJobView) -> list[UnrankedEntry]:
        """Return the entries that rank today and would not once a job is applied."""
        if job.kind != "succession" or job.state in ("applied", "discarded"):
            return []
        async with transient_errors(), self.database.pool.acquire() as connection:
            items = await connection.fetch(_SQL["entries_of_job"], job.id)
            judged = [item["entry_id"] for item in items if item["state"] != "failed"]
            return await entries_unranked(connection, job.judge_version or "", judged)

    async def staying(self, job: RescoreJobView) -> list[StayingEntry]:
        """Return the entries of a job's boards whose values stay another judge's, and why."""
        if job.kind != "succession" or job.judge_version is None:
            return []
        async with transient_errors(), self.database.pool.acquire() as connection:
            boards = await connection.fetch(_SQL["boards_of_job"], job.id)
            rows = [
                row
                for each in boards
                for row in await connection.fetch(
                    _SQL["candidates"], job.judge_version, each["board"], None
                )
            ]
            items = await connection.fetch(_SQL["entries_of_job"], job.id)
        asked = {item["entry_id"] for item in items}
        return [_staying(row) for row in rows if row["entry_id"] not in asked]


async def _plan(
    connection: Connection, board: Board | None, entry_ids: Sequence[UUID] | None
) -> _Plan:
    judge = await connection.fetchrow(_SQL["judge_in_force"])
    if judge is None:
        why = off((await judge_in_force(connection)).off)
        raise Unavailable(why.says, fix=why.for_others, code="judge_not_configured")
    if judge["figures"] is None:
        raise Unavailable(
            "the judge has not said what a call takes.",
            fix="Operators: start a judge of this version.",
            code="judge_not_configured",
        )
    version, repeats = judge["judge_version"], judge["repeats"]
    rows = await connection.fetch(
        _SQL["candidates"], version, board, list(entry_ids) if entry_ids else None
    )
    entries = [row for row in rows if row["reason"] is None]
    runs = [row["run_id"] for row in entries if row["run_id"] is not None]
    figures = _figures(version, judge["figures"])
    found = together(
        [
            estimate(
                [row["bytes"] // row["pairs"]] * row["pairs"] if row["pairs"] else [],
                repeats,
                row["known"],
                figures[member].after(await tokens_measured(connection, member)),
            )
            for row in await connection.fetch(_SQL["pairs_of_runs"], version, runs, repeats)
            for member in [row["member_version"]]
        ]
    )
    shown = SuccessionEstimate(
        judge_version=version,
        stub=judge["is_stub"],
        entries=len(entries),
        unknown=len(entries) - len(runs),
        pairs=found.distinct_pairs,
        repeats=repeats,
        cached=found.cached,
        calls=found.calls,
        usd=round(found.microusd / MICROUSD, 6),
        seconds=found.seconds,
        stays=[_staying(row) for row in rows if row["reason"] is not None],
        unranked=await entries_unranked(connection, version, [row["entry_id"] for row in entries]),
    )
    return _Plan(entries, shown)


async def entries_unranked(
    connection: Connection, judge_version: str, judged: Sequence[UUID]
) -> list[UnrankedEntry]:
    """Return the entries that rank today, and not once the boards of `judged` go over."""
    rows = await connection.fetch(_SQL["entries_unranked"], judge_version, list(judged))
    return [UnrankedEntry(**row) for row in rows]


def _figures(version: str, stored: str) -> dict[str, CallFigures]:
    """Return what a call takes, by member: of a single judge, of itself."""
    facts = orjson.loads(stored)
    members = facts.get("members", {version: facts})
    return {
        member: CallFigures(**{**each, "price": TokenPrice(**each["price"])})
        for member, each in members.items()
    }


def _check(plan: _Plan, calls: int) -> None:
    if not plan.entries:
        raise Conflict(
            "there is no entry that this judge could judge and has not.",
            fix="The estimate names those that cannot be judged, and why.",
            code="nothing_to_judge",
        )
    if plan.shown.calls > calls:
        raise Conflict(
            f"it would take {plan.shown.calls:,} calls by now, for {plan.shown.usd:.2f} USD.",
            fix="Look at the estimate anew, and start with its calls.",
            code="estimate_outdated",
        )


def _staying(row: asyncpg.Record) -> StayingEntry:
    reason = row["reason"] or "not_asked_for"
    return StayingEntry(
        entry_id=row["entry_id"],
        board=row["board"],
        model_name=row["model_name"],
        code=reason,
        reason=_WHY[reason],
    )
