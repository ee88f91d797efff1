"""Re-scoring: asked for, looked at, put in force in one transaction, or discarded.

Jobs of other kinds are looked at, put in force and discarded in the same way.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal
from uuid import UUID, uuid4

import asyncpg
import orjson
import structlog

from medvid.benchmark.tasks import BOARDS, Board
from medvid.models.jobs import FailureView, JobKind, RescoreJobView
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.admin.entries import announce
from services.gateway.admin.ground_truths import ground_truth_not_found
from services.gateway.admin.job_swaps import SWAPS
from services.gateway.admin.rescore_models import Wanted, rescore_job
from services.gateway.web.paging import Position
from shared.contracts.messages import JudgingProgressed, RescoringCompleted, RescoringRequested
from shared.runtime.errors import Conflict, NotFound
from shared.storage.database import (
    Database,
    Transaction,
    again_on_deadlock,
    transient_errors,
)
from shared.storage.ground_truths import active_ground_truth_version
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "rescoring.sql")
_SUCCESSION: Final = load_queries(__package__, "succession.sql")
_log = structlog.get_logger(__name__)


class Rescoring:
    """What administrators do about re-score jobs. Each raises Transient."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, before: Position | None, limit: int, kind: JobKind | None = None
    ) -> list[RescoreJobView]:
        """Return the newest jobs, of a kind or all, older than the one at `before`."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["rescore_jobs_page"], None, *(before or (None, None)), limit, kind
            )
        return [rescore_job(dict(row)) for row in rows]

    async def find(self, job_id: UUID) -> RescoreJobView:
        """Return a job; raises NotFound."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(
                _SQL["rescore_jobs_page"], job_id, None, None, 1, None
            )
        if row is None:
            raise rescore_not_found()
        return rescore_job(dict(row))

    async def preview(self, job_id: UUID) -> Mapping[str, Any] | None:
        """Return a job's difference as the ranker computed it; None while there is none."""
        async with transient_errors():
            packed = await self._database.pool.fetchval(_SQL["rescore_preview"], job_id)
        if packed is None:
            return None
        content: Mapping[str, Any] = await asyncio.to_thread(
            lambda: orjson.loads(gzip.decompress(packed))
        )
        return content

    async def failures(self, job_id: UUID) -> list[FailureView]:
        """Return the entries of a job that could not be scored anew."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["rescore_failures"], job_id)
        return [FailureView(**row) for row in rows]

    async def start(
        self,
        action: AdminAction,
        *,
        version: str | None,
        board: Board | None,
        entry_ids: Sequence[UUID] | None,
    ) -> RescoreJobView:
        """Start a job under a ground truth version (None: the current one).

        Of all entries, one board's, or some. Raises NotFound, Conflict.
        """
        truth = version or await active_ground_truth_version(self._database)
        if truth is None:
            raise ground_truth_not_found()
        job_id = uuid4()
        try:
            async with transient_errors(), self._database.transaction() as transaction:
                await transaction.connection.execute(
                    _SQL["rescore_add"], job_id, truth, action.who, action.why
                )
                items = await _add_items(transaction, job_id, board, entry_ids)
                after = {"ground_truth_version": truth, "entries": items, "board": board}
                await record(
                    transaction, action, "rescore", subject(job_id, "rescore"), after=after
                )
        except asyncpg.UniqueViolationError as error:
            raise unfinished() from error
        except asyncpg.ForeignKeyViolationError as error:
            raise ground_truth_not_found() from error
        _log.info("rescore_started", job_id=str(job_id), entries=items, who=action.who)
        return await self.find(job_id)

    async def apply(self, job_id: UUID, action: AdminAction, wanted: Wanted) -> bool:
        """Put a job's scores in force, all at once; False where they were already.

        Raises NotFound, Conflict: it is not ready, entries failed, or the boards have changed since
        the difference that was looked at (then a new one is computed).
        """
        done = await again_on_deadlock(lambda: self._apply(job_id, action, wanted))
        if done == "outdated":
            await self._outdate(job_id)
            raise Conflict(
                "the boards have changed since this difference was computed.",
                fix="Look at the new one, which is being computed, and apply that.",
                code="preview_outdated",
            )
        return done == "applied"

    async def discard(self, job_id: UUID, action: AdminAction) -> bool:
        """Drop a job and its scores; False where it was. Raises NotFound, Conflict."""
        return await again_on_deadlock(lambda: self._discard(job_id, action))

    async def _discard(self, job_id: UUID, action: AdminAction) -> bool:
        async with transient_errors(), self._database.transaction() as transaction:
            await transaction.connection.execute(_SUCCESSION["runs_lock"], job_id)
            job = await _lock(transaction, job_id)
            if job["state"] == "discarded":
                return False
            if job["state"] == "applied":
                raise Conflict(
                    "the job's scores are in force.",
                    fix="Start another job to replace them.",
                    code="rescore_applied",
                )
            await transaction.connection.execute(_SQL["shadow_drop"], job_id)
            await transaction.connection.execute(_SQL["rescore_state"], job_id, "discarded")
            for run in await transaction.connection.fetch(_SUCCESSION["runs_end"], job_id):
                await transaction.emit(
                    JudgingProgressed(submission_id=run["submission_id"], run_id=run["id"])
                )
            before = {"state": job["state"]}
            kind: JobKind = job["kind"]
            await record(
                transaction, action, f"discard_{kind}", subject(job_id, kind), before=before
            )
        _log.info("rescore_discarded", job_id=str(job_id), who=action.who)
        return True

    async def _apply(
        self, job_id: UUID, action: AdminAction, wanted: Wanted
    ) -> Literal["applied", "was_applied", "outdated"]:
        async with transient_errors(), self._database.transaction() as transaction:
            job = await _lock(transaction, job_id)
            if job["state"] == "applied":
                return "was_applied"
            _check_ready(job, wanted)
            if not await _is_current(transaction, job):
                return "outdated"
            await _put_in_force(transaction, job_id, job, action, wanted)
        _log.info("rescore_applied", job_id=str(job_id), who=action.who)
        return "applied"

    async def _outdate(self, job_id: UUID) -> None:
        async with transient_errors(), self._database.transaction() as transaction:
            job = await _lock(transaction, job_id)
            if job["state"] == "ready":
                await transaction.connection.execute(_SQL["rescore_state"], job_id, "scored")
                await transaction.emit(RescoringCompleted(job_id=job_id))


async def _add_items(
    transaction: Transaction, job_id: UUID, board: Board | None, entry_ids: Sequence[UUID] | None
) -> int:
    rows = await transaction.connection.fetch(
        _SQL["rescore_items_add"], job_id, board, list(entry_ids) if entry_ids else None
    )
    if not rows or (entry_ids and len(rows) < len(set(entry_ids))):
        raise Conflict(
            "there is no entry to score anew, or not all that were named."
            if entry_ids
            else "there is no entry to score anew.",
            fix="Entries need scores of a submission whose file is kept.",
            code="nothing_to_rescore",
        )
    for row in rows:
        await transaction.emit(RescoringRequested(job_id=job_id, **row))
    return len(rows)


def _check_ready(job: asyncpg.Record, wanted: Wanted) -> None:
    if job["state"] != "ready":
        raise Conflict(
            f"the job is {job['state']}.",
            fix="Wait until it is ready, or start another.",
            code="rescore_not_ready",
        )
    if job["preview_number"] != wanted.preview:
        raise Conflict(
            f"the job's newest difference is number {job['preview_number']}.",
            fix="Look at it, and apply that.",
            code="preview_outdated",
        )
    if job["failed"] and not wanted.without_failed:
        raise Conflict(
            f"{job['failed']} entries could not be scored anew.",
            fix="Look at their reasons; 'without_failed' leaves them as they are.",
            code="rescore_failures",
        )


async def _is_current(transaction: Transaction, job: asyncpg.Record) -> bool:
    """Lock the boards, and tell whether they are still those of the job's difference."""
    previewed: Mapping[str, int] = orjson.loads(job["previewed"])
    for board in sorted(BOARDS):
        row = await transaction.connection.fetchrow(_SQL["boards_lock"], board)
        if row is None or row["revision"] != previewed[board]:
            return False
    return True


