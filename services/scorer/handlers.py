"""The scorer's one use case: give a submission its rule-based scores."""

from __future__ import annotations

from uuid import UUID

import structlog

from services.scorer.ports import Evaluator, Submissions
from shared.contracts.messages import Envelope, ScoringCompleted

_log = structlog.get_logger(__name__)


async def score_submission(
    submissions: Submissions, evaluator: Evaluator, envelope: Envelope, submission_id: UUID
) -> None:
    """Score a submission that waits for it, and announce that."""
    work = await submissions.waiting(envelope, submission_id)
    if work is None:
        _log.info("submission_not_waiting")
        return
    scores = await evaluator.score(work)
    async with submissions.settle(envelope) as settling:
        if not await settling.save(work, scores):
            _log.info("submission_not_waiting")
            return
        await settling.emit(
            ScoringCompleted(submission_id=submission_id, entry_id=work.entry_id, board=work.board)
        )
    _log.info("submission_scored", ground_truth_version=work.ground_truth_version)
