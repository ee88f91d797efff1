"""The scorer's SQL about similarities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson

from medvid.benchmark.similarity import METRICS
from medvid.benchmark.versions import SIMILARITY_VERSION
from services.scorer.ports import SimilarityRow, SimilarityWork
from shared.contracts.messages import SimilarityRequested
from shared.storage.database import Database, Transaction
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "similarities.sql")


@dataclass(frozen=True, slots=True)
class PostgresSimilarities:
    """Similarities in Postgres."""

    database: Database

    async def waiting(self, submission_id: UUID) -> SimilarityWork | None:
        """Return what is still to be measured, or None where nothing is."""
        row = await self.database.pool.fetchrow(
            _SQL["waiting_similarities"], submission_id, list(METRICS), SIMILARITY_VERSION
        )
        if row is None:
            return None
        return SimilarityWork(**{**row, "metrics": tuple(row["metrics"])})

    async def save(self, work: SimilarityWork, row: SimilarityRow) -> None:
        """Store one similarity, which replaces one of another test set or version."""
        await self.database.pool.execute(
            _SQL["save_similarity"],
            work.entry_id,
            row.metric,
            row.value,
            row.pairs,
            row.distinct_pairs,
            orjson.dumps(row.by_source).decode(),
            work.ground_truth_version,
            row.version,
            work.file_sha256,
        )

    async def finish(self, submission_id: UUID) -> None:
        """Note that nothing is left to be measured."""
        await self.database.pool.execute(_SQL["similarities_done"], submission_id)

    async def announce_again(self, seconds: float) -> list[UUID]:
        """Announce what was not announced for so many seconds; returns the submissions."""
        async with self.database.transaction() as transaction:
            rows = await transaction.connection.fetch(_SQL["announce_similarities_again"], seconds)
            for row in rows:
                await transaction.emit(SimilarityRequested(submission_id=row["submission_id"]))
        return [row["submission_id"] for row in rows]


async def request_similarities(transaction: Transaction, submission_id: UUID) -> None:
    """Have a scored submission's similarities measured once this transaction is committed."""
    await transaction.connection.execute(_SQL["similarities_wanted"], submission_id)
    await transaction.emit(SimilarityRequested(submission_id=submission_id))


async def give_up_similarities(transaction: Transaction, submission_id: UUID, code: str) -> None:
    """Note that similarities cannot be measured, and why; the submission keeps its scores."""
    await transaction.connection.execute(_SQL["similarities_failed"], submission_id, code)
