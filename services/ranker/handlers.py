"""The ranker's one use case: bring a board's snapshots up to its newest revision."""

from __future__ import annotations

import asyncio

import structlog

from medvid.benchmark.tasks import SCORINGS, Board, Scoring
from services.ranker.board import Entry, hypothetical_row, ranked_board
from services.ranker.ports import Boards, Picture
from shared.contracts.messages import BoardRanked, Envelope

_log = structlog.get_logger(__name__)


async def rank_board(boards: Boards, envelope: Envelope, board: Board) -> None:
    """Rank a board in every scoring mode and publish it, unless its snapshots are up to date.

    A burst of changes is ranked once: the messages after the first find nothing left to do. Whoever
    changes the board meanwhile is not held up; the message about that change ranks it again.
    """
    async with boards.work(envelope, board) as work:
        revisions = await work.revisions()
        newcomers = await work.hypotheses()
        if revisions.ranked == revisions.current and not newcomers:
            return
        picture = await work.picture()
        for scoring in SCORINGS:
            # In a thread, so that the loop answers the broker while a large board is sorted.
            ranked = await asyncio.to_thread(
                ranked_board, picture.entries, scoring, picture.ranking
            )
            await work.save_snapshot(scoring, picture.revision, ranked)
        hypotheses = [
            (newcomer.entry_id, scoring, *await _row(picture, newcomer, scoring))
            for newcomer in newcomers
            for scoring in SCORINGS
        ]
        # Rows that others change as well come last, in everybody's order: board, submissions.
        await work.mark_ranked(picture)
        for entry_id, scoring, row, count in hypotheses:
            await work.save_hypothesis(entry_id, scoring, picture.revision, count, row)
        await work.emit(BoardRanked(board=board, revision=picture.revision))
    _log.info("board_ranked", board=board, revision=picture.revision, entries=len(picture.entries))


async def _row(picture: Picture, newcomer: Entry, scoring: Scoring) -> tuple[bytes, int]:
    """Return where an entry that is on no board would stand on this one, and among how many."""
    return await asyncio.to_thread(
        hypothetical_row, picture.entries, newcomer, scoring, picture.ranking
    )
