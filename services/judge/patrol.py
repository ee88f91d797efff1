"""The judge's SQL about runs that stand still, for the reaper; and what runs may still spend."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from services.judge.store import PostgresRuns
from shared.contracts.messages import JudgingBatch, JudgingProgressed, JudgingRequested
from shared.storage.database import Database
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PostgresPatrol:
    """Finds what stands still and announces it again, always with new message ids."""

    database: Database
    runs: PostgresRuns

    async def send_due_batches(self) -> None:
        """Send batches of running runs whose time has come, as far as windows allow."""
        for row in await self.database.pool.fetch(_SQL["runs_with_due_batches"]):
            await self.runs.send_due(row["id"])

    async def close_finished(self) -> None:
        """Close runs whose last batch was done by somebody who then died."""
        for row in await self.database.pool.fetch(_SQL["runs_finished"]):
            await self.runs.close(row["id"])

    async def announce_again(self, *, runs: float, batches: float) -> None:
        """Announce queued runs and sent batches of which nothing was heard for so many seconds."""
        async with self.database.transaction() as transaction:
            for row in await transaction.connection.fetch(_SQL["runs_queued_long"], runs):
                await transaction.emit(
                    JudgingRequested(submission_id=row["submission_id"], run_id=row["id"])
                )
                _log.warning("judge_run_announced_again", run_id=str(row["id"]))
            for row in await transaction.connection.fetch(_SQL["batches_sent_long"], batches):
                await transaction.emit(
                    JudgingBatch(
                        submission_id=row["submission_id"],
                        run_id=row["run_id"],
                        batch_id=row["id"],
                    )
                )
                _log.warning("judge_batch_announced_again", batch_id=row["id"])

    async def of_another_judge(self, version: str, seconds: float) -> Sequence[UUID]:
        """Return running runs of another judge version of which nothing was heard for so long."""
        rows = await self.database.pool.fetch(_SQL["runs_of_another_judge"], version, seconds)
        return [row["id"] for row in rows]

    async def paused_for(self, reasons: Sequence[str]) -> Sequence[UUID]:
        """Return the runs that are paused for one of these reasons."""
        rows = await self.database.pool.fetch(_SQL["runs_paused_for"], reasons)
        return [row["id"] for row in rows]

    async def paused_by_last_month(self) -> Sequence[UUID]:
        """Return the runs that an earlier month's budget paused."""
        rows = await self.database.pool.fetch(_SQL["runs_paused_by_last_month"])
        return [row["id"] for row in rows]

    async def with_bad_replies(self, seconds: float) -> Sequence[UUID]:
        """Return the runs to try again: after so many seconds, then after twice as long, ..."""
        rows = await self.database.pool.fetch(_SQL["runs_with_bad_replies"], seconds)
        return [row["id"] for row in rows]

    async def may_probe(self, version: str, seconds: float) -> bool:
        """Tell whether to ask the provider now, for all replicas; within so many seconds."""
        return bool(await self.database.pool.fetchval(_SQL["provider_probe"], version, seconds))

    async def provider_is_up(self, version: str) -> None:
        """Tell all replicas that the provider works again."""
        await self.database.pool.execute(_SQL["provider_is_up"], version)

    async def provider_is_down(self, version: str, reason: str, seconds: float) -> None:
        """Tell all replicas not to call the provider for so long."""
        await self.database.pool.execute(_SQL["provider_is_down"], version, reason, seconds)

    async def pause(self, run_id: UUID, reason: str, detail: str) -> None:
        """Pause a run."""
        await self.database.pool.execute(_SQL["run_pause"], run_id, reason, detail)

    async def resume(self, run_id: UUID) -> None:
        """Queue a paused run again."""
        async with self.database.transaction() as transaction:
            submission_id = await transaction.connection.fetchval(_SQL["run_requeue"], run_id)
            if submission_id is None:
                return
            await transaction.emit(JudgingRequested(submission_id=submission_id, run_id=run_id))
            await transaction.emit(JudgingProgressed(submission_id=submission_id, run_id=run_id))
        _log.info("judge_run_resumed", run_id=str(run_id))


@dataclass(frozen=True, slots=True)
class RemainingBudget:
    """What is left of the caps, in millionths of a US dollar; None stands for no cap."""

    database: Database
    month_left: Callable[[], Awaitable[int | None]]
    run_cap: int | None

    async def left_microusd(self, run_id: UUID) -> int | None:
        """Return what this run may still spend."""
        month = await self.month_left()
        if self.run_cap is None:
            return month
        spent = await self.database.pool.fetchval(_SQL["run_spent"], run_id)
        run = max(0, self.run_cap - int(spent))
        return run if month is None else min(run, month)
