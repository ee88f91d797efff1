"""The outbox relay on a real database, with a bus that records and fails on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from shared.contracts.messages import BoardChanged
from shared.messaging.ports import Outgoing
from shared.messaging.relay import Relay
from shared.runtime.errors import Unavailable
from shared.storage.database import Database
from tests.fakes.bus import RecordingBus


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
    async with asyncio.timeout(10):
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
    async with asyncio.timeout(10):
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
    async with asyncio.timeout(10):
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
