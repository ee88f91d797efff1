"""Messages in, handler calls out."""

from __future__ import annotations

from services.ranker.handlers import rank_board
from services.ranker.ports import Boards
from shared.contracts.messages import (
    BoardChanged,
    Envelope,
    JudgingCompleted,
    Message,
    ScoringCompleted,
)
from shared.messaging.consumer import Consumer, Route
from shared.storage.database import Database


def build_consumer(database: Database, boards: Boards) -> Consumer:
    """Return the consumer of `ranker.boards`.

    There is nothing to settle when a message dies: the board keeps its unranked revision, and the
    next message about it, or the reaper, ranks it.
    """

    async def on_board(envelope: Envelope, message: Message) -> None:
        # As routed below.
        assert isinstance(message, ScoringCompleted | JudgingCompleted | BoardChanged)  # noqa: S101
        await rank_board(boards, envelope, message.board)

    route = Route(on_board)
    return Consumer(
        database, dict.fromkeys((ScoringCompleted, JudgingCompleted, BoardChanged), route)
    )
