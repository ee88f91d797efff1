"""The ranker's one use case: bring a board's snapshots up to its newest revision."""

from __future__ import annotations

import asyncio

import structlog

from services.ranker.domain.board import ranked_board
from services.ranker.ports import Boards
from shared.benchmark.tasks import SCORINGS, Board
from shared.contracts.messages import BoardRanked, Envelope

_log = structlog.get_logger(__name__)


async def rank_board(boards: Boards, envelope: Envelope, board: Board) -> None:
    """Rank a board in every scoring mode and publish it, unless its snapshots are up to date.

    A burst of changes is ranked once: the messages after the first find nothing left to do.
    """
    async with boards.work(envelope, board) as work:
        revisions = await work.revisions()
        if revisions.ranked == revisions.current:
            return
        entries = await work.entries()
        for scoring in SCORINGS:
            # In a thread, so that the loop answers the broker while a large board is sorted.
            ranked = await asyncio.to_thread(ranked_board, entries, scoring)
            await work.save_snapshot(scoring, revisions.current, ranked)
        await work.mark_ranked(revisions.current)
        await work.emit(BoardRanked(board=board, revision=revisions.current))
    _log.info("board_ranked", board=board, revision=revisions.current, entries=len(entries))
