"""What a consumer makes of each way a handler can end, on a real database."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest

from shared.contracts.messages import BoardChanged, Envelope, Message, SubmissionAccepted
from shared.messaging.bus import Delivery, Done, Retry
from shared.messaging.consumer import Consumer, Route
from shared.messaging.topology import Queue
from shared.runtime.errors import Permanent, Transient
from shared.storage.database import Database, Transaction

QUEUE = Queue("test.work", (SubmissionAccepted.type,), retry_delays=(1, 5))


def accepted() -> tuple[Envelope, Delivery]:
    envelope = Envelope.wrap(SubmissionAccepted(submission_id=uuid4()))
    return envelope, Delivery(QUEUE, envelope.to_bytes(), attempt=1)


async def dead_letters(database: Database) -> list[asyncpg.Record]:
    return await database.pool.fetch("SELECT * FROM dead_letters ORDER BY id")


def failing_with(error: Exception, database: Database) -> tuple[Consumer, list[UUID]]:
    """A consumer whose handler raises, and the list of submissions it gave up."""
    given_up: list[UUID] = []

    async def handle(_envelope: Envelope, _message: SubmissionAccepted) -> None:
        raise error

    async def give_up(
        _tx: Transaction, message: SubmissionAccepted, _code: str, _detail: str
    ) -> None:
        given_up.append(message.submission_id)

    return Consumer(database, Route(SubmissionAccepted, handle, give_up)), given_up


async def test_work_is_done_once_however_often_it_is_delivered(database: Database) -> None:
    done = 0

    async def handle(envelope: Envelope, _message: SubmissionAccepted) -> None:
        nonlocal done
        async with database.once("test", envelope):
            done += 1

    consumer = Consumer(database, Route(SubmissionAccepted, handle))
    _, delivery = accepted()
    assert [await consumer.handle(delivery) for _ in range(3)] == [Done()] * 3
    assert done == 1
    assert not await dead_letters(database)


async def test_rivals_at_the_same_moment_commit_once(database: Database) -> None:
    entered: list[int] = []
    release = asyncio.Event()

    async def handle(envelope: Envelope, _message: SubmissionAccepted) -> None:
        async with database.once("test", envelope):
            entered.append(1)
            await release.wait()

    consumer = Consumer(database, Route(SubmissionAccepted, handle))
    _, delivery = accepted()
    rivals = [asyncio.create_task(consumer.handle(delivery)) for _ in range(3)]
    while not entered:
        await asyncio.sleep(0)
    release.set()
    assert await asyncio.gather(*rivals) == [Done()] * 3
    assert len(entered) == 1


async def test_a_rolled_back_handler_leaves_no_trace_and_may_run_again(database: Database) -> None:
    runs = 0

    async def handle(envelope: Envelope, _message: SubmissionAccepted) -> None:
        nonlocal runs
        async with database.once("test", envelope) as transaction:
            await transaction.emit(BoardChanged(board="community"))
            runs += 1
            if runs == 1:
                raise Transient("the network")

    consumer = Consumer(database, Route(SubmissionAccepted, handle))
    _, delivery = accepted()
    assert await consumer.handle(delivery) == Retry(1)
    assert await database.pool.fetchval("SELECT count(*) FROM outbox") == 0
    assert await consumer.handle(delivery) == Done()
    assert await database.pool.fetchval("SELECT count(*) FROM outbox") == 1


async def test_transient_failures_are_retried_with_growing_delays_then_die(
    database: Database,
) -> None:
    consumer, given_up = failing_with(Transient("the weather"), database)
    envelope, _ = accepted()
    answers = [
        await consumer.handle(Delivery(QUEUE, envelope.to_bytes(), attempt=attempt))
        for attempt in (1, 2, 3)
    ]
    assert answers == [Retry(1), Retry(5), Done()]
    (letter,) = await dead_letters(database)
    assert (letter["reason"], letter["attempts"]) == ("transient", 3)
    assert "the weather" in letter["detail"]
    assert len(given_up) == 1


async def test_a_lost_database_connection_is_transient(database: Database) -> None:
    async def handle(envelope: Envelope, _message: SubmissionAccepted) -> None:
        async with database.once("test", envelope) as transaction:
            await transaction.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    consumer = Consumer(database, Route(SubmissionAccepted, handle))
    assert await consumer.handle(accepted()[1]) == Retry(1)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Permanent("never", code="scoring_timeout"), "scoring_timeout"),
        (ZeroDivisionError("oops"), "handler_failed"),
    ],
)
async def test_hopeless_failures_are_recorded_with_their_reason_and_settled(
    database: Database, error: Exception, reason: str
) -> None:
    consumer, given_up = failing_with(error, database)
    envelope, delivery = accepted()
    assert await consumer.handle(delivery) == Done()
    (letter,) = await dead_letters(database)
    assert letter["reason"] == reason
    assert letter["message_id"] == envelope.id
    assert letter["body"] == delivery.body
    assert given_up == [UUID(str(envelope.data["submission_id"]))]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b'{"id": 1}',
        b'{"id":"7a0e7f0e-9c7c-4f0c-8f77-0d1f1b6d7a10","type":"submission.accepted","version":1,'
        b'"occurred_at":"2026-01-01T00:00:00Z","correlation_id":'
        b'"7a0e7f0e-9c7c-4f0c-8f77-0d1f1b6d7a10","data":{}}',
    ],
)
async def test_malformed_bodies_die_once_even_when_they_come_again(
    database: Database, body: bytes
) -> None:
    consumer = Consumer(database)
    for _ in range(2):
        assert await consumer.handle(Delivery(QUEUE, body, attempt=1)) == Done()
    (letter,) = await dead_letters(database)
    assert (letter["reason"], letter["body"]) == ("malformed_message", body)


@pytest.mark.parametrize("attempt", [9, 1 << 40])
async def test_what_postgres_cannot_store_dies_all_the_same(
    database: Database, attempt: int
) -> None:
    """A NUL in a type or in an error's words, a number from a header: else it came for ever."""
    unknown = accepted()[0].model_copy(update={"type": "board\0changed"})
    delivery = Delivery(QUEUE, unknown.to_bytes(), attempt=attempt)
    assert await Consumer(database).handle(delivery) == Done()
    consumer, given_up = failing_with(ValueError("no such file: a\0b\ud800"), database)
    known = Delivery(QUEUE, accepted()[1].body, attempt=attempt)
    assert await consumer.handle(known) == Done()
    assert len(given_up) == 1
    first, second = await dead_letters(database)
    assert first["type"] == "board\\x00changed"
    assert second["detail"] == "ValueError: no such file: a\\x00b\\ud800"


