"""The ranker's one use case: bring a board's snapshots up to its newest revision."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from services.ranker.domain.board import Entry, hypothetical_row, ranked_board
from services.ranker.ports import Boards, BoardWork
from shared.benchmark.tasks import SCORINGS, Board
from shared.contracts.messages import BoardRanked, Envelope

_log = structlog.get_logger(__name__)


async def rank_board(boards: Boards, envelope: Envelope, board: Board) -> None:
    """Rank a board in every scoring mode and publish it, unless its snapshots are up to date.

    A burst of changes is ranked once: the messages after the first find nothing left to do.
    """
    async with boards.work(envelope, board) as work:
        revisions = await work.revisions()
        hypotheses = await work.hypotheses()
        if revisions.ranked == revisions.current and not hypotheses:
            return
        entries = await work.entries()
        for newcomer in hypotheses:
            await _rank_hypothesis(work, entries, newcomer, revisions.current)
        for scoring in SCORINGS:
            # In a thread, so that the loop answers the broker while a large board is sorted.
            ranked = await asyncio.to_thread(ranked_board, entries, scoring)
            await work.save_snapshot(scoring, revisions.current, ranked)
        await work.mark_ranked(revisions.current)
        await work.emit(BoardRanked(board=board, revision=revisions.current))
    _log.info("board_ranked", board=board, revision=revisions.current, entries=len(entries))


async def _rank_hypothesis(
    work: BoardWork, entries: Sequence[Entry], newcomer: Entry, revision: int
) -> None:
    """Store where an entry that is on no board would stand on this one."""
    for scoring in SCORINGS:
        row = await asyncio.to_thread(hypothetical_row, entries, newcomer, scoring)
        await work.save_hypothesis(newcomer.entry_id, scoring, revision, len(entries) + 1, row)
