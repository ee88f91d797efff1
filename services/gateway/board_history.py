"""The boards as they were: snapshots by number or moment, and where entries stood."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Protocol

from services.gateway.ports import Snapshot
from shared.benchmark.tasks import Board, Scoring
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries("services.gateway", "board_history.sql")


class BoardHistory(Protocol):
    """Past boards in durable storage. Every method raises Transient when it cannot answer now."""

    async def snapshot_id_at(self, board: Board, scoring: Scoring, moment: datetime) -> int | None:
        """Return the snapshot that was the newest at a moment; None before the first."""

    async def find_snapshot(self, snapshot_id: int) -> Snapshot | None:
        """Return a snapshot."""


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