async def _put_in_force(
    transaction: Transaction, job_id: UUID, job: asyncpg.Record, action: AdminAction, wanted: Wanted
) -> None:
    """Swap what the job is about, and note it; the boards are locked."""
    kind: JobKind = job["kind"]
    facts = await SWAPS[kind](transaction, job_id, job, action, wanted)
    await transaction.connection.execute(_SQL["rescore_state"], job_id, "applied")
    await transaction.connection.execute(_SQL["shadow_drop"], job_id)
    after = {**facts, "left_as_they_are": job["failed"], "preview": wanted.preview}
    await record(transaction, action, f"apply_{kind}", subject(job_id, kind), after=after)
    await announce(transaction, set(BOARDS))


async def _lock(transaction: Transaction, job_id: UUID) -> asyncpg.Record:
    row = await transaction.connection.fetchrow(_SQL["rescore_lock"], job_id)
    if row is None:
        raise rescore_not_found()
    return row


def subject(job_id: UUID, kind: JobKind) -> Subject:
    """Return how the audit log calls a job."""
    return Subject(kind, str(job_id))


def rescore_not_found() -> NotFound:
    """Return the one answer for unknown and malformed ids of jobs."""
    return NotFound(
        "there is no re-score job with this id.",
        fix="GET /api/v1/admin/rescores lists them.",
        code="rescore_not_found",
    )


def unfinished() -> Conflict:
    """Return the refusal of a second job, of whatever kind."""
    return Conflict(
        "another re-score job is not finished.",
        fix="Apply or discard it first: a difference is true of one job at a time.",
        code="rescore_unfinished",
    )
