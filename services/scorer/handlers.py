"""The scorer's use cases: rule-based scores, the same anew, similarities when there is time."""

from __future__ import annotations

from uuid import UUID

import structlog

from services.scorer.ports import Evaluator, Rescores, Similarities, SimilarityMeter, Submissions
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


async def rescore_entry(
    rescores: Rescores, evaluator: Evaluator, envelope: Envelope, job_id: UUID, entry_id: UUID
) -> None:
    """Score an entry's file anew, beside the scores that are in force."""
    work = await rescores.waiting(envelope, job_id, entry_id)
    if work is None:
        _log.info("rescore_not_waiting", job_id=str(job_id))
        return
    scores = await evaluator.score(work)
    async with rescores.settle(envelope, job_id) as settling:
        saved = await settling.save(work, scores)
    _log.info("entry_rescored", job_id=str(job_id), entry_id=str(entry_id), saved=saved)


async def measure_similarities(
    similarities: Similarities, meter: SimilarityMeter, submission_id: UUID
) -> None:
    """Measure what a submission lacks, one similarity after the other.

    Each is stored as soon as it is there, so that a replica's death costs one at most. A repeated
    message finds nothing left to do.
    """
    work = await similarities.waiting(submission_id)
    if work is not None:
        for metric in work.metrics:
            await similarities.save(work, await meter.measure(work, metric))
        _log.info("similarities_measured", metrics=work.metrics)
    await similarities.finish(submission_id)
