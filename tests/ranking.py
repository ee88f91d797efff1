"""A ranker on a test's bus, and scores as the scorer stores them, without the scorer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from services.ranker.consume import build_consumer
from shared.contracts.messages import ScoringCompleted
from shared.messaging.bus import Bus
from shared.messaging.relay import Relay
from shared.messaging.topology import RANKER_BOARDS
from shared.storage.database import Database
from shared.storage.queries import load_queries

_SCORER: Final = load_queries("services.scorer")


@asynccontextmanager
async def ranking(database: Database, bus: Bus) -> AsyncIterator[None]:
    """Run a relay and a ranker."""
    relay = asyncio.create_task(Relay(database, bus, poll_seconds=0.05).run())
    consumer = build_consumer(database)
    subscription = await bus.consume(RANKER_BOARDS, consumer.handle, concurrency=2)
    try:
        yield
    finally:
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
        await subscription.stop()


async def score(database: Database, submission_id: str, values: Mapping[str, float]) -> UUID:
    """Store compat and strict scores as the scorer would; returns the entry's id."""
    async with database.transaction() as transaction:
        connection = transaction.connection
        await connection.execute(
            "UPDATE submissions SET state = 'scored' WHERE id = $1", UUID(submission_id)
        )
        row = await connection.fetchrow(
            "SELECT id, board FROM entries WHERE submission_id = $1", UUID(submission_id)
        )
        assert row is not None
        await connection.executemany(
            "INSERT INTO scores (entry_id, metric, compat, strict) VALUES ($1, $2, $3, $3)",
            [(row["id"], metric, value) for metric, value in values.items()],
        )
        await connection.execute(_SCORER["list_entry"], row["id"])
        await connection.execute(
            "UPDATE boards SET revision = revision + 1 WHERE board = $1", row["board"]
        )
        await transaction.emit(
            ScoringCompleted(
                submission_id=UUID(submission_id), entry_id=row["id"], board=row["board"]
            )
        )
    entry_id: UUID = row["id"]
    return entry_id
