"""The outbox relay on a real database, with a bus that records and fails on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from shared.contracts.messages import BoardChanged
from shared.messaging.bus import Outgoing
from shared.messaging.relay import Relay
from shared.runtime.errors import Unavailable
from shared.storage.database import Database
from tests.fakes.bus import RecordingBus
from tests.patience import HANG_SECONDS


async def emit(database: Database, count: int = 1) -> list[UUID]:
    async with database.transaction() as transaction:
        return [await transaction.emit(BoardChanged(board="community")) for _ in range(count)]


async def waiting(database: Database) -> int:
    return int(
        await database.pool.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL")
    )


async def test_a_commit_is_published_without_waiting_for_the_poll(database: Database) -> None:
    bus = RecordingBus()
    relay = asyncio.create_task(Relay(database, bus, poll_seconds=3600).run())
    (message_id,) = await emit(database)
    async with asyncio.timeout(HANG_SECONDS):
        await bus.published_count(1)
        while await waiting(database):
            await asyncio.sleep(0.01)
    relay.cancel()
    assert [message.message_id for message in bus.published] == [message_id]


async def test_what_another_process_committed_is_found_by_polling(database: Database) -> None:
    bus = RecordingBus()
    stranger = Database(database.pool)
    relay = asyncio.create_task(Relay(database, bus, poll_seconds=0.05).run())
    await emit(stranger)
    async with asyncio.timeout(HANG_SECONDS):
        await bus.published_count(1)
    relay.cancel()


async def test_nothing_of_a_rolled_back_transaction_is_published(database: Database) -> None:
    try:
        async with database.transaction() as transaction:
            await transaction.emit(BoardChanged(board="community"))
            raise RuntimeError
    except RuntimeError:
        pass
    bus = RecordingBus()
    assert not await Relay(database, bus, poll_seconds=1).publish_batch()
    assert not bus.published


async def test_a_failing_bus_keeps_the_messages_and_gets_them_later(database: Database) -> None:
    bus = RecordingBus(failures=2)
    ids = await emit(database, 3)
    relay = asyncio.create_task(Relay(database, bus, poll_seconds=0.01).run())
    async with asyncio.timeout(HANG_SECONDS):
        await bus.published_count(3)
    relay.cancel()
    assert [message.message_id for message in bus.published] == ids


async def test_a_crash_after_publishing_publishes_again(database: Database) -> None:
    """Publishing is at least once: the mark is what a crash may lose, never the message."""

    class CrashingBus(RecordingBus):
        async def publish(self, messages: Sequence[Outgoing]) -> None:
            await super().publish(messages)
            raise Unavailable("the confirm was lost")

    (message_id,) = await emit(database)
    crashing, next_bus = CrashingBus(), RecordingBus()
    try:
        await Relay(database, crashing, poll_seconds=1).publish_batch()
    except Unavailable:
        pass
    await Relay(database, next_bus, poll_seconds=1).publish_batch()
    assert [m.message_id for m in crashing.published + next_bus.published] == [message_id] * 2


async def test_many_relays_publish_each_message_once(database: Database) -> None:
    ids = await emit(database, 1000)
    bus = RecordingBus()
    relays = [Relay(database, bus, poll_seconds=1) for _ in range(4)]

    async def drain(relay: Relay) -> None:
        while await waiting(database):
            await relay.publish_batch()

    await asyncio.gather(*(drain(relay) for relay in relays))
    assert sorted(message.message_id for message in bus.published) == sorted(ids)


class PickyBus(RecordingBus):
    """Fails whole batches because of some messages without saying which, like a closed channel.

    Nothing works while it is `out`, which a check finds only if `seen`.
    """

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error or Unavailable("the channel was closed")
        self.hated: set[UUID] = set()
        self.out = False
        self.seen = True
        self.failed = 0

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        if self.out or self.hated & {message.message_id for message in messages}:
            self.failed += 1
            raise self.error
        await super().publish(messages)

    async def check(self) -> None:
        if self.out and self.seen:
            raise Unavailable("nobody answers")


@asynccontextmanager
async def relaying(database: Database, bus: RecordingBus) -> AsyncIterator[None]:
    relay = Relay(database, bus, poll_seconds=0.005, retry_delays=(0.01, 0.01))
    running = asyncio.create_task(relay.run())
    try:
        yield
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    "error", [Unavailable("the channel was closed"), ValueError("NUL: \0, half: \ud800")]
)
async def test_a_row_that_fails_every_batch_holds_up_none_and_dies(
    database: Database, error: Exception
) -> None:
    """Whatever it is about a row: it is found, tried again beside the others, and recorded."""
    ids = await emit(database, 500)
    bus = PickyBus(error)
    bus.hated = {ids[7], ids[300]}
    async with relaying(database, bus):
        await bus.published_count(498)
        async with asyncio.timeout(HANG_SECONDS):
            while await waiting(database):  # others prove that the bus works
                await emit(database)
                await asyncio.sleep(0.02)
    assert not bus.hated & {message.message_id for message in bus.published}
    letters = await database.pool.fetch("SELECT * FROM dead_letters")
    assert {letter["message_id"] for letter in letters} == bus.hated
    assert {(letter["queue"], letter["reason"], letter["attempts"]) for letter in letters} == {
        ("outbox", "not_published", 3)
    }
    assert set(ids) - bus.hated <= {message.message_id for message in bus.published}


async def test_attempts_beyond_all_counting_end_the_row_and_not_the_process(
    database: Database,
) -> None:
    (hated,) = await emit(database)
    await database.pool.execute("UPDATE outbox SET attempts = 2147483647, retry_at = now()")
    bus = PickyBus()
    bus.hated = {hated}
    async with relaying(database, bus):
        async with asyncio.timeout(HANG_SECONDS):
            while await waiting(database):
                await emit(database)
                await asyncio.sleep(0.02)
    assert await database.pool.fetchval("SELECT message_id FROM dead_letters") == hated


@pytest.mark.parametrize("seen", [True, False])
async def test_an_outage_kills_no_row(database: Database, *, seen: bool) -> None:
    """Not even one that every check of the bus overlooks, as a quorum that is lost."""
    bus = PickyBus()
    await emit(database)
    async with relaying(database, bus):
        await bus.published_count(1)
        bus.out, bus.seen = True, seen
        ids = await emit(database, 5)
        await until(lambda: bus.failed > 6)
        bus.out = False
        await bus.published_count(6)
    assert {message.message_id for message in bus.published} >= set(ids)
    assert await database.pool.fetchval("SELECT count(*) FROM dead_letters") == 0
