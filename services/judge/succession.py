"""Judges entries for a job, beside the values in force: by ordinary runs that end elsewhere.

So caps, the cache of verdicts, pauses and recovery are those of every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import orjson
import structlog

from medvid.benchmark.versions import JUDGED_VERSION
from medvid.judging.results import RunOutcome
from services.judge.job_values import finish_job, locked_job, save_beside
from shared.contracts.messages import JudgingRequested
from shared.storage.database import Connection, Database, Transaction
from shared.storage.queries import load_queries
from shared.storage.replicates import StoredReplicates

_SQL: Final = load_queries(__package__, "successions.sql")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Successions:
    """Looks after the jobs that are being judged."""

    database: Database

    async def look(self) -> None:
        """Ask for runs that are missing, and settle entries whose run has failed."""
        async with self.database.transaction() as transaction:
            for run in await transaction.connection.fetch(_SQL["runs_missing"]):
                await transaction.emit(
                    JudgingRequested(submission_id=run["submission_id"], run_id=run["id"])
                )
                _log.info("succession_run_asked_for", run_id=str(run["id"]))
        for job in await self.database.pool.fetch(_SQL["jobs_judging"]):
            async with self.database.transaction() as transaction:
                await settle_failed(transaction, job["id"])


async def settle_failed(transaction: Transaction, job_id: UUID) -> None:
    """Note the entries of a job whose run has failed; their values in force stay."""
    connection = transaction.connection
    if (await locked_job(connection, job_id))["state"] == "judging":
        await connection.execute(_SQL["items_failed"], job_id)
        await finish_job(transaction, job_id)


async def keep_beside(
    transaction: Transaction,
    run_id: UUID,
    run: asyncpg.Record,
    entry: asyncpg.Record,
    result: RunOutcome,
    replicates: Sequence[StoredReplicates],
    *,
    is_confirmed: bool,
) -> None:
    """Put a run's values beside those in force, unless its job was dropped since.

    Of an entry of two jobs, as of none, the verdicts are true of their version in any case.
    """
    connection, job_id = transaction.connection, run["job_id"]
    job = await locked_job(connection, job_id)
    if job["state"] != "judging" or job["judge_version"] != run["judge_version"]:
        return
    place = (job_id, entry["id"])
    agreement = await _agreement(connection, run_id, entry["id"], run["judge_version"])
    status = await connection.execute(
        _SQL["item_judged"], *place, run_id, JUDGED_VERSION, entry["ground_truth_version"],
        orjson.dumps(result.facts).decode(), is_confirmed, orjson.dumps(agreement).decode(),
    )  # fmt: skip
    if status != "UPDATE 1":
        return
    await save_beside(connection, *place, result, replicates)
    await finish_job(transaction, job_id)


async def _agreement(
    connection: Connection, run_id: UUID, entry_id: UUID, version: str
) -> dict[str, list[list[int]]]:
    found: dict[str, list[list[int]]] = {}
    for row in await connection.fetch(_SQL["agreement"], run_id, entry_id, version):
        found.setdefault(row["metric"], []).append([row["old"], row["new"], row["count"]])
    return found
