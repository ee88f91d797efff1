"""What the ranker does with each message: rank a board, preview what a re-score job changes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from medvid.benchmark.ladder import USUAL_STEPS, Steps
from medvid.benchmark.statistics.ranks import MOST_ENTRIES
from medvid.benchmark.tasks import SCORINGS, Scoring
from medvid.evidence.signatures import Signer
from services.ranker.board import hypothetical_row, ranked_board
from services.ranker.ladder import Evaluation, evaluate
from services.ranker.links import link
from services.ranker.measuring import digests, measure, save_statistics
from services.ranker.rescoring import preview
from services.ranker.store import CONSUMER, BoardState, BoardStore
from shared.contracts.messages import (
    BoardChanged,
    BoardRanked,
    Envelope,
    JudgingCompleted,
    RescoringCompleted,
    ScoringCompleted,
    StatisticsComputed,
)
from shared.messaging.consumer import Consumer, Route
from shared.storage.database import Database

_log = structlog.get_logger(__name__)


def build_consumer(
    database: Database, signer: Signer | None = None, steps: Steps = USUAL_STEPS
) -> Consumer:
    """Return the consumer of `ranker.boards`; `steps` are those of what is only evaluated.

    There is nothing to settle when a message dies: the board keeps its unranked revision, and the
    next message about it, or the reaper, ranks it.
    """

    async def rank(
        envelope: Envelope, message: ScoringCompleted | JudgingCompleted | BoardChanged
    ) -> None:
        async with database.once(CONSUMER, envelope) as transaction:
            await rank_board(BoardStore(transaction, message.board), signer, steps)

    return Consumer(
        database,
        Route(ScoringCompleted, rank),
        Route(JudgingCompleted, rank),
        Route(BoardChanged, rank),
    )


def build_rescore_consumer(database: Database) -> Consumer:
    """Return the consumer of `ranker.rescores`.

    When a message dies the job stays as it is, and the reaper announces it again.
    """

    async def show(envelope: Envelope, message: RescoringCompleted) -> None:
        async with database.once(CONSUMER, envelope) as transaction:
            await preview(transaction, message.job_id)

    return Consumer(database, Route(RescoringCompleted, show))


def build_statistics_consumer(database: Database, signer: Signer | None = None) -> Consumer:
    """Return the consumer of `ranker.statistics`.

    When a message dies the snapshot stays without statistics, and the reaper announces it again.
    """

    async def compute(envelope: Envelope, message: BoardRanked) -> None:
        found = await measure(database, message.board)
        async with database.once(CONSUMER, envelope) as transaction:
            for each in found:
                await save_statistics(transaction, each)
            if found:
                await link(transaction, message.board, signer)
                await transaction.emit(StatisticsComputed(board=message.board))
        _log.info("board_measured", board=message.board, snapshots=len(found))

    return Consumer(database, Route(BoardRanked, compute))


async def rank_board(store: BoardStore, signer: Signer | None, steps: Steps = USUAL_STEPS) -> None:
    """Rank a board in every scoring mode and publish it, unless its snapshots are up to date.

    A burst of changes is ranked once: the messages after the first find nothing left to do. Changes
    to the board do not wait for the ranking; their own messages rank it again.
    """
    revisions = await store.lock()
    newcomers = await store.take_hypotheses()
    if revisions.ranked == revisions.current and not newcomers:
        return
    board = await store.read()
    evidence: Mapping[Scoring, str | None] = {}
    if len(board.entries) <= MOST_ENTRIES:
        evidence = await digests(store.transaction.connection, store.board)
    for scoring in SCORINGS:
        # In a thread, so that the loop answers the broker while a large board is sorted.
        ranked = await asyncio.to_thread(
            ranked_board, board.entries, scoring, board.ranking, board.rule
        )
        await store.save_snapshot(scoring, board.revision, ranked, evidence.get(scoring))
    evaluations = [
        await evaluate(store.transaction.connection, newcomer, steps) for newcomer in newcomers
    ]
    hypotheses = [
        (each.entry.entry_id, scoring, *await _row(board, each, scoring))
        for each in evaluations
        for scoring in SCORINGS
    ]
    await link(store.transaction, store.board, signer)
    # Rows that others change too come last, in the order that all use: board, submissions.
    await store.mark_ranked(board)
    for entry_id, scoring, row, count in hypotheses:
        await store.save_hypothesis(entry_id, scoring, board.revision, count, row)
    await store.transaction.emit(BoardRanked(board=store.board, revision=board.revision))
    _log.info(
        "board_ranked", board=store.board, revision=board.revision, entries=len(board.entries)
    )


async def _row(board: BoardState, found: Evaluation, scoring: Scoring) -> tuple[bytes, int]:
    """Return the row of an entry as if it were on the board, and among how many it would stand."""
    return await asyncio.to_thread(
        hypothetical_row,
        board.entries,
        found.entry,
        scoring,
        board.ranking,
        found.answers[scoring],
        board.rule,
    )
