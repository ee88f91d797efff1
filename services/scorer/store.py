"""The scorer's SQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson

from services.scorer.ports import Scores, Work
from services.scorer.similarity_store import request_similarities
from shared.contracts.messages import Envelope, Message
from shared.runtime.errors import Permanent
from shared.storage.database import Database, Transaction
from shared.storage.queries import load_queries

CONSUMER: Final = "scorer"
_SQL: Final = load_queries(__package__)


@dataclass(frozen=True, slots=True)
class PostgresScoringWork:
    """An open transaction that settles a submission."""

    transaction: Transaction
    wants_similarities: bool

    async def save(self, work: Work, scores: Scores) -> bool:
        """Store scores and list the entry, unless the submission was settled meanwhile."""
        connection = self.transaction.connection
        moved = await connection.execute(_SQL["submission_scored"], work.submission_id)
        if moved != "UPDATE 1":
            return False
        await connection.executemany(
            _SQL["add_score"],
            [
                (
                    work.entry_id,
                    row.metric,
                    row.compat,
                    row.strict,
                    row.answered,
                    row.expected,
                    orjson.dumps(row.by_source).decode(),
                    work.ground_truth_version,
                    scores.metric_version,
                    work.file_sha256,
                )
                for row in scores.rows
            ],
        )
        await connection.execute(_SQL["list_entry"], work.entry_id)
        await connection.execute(_SQL["board_changed"], work.board)
        if self.wants_similarities:
            await request_similarities(self.transaction, work.submission_id)
        return True

    async def emit(self, message: Message) -> object:
        """Put a message into the outbox."""
        return await self.transaction.emit(message)


@dataclass(frozen=True, slots=True)
class PostgresSubmissions:
    """Submissions in Postgres."""

    database: Database
    wants_similarities: bool = True

    async def waiting(self, envelope: Envelope, submission_id: UUID) -> Work | None:
        """Return the submission if it still waits for scores and this message is new.

        Raises Permanent where its upload is not kept any more: it was finished before, and revived.
        """
        if await self.database.has_seen(CONSUMER, envelope):
            return None
        row = await self.database.pool.fetchrow(_SQL["waiting_submission"], submission_id)
        if row is not None and row["payload"] is None:
            raise Permanent("the upload is not kept any more.", code="upload_gone")
        return Work(**row) if row else None

    @asynccontextmanager
    async def settle(self, envelope: Envelope) -> AsyncIterator[PostgresScoringWork]:
        """Open the transaction that handles this message once."""
        async with self.database.once(CONSUMER, envelope) as transaction:
            yield PostgresScoringWork(transaction, self.wants_similarities)


async def fail_submission(
    transaction: Transaction, submission_id: UUID, code: str, reason: str
) -> bool:
    """Mark a waiting submission as failed and free its name; False if it did not wait."""
    connection = transaction.connection
    moved = await connection.execute(_SQL["submission_failed"], submission_id, code, reason)
    if moved != "UPDATE 1":
        return False
    await connection.execute(_SQL["remove_entry"], submission_id)
    return True
