"""Messages in, handler calls out."""

from __future__ import annotations

from services.scorer.handlers import measure_similarities, rescore_entry, score_submission
from services.scorer.ports import Evaluator, SimilarityMeter
from services.scorer.rescore_store import PostgresRescores, fail_rescore
from services.scorer.similarity_store import PostgresSimilarities, give_up_similarities
from services.scorer.store import PostgresSubmissions, fail_submission
from shared.contracts.messages import (
    Envelope,
    Message,
    RescoringRequested,
    ScoringFailed,
    SimilarityRequested,
    SubmissionAccepted,
)
from shared.messaging.consumer import Consumer, Route
from shared.storage.database import Database, Transaction


def build_consumer(
    database: Database, evaluator: Evaluator, *, wants_similarities: bool = True
) -> Consumer:
    """Return the consumer of `scorer.submissions`."""
    submissions = PostgresSubmissions(database, wants_similarities)

    async def on_accepted(envelope: Envelope, message: Message) -> None:
        assert isinstance(message, SubmissionAccepted)  # noqa: S101 - as routed below
        await score_submission(submissions, evaluator, envelope, message.submission_id)

    async def give_up(transaction: Transaction, message: Message, code: str, detail: str) -> None:
        assert isinstance(message, SubmissionAccepted)  # noqa: S101 - as routed below
        if await fail_submission(transaction, message.submission_id, code, detail):
            await transaction.emit(
                ScoringFailed(submission_id=message.submission_id, reason=detail)
            )

    return Consumer(database, {SubmissionAccepted: Route(on_accepted, give_up)})


def build_rescore_consumer(database: Database, evaluator: Evaluator) -> Consumer:
    """Return the consumer of `scorer.rescores`."""
    rescores = PostgresRescores(database)

    async def on_requested(envelope: Envelope, message: Message) -> None:
        assert isinstance(message, RescoringRequested)  # noqa: S101 - as routed below
        await rescore_entry(rescores, evaluator, envelope, message.job_id, message.entry_id)

    async def give_up(transaction: Transaction, message: Message, code: str, detail: str) -> None:
        assert isinstance(message, RescoringRequested)  # noqa: S101 - as routed below
        await fail_rescore(transaction, message.job_id, message.entry_id, code, detail)

    return Consumer(database, {RescoringRequested: Route(on_requested, give_up)})


def build_similarity_consumer(database: Database, meter: SimilarityMeter) -> Consumer:
    """Return the consumer of `scorer.similarities`."""
    similarities = PostgresSimilarities(database)

    async def on_requested(_: Envelope, message: Message) -> None:
        assert isinstance(message, SimilarityRequested)  # noqa: S101 - as routed below
        await measure_similarities(similarities, meter, message.submission_id)

    async def give_up(transaction: Transaction, message: Message, code: str, _: str) -> None:
        assert isinstance(message, SimilarityRequested)  # noqa: S101 - as routed below
        await give_up_similarities(transaction, message.submission_id, code)

    return Consumer(database, {SimilarityRequested: Route(on_requested, give_up)})
