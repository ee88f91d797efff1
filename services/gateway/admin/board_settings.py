"""What administrators set of a board as a whole; each change with its line in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import structlog

from medvid.benchmark.tasks import Board, Ranking
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.admin.entries import announce
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "boards.sql")
_log = structlog.get_logger(__name__)


class BoardSettings:
    """How boards rank. Each method raises Transient."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rankings(self) -> Mapping[Board, Ranking]:
        """Return how each board ranks."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["board_rankings"])
        return {row["board"]: row["ranking"] for row in rows}

    async def set_ranking(self, board: Board, ranking: Ranking, action: AdminAction) -> bool:
        """Have a board ranked otherwise from now on; False where it ranks so already."""
        async with transient_errors(), self._database.transaction() as transaction:
            connection = transaction.connection
            before = await connection.fetchval(_SQL["board_ranking_lock"], board)
            if before == ranking:
                return False
            await connection.execute(_SQL["board_ranking_set"], board, ranking)
            await record(
                transaction, action, "set_ranking", Subject("board", board),
                before={"ranking": before}, after={"ranking": ranking},
            )  # fmt: skip
            await announce(transaction, {board})
        _log.info("board_ranking_set", board=board, ranking=ranking, who=action.who)
        return True
