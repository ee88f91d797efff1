"""Judged values of jobs, which stand beside those in force: read again, or of another judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from medvid.judging.results import RunOutcome
from shared.contracts.messages import RescoringCompleted
from shared.storage.database import Connection, Transaction
from shared.storage.queries import load_queries
from shared.storage.replicates import StoredReplicates

_SQL: Final = load_queries(__package__, "job_values.sql")


async def locked_job(connection: Connection, job_id: UUID) -> asyncpg.Record:
    """Return a job's state and judge version; it is locked until the transaction ends."""
    job = await connection.fetchrow(_SQL["job_lock"], job_id)
    assert job is not None  # noqa: S101 - a job is pruned long after its end
    return job


async def save_beside(
    connection: Connection,
    job_id: UUID,
    entry_id: UUID,
    result: RunOutcome,
    replicates: Sequence[StoredReplicates],
) -> None:
    """Store an entry's new values and their replicates."""
    place = (job_id, entry_id)
    await connection.executemany(
        _SQL["shadow_score_put"],
        [
            (*place, metric.metric, metric.value, metric.answered, metric.expected,
             orjson.dumps(metric.by_source).decode())
            for metric in result.metrics
        ],
    )  # fmt: skip
    await connection.executemany(
        _SQL["shadow_replicates_put"], [(*place, *each.columns) for each in replicates]
    )


async def finish_job(transaction: Transaction, job_id: UUID) -> None:
    """Announce a job whose last entry was settled; the job is locked."""
    if await transaction.connection.execute(_SQL["job_finish"], job_id) == "UPDATE 1":
        await transaction.emit(RescoringCompleted(job_id=job_id))
