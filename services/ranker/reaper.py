"""Finds boards whose snapshots are behind while nobody was told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog

from medvid.benchmark.disclosure import RULE
from shared.contracts.messages import BoardChanged
from shared.storage.database import Database
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reaper:
    """Announces again what stands still. A message too many is free: its board is up to date."""

    database: Database

    async def announce_again(self) -> None:
        """Announce every board that has changed since it was ranked, or was ranked otherwise."""
        async with self.database.transaction() as transaction:
            await transaction.connection.execute(_SQL["boards_ranked_otherwise"], RULE)
            await transaction.connection.execute(_SQL["hypotheses_ranked_otherwise"])
            rows = await transaction.connection.fetch(_SQL["boards_behind"])
            for row in rows:
                await transaction.emit(BoardChanged(board=row["board"]))
        for row in rows:
            _log.warning("board_announced_again", board=row["board"])
