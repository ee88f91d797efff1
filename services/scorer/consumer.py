"""Messages in, handler calls out."""

from __future__ import annotations

from services.scorer.handlers import score_submission
from services.scorer.ports import Evaluator
from services.scorer.store import PostgresSubmissions, fail_submission
from shared.contracts.messages import Envelope, Message, ScoringFailed, SubmissionAccepted
from shared.messaging.consumer import Consumer, Route
from shared.storage.database import Database, Transaction


def build_consumer(database: Database, evaluator: Evaluator) -> Consumer:
    """Return the consumer of `scorer.submissions`."""
    submissions = PostgresSubmissions(database)

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
