"""The SQL of the boards' past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from medvid.benchmark.tasks import Board, Scoring
from services.gateway.boards.ports import Arrival, FoundEntry
from services.gateway.submissions.ports import Snapshot
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)


class PostgresHistory:
    """Implements BoardHistory."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def snapshot_id_at(self, board: Board, scoring: Scoring, moment: datetime) -> int | None:
        """Return the snapshot that was the newest at a moment; None before the first."""
        async with transient_errors():
            found: int | None = await self._database.pool.fetchval(
                _SQL["snapshot_at"], board, scoring, moment
            )
        return found

    async def find_snapshot(self, snapshot_id: int) -> Snapshot | None:
        """Return a snapshot."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL["snapshot_find"], snapshot_id)
        return None if row is None else Snapshot(**row)

    async def entry(self, board: Board, entry_id: UUID, *, spans: int) -> FoundEntry | None:
        """Return an entry that is on a board now, with up to `spans` of its newest ranks."""
        async with (
            transient_errors(),
            self._database.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            entry = await connection.fetchrow(_SQL["entry_find"], entry_id, board)
            if entry is None:
                return None
            scores = await connection.fetch(_SQL["entry_scores"], entry_id)
            similarities = await connection.fetch(_SQL["entry_similarities"], entry_id)
            judge = await connection.fetchrow(_SQL["entry_judge"], entry_id)
            ranks = await connection.fetch(_SQL["entry_ranks"], entry_id, board, spans)
        return FoundEntry(
            entry=dict(entry),
            scores=[dict(score) for score in scores],
            similarities=[dict(similarity) for similarity in similarities],
            judge=dict(judge) if judge is not None else None,
            ranks=[dict(rank) for rank in ranks],
        )

    async def arrivals(self, boards: Sequence[Board], limit: int) -> Sequence[Arrival]:
        """Return the entries that came onto these boards last, the newest first."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["entries_newest"], list(boards), limit)
        return [Arrival(**row) for row in rows]
