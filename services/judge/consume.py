"""What the judge does with each message, and what becomes of a run when a message about it dies."""

from __future__ import annotations

from typing import Final

from services.judge.batches import JudgeBatch
from services.judge.planning import StartRun
from services.judge.store import fail_queued, request_automatically, request_known
from shared.contracts.messages import Envelope, JudgingBatch, JudgingRequested, ScoringCompleted
from shared.messaging.consumer import Consumer, Route
from shared.storage.database import Database, Transaction

_DEAD_BATCH_SECONDS: Final = 10.0


def build_requests_consumer(
    database: Database, start: StartRun | None, *, automatic_repeats: int | None
) -> Consumer:
    """Return the consumer of `judge.requests`.

    `automatic_repeats`: judge every submission that was scored, each pair this often; None: only a
    new version of a judged model, as far as its verdicts are known.
    Without a judge (`start` is None) a request waits in its run's row until there is one.
    """

    async def on_requested(envelope: Envelope, message: JudgingRequested) -> None:
        if start is not None:
            await start(envelope, message)

    async def on_scored(envelope: Envelope, message: ScoringCompleted) -> None:
        if start is None:
            return
        if automatic_repeats is None:
            await request_known(database, envelope, message.submission_id)
        else:
            version = start.judges.version
            await request_automatically(
                database, envelope, message.submission_id, automatic_repeats, version
            )

    async def give_up(
        transaction: Transaction, message: JudgingRequested, code: str, detail: str
    ) -> None:
        await fail_queued(transaction, message.run_id, code, detail)

    return Consumer(
        database,
        Route(JudgingRequested, on_requested, give_up),
        Route(ScoringCompleted, on_scored),
    )


def build_batches_consumer(database: Database, judge: JudgeBatch) -> Consumer:
    """Return the consumer of `judge.batches`."""

    async def give_up(
        transaction: Transaction, message: JudgingBatch, code: str, detail: str
    ) -> None:
        # The batch comes again with a new message, to a cap; then its pairs are unscored.
        await judge.runs.retry_batch(
            transaction, message.batch_id, f"{code}: {detail}", _DEAD_BATCH_SECONDS
        )

    return Consumer(database, Route(JudgingBatch, judge, give_up))