@pytest.mark.parametrize("change", [{"version": 2}, {"type": "submission.reconsidered"}])
async def test_what_a_newer_version_wrote_waits_for_a_consumer_that_knows_it(
    database: Database, change: dict[str, object]
) -> None:
    envelope = accepted()[0].model_copy(update=change)
    consumer = Consumer(database)

    async def handled(attempt: int) -> object:
        return await consumer.handle(Delivery(QUEUE, envelope.to_bytes(), attempt))

    assert [await handled(1), await handled(2)] == [Retry(1), Retry(5)]
    assert not await dead_letters(database)
    assert await handled(3) == Done()
    (letter,) = await dead_letters(database)
    assert (letter["reason"], letter["message_id"]) == ("unknown_message", envelope.id)


async def test_a_message_nobody_handles_dies(database: Database) -> None:
    assert await Consumer(database).handle(accepted()[1]) == Done()
    (letter,) = await dead_letters(database)
    assert letter["reason"] == "unroutable"


async def test_an_exhausted_delivery_is_retried_later_and_dies_at_last_without_being_worked_on(
    database: Database,
) -> None:
    consumer, given_up = failing_with(AssertionError("must not run"), database)
    _, delivery = accepted()

    async def handled(attempt: int) -> object:
        return await consumer.handle(Delivery(QUEUE, delivery.body, attempt, exhausted=True))

    assert [await handled(1), await handled(2)] == [Retry(1), Retry(5)]
    assert not await dead_letters(database)
    assert not given_up
    assert await handled(3) == Done()
    (letter,) = await dead_letters(database)
    assert letter["reason"] == "delivery_limit"
    assert len(given_up) == 1


async def test_a_letter_that_cannot_be_recorded_is_kept_by_the_bus(database: Database) -> None:
    async def handle(_envelope: Envelope, _message: SubmissionAccepted) -> None:
        raise Permanent("never")

    async def give_up(transaction: Transaction, _m: Message, _c: str, _d: str) -> None:
        await transaction.connection.execute("SELECT 1/0")

    consumer = Consumer(database, Route(SubmissionAccepted, handle, give_up))
    assert await consumer.handle(accepted()[1]) == Retry(5)
    assert not await dead_letters(database)
