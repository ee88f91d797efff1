"""The scorer's SQL about re-scoring: scores go beside those in force."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson

from medvid.benchmark.versions import METRIC_VERSION
from services.scorer.ports import Scores, Work
from services.scorer.store import CONSUMER
from shared.contracts.messages import Envelope, RescoringCompleted, RescoringRequested
from shared.runtime.errors import Permanent
from shared.storage.database import Database, Transaction
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "rescores.sql")


@dataclass(frozen=True, slots=True)
class PostgresRescoreWork:
    """An open transaction that settles one entry of a job."""

    transaction: Transaction
    job_id: UUID

    async def save(self, work: Work, scores: Scores) -> bool:
        """Store scores beside those in force, unless the job does not wait for them any more."""
        connection = self.transaction.connection
        await connection.execute(_SQL["rescore_job_lock"], self.job_id)
        moved = await connection.execute(
            _SQL["rescore_item_scored"], self.job_id, work.entry_id, scores.metric_version
        )
        if moved != "UPDATE 1":
            return False
        await connection.executemany(
            _SQL["shadow_score_put"],
            [
                (
                    self.job_id,
                    work.entry_id,
                    row.metric,
                    row.compat,
                    row.strict,
                    row.answered,
                    row.expected,
                    orjson.dumps(row.by_source).decode(),
                )
                for row in scores.rows
            ],
        )
        await _finish(self.transaction, self.job_id)
        return True


@dataclass(frozen=True, slots=True)
class PostgresRescores:
    """Re-score jobs in Postgres."""

    database: Database

    async def waiting(self, envelope: Envelope, job_id: UUID, entry_id: UUID) -> Work | None:
        """Return the entry's file if the job still waits for its scores and the message is new.

        Raises Permanent where the file is gone.
        """
        if await self.database.has_seen(CONSUMER, envelope):
            return None
        row = await self.database.pool.fetchrow(_SQL["rescore_waiting"], job_id, entry_id)
        if row is None:
            return None
        if row["payload"] is None:
            raise Permanent("the submission's file is not kept any more.", code="file_gone")
        return Work(**row)

    @asynccontextmanager
    async def settle(self, envelope: Envelope, job_id: UUID) -> AsyncIterator[PostgresRescoreWork]:
        """Open the transaction that handles this message once."""
        async with self.database.once(CONSUMER, envelope) as transaction:
            yield PostgresRescoreWork(transaction, job_id)

    async def announce_again(self, seconds: float) -> list[UUID]:
        """Announce what was not announced for so many seconds, and finish what nobody did.

        Returns the entries that were announced.
        """
        async with self.database.transaction() as transaction:
            connection = transaction.connection
            for job in await connection.fetch(_SQL["rescores_unfinished"]):
                await connection.execute(_SQL["rescore_job_lock"], job["id"])
                await _finish(transaction, job["id"])
            await connection.execute(_SQL["rescores_of_other_code"], METRIC_VERSION)
            rows = await connection.fetch(_SQL["rescores_announce_again"], seconds)
            for row in rows:
                await transaction.emit(RescoringRequested.model_validate(dict(row)))
        return [row["entry_id"] for row in rows]


async def fail_rescore(
    transaction: Transaction, job_id: UUID, entry_id: UUID, code: str, reason: str
) -> None:
    """Note that an entry cannot be scored anew; its scores in force stay."""
    connection = transaction.connection
    await connection.execute(_SQL["rescore_job_lock"], job_id)
    await connection.execute(_SQL["rescore_item_failed"], job_id, entry_id, code, reason)
    await _finish(transaction, job_id)


async def _finish(transaction: Transaction, job_id: UUID) -> None:
    """Announce a job whose last entry was settled; the job is locked."""
    if await transaction.connection.execute(_SQL["rescore_finish"], job_id) == "UPDATE 1":
        await transaction.emit(RescoringCompleted(job_id=job_id))
