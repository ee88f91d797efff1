"""What the scorer does with each message: score, score again, measure similarities."""

from __future__ import annotations

import structlog

from services.scorer import store
from services.scorer.evaluation import Evaluator, Meter
from services.scorer.store import CONSUMER
from shared.contracts.messages import (
    Envelope,
    RescoringRequested,
    ScoringCompleted,
    SimilarityRequested,
    SubmissionAccepted,
)
from shared.messaging.consumer import Consumer, Route
from shared.storage.database import Database

_log = structlog.get_logger(__name__)


def build_consumer(
    database: Database, evaluator: Evaluator, *, wants_similarities: bool = True
) -> Consumer:
    """Return the consumer of `scorer.submissions`: scores, and announces that."""

    async def score(envelope: Envelope, message: SubmissionAccepted) -> None:
        submission_id = message.submission_id
        work = await store.waiting_submission(database, envelope, submission_id)
        if work is None:
            _log.info("submission_not_waiting")
            return
        scores = await evaluator.score(work)
        async with database.once(CONSUMER, envelope) as transaction:
            if not await store.save_scores(transaction, work, scores):
                _log.info("submission_not_waiting")
                return
            if wants_similarities:
                await store.request_similarities(transaction, submission_id)
            await transaction.emit(
                ScoringCompleted(
                    submission_id=submission_id, entry_id=work.entry_id, board=work.board
                )
            )
        _log.info("submission_scored", ground_truth_version=work.ground_truth_version)

    return Consumer(database, Route(SubmissionAccepted, score, store.fail_submission))


def build_rescore_consumer(database: Database, evaluator: Evaluator) -> Consumer:
    """Return the consumer of `scorer.rescores`: new scores go beside those in force."""

    async def rescore(envelope: Envelope, message: RescoringRequested) -> None:
        job_id, entry_id = message.job_id, message.entry_id
        work = await store.waiting_rescore(database, envelope, job_id, entry_id)
        if work is None:
            _log.info("rescore_not_waiting", job_id=str(job_id))
            return
        scores = await evaluator.score(work)
        async with database.once(CONSUMER, envelope) as transaction:
            saved = await store.save_shadow_scores(transaction, job_id, work, scores)
        _log.info("entry_rescored", job_id=str(job_id), entry_id=str(entry_id), saved=saved)

    return Consumer(database, Route(RescoringRequested, rescore, store.fail_rescore))


def build_similarity_consumer(database: Database, meter: Meter) -> Consumer:
    """Return the consumer of `scorer.similarities`: measures what a submission lacks.

    Each similarity is stored as soon as it is measured, so that a replica's death costs one at
    most. A repeated message finds nothing left to do.
    """

    async def measure(_: Envelope, message: SimilarityRequested) -> None:
        work = await store.waiting_similarities(database, message.submission_id)
        if work is not None:
            for metric in work.metrics:
                found = await meter.measure(work, metric)
                await store.save_similarity(database, work, metric, found)
            _log.info("similarities_measured", metrics=work.metrics)
        await store.finish_similarities(database, message.submission_id)

    return Consumer(database, Route(SimilarityRequested, measure, store.fail_similarities))
