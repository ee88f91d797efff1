"""The promises of the bus port, kept by every adapter: what is published, and who hears of it."""

from __future__ import annotations

import asyncio

import pytest

from shared.contracts.messages import MAX_BODY_BYTES
from shared.messaging.bus import Undeliverable
from shared.messaging.relay import Relay
from shared.runtime.errors import Unavailable
from shared.storage.database import Database
from tests.contract.buses import (
    AUDIT,
    HINT,
    WORK,
    Probe,
    World,
    drained,
    eventually,
    once,
    outgoing,
)

pytestmark = pytest.mark.usefixtures("no_leaked_tasks")


async def test_a_message_reaches_every_queue_bound_to_its_type(world: World) -> None:
    bus = await world.process()
    work, audit = Probe(), Probe()
    await bus.consume(WORK, work, concurrency=1)
    await bus.consume(AUDIT, audit, concurrency=1)
    await bus.publish([outgoing(b"1"), outgoing(b"2", "thing.ended")])
    await work.got(1)
    await audit.got(2)
    assert work.bodies == [b"1"]
    assert sorted(audit.bodies) == [b"1", b"2"]
    assert all(not seen.exhausted and seen.attempt == 1 for seen in audit.deliveries)
    assert {seen.queue for seen in audit.deliveries} == {AUDIT}


async def test_a_published_message_outlives_its_publisher(world: World) -> None:
    bus = await world.process()
    await bus.publish([outgoing(b"kept")])
    await bus.close()
    probe = Probe()
    await (await world.process()).consume(WORK, probe, concurrency=1)
    await probe.got(1)
    assert probe.bodies == [b"kept"]


async def test_a_message_that_no_queue_takes_is_refused(world: World) -> None:
    bus = await world.process()
    with pytest.raises(Unavailable, match=r"thing\.unheard"):
        await bus.publish([outgoing(kind="thing.unheard")])


async def test_a_hint_without_listeners_is_no_error(world: World) -> None:
    await (await world.process()).publish([outgoing(kind=HINT)])


async def test_a_batch_of_many_is_published_whole(world: World) -> None:
    bus = await world.process()
    probe = Probe()
    await bus.consume(WORK, probe, concurrency=10)
    bodies = [str(number).encode() for number in range(500)]
    await bus.publish([outgoing(body) for body in bodies])
    await probe.got(500)
    await drained(bus, WORK)
    assert sorted(probe.bodies) == sorted(bodies)


async def test_an_empty_batch_is_nothing(world: World) -> None:
    await (await world.process()).publish([])


async def test_a_large_body_arrives_unchanged(world: World) -> None:
    bus = await world.process()
    probe = Probe()
    await bus.consume(WORK, probe, concurrency=1)
    body = bytes(range(256)) * 4096
    await bus.publish([outgoing(body)])
    await probe.got(1)
    assert probe.bodies == [body]


async def test_what_is_done_never_comes_again(world: World) -> None:
    bus = await world.process()
    probe = Probe()
    await bus.consume(WORK, probe, concurrency=1)
    await bus.publish([outgoing()])
    await probe.got(1)
    await drained(bus, WORK)
    await world.crash()
    await (await world.process()).consume(WORK, probe, concurrency=1)
    await bus.publish([outgoing(b"next")])
    await probe.got(2)
    assert probe.bodies == [b"{}", b"next"]


async def test_a_message_published_twice_comes_at_least_once(world: World) -> None:
    bus = await world.process()
    probe = Probe()
    await bus.consume(WORK, probe, concurrency=1)
    message = outgoing(b"again")
    await bus.publish([message, message])
    await bus.publish([message])
    await probe.got(1)
    await drained(bus, WORK)
    assert set(probe.bodies) == {b"again"}


async def test_listeners_hear_hints_until_they_stop(world: World) -> None:
    bus = await world.process()
    heard: list[bytes] = []
    also_heard: list[bytes] = []
    listener = await bus.listen([HINT], heard.append)
    await bus.listen([HINT], also_heard.append)
    await bus.publish([outgoing(b"1", HINT), outgoing(b"unrelated")])
    await eventually(lambda: heard == also_heard == [b"1"])
    await listener.stop()
    await listener.stop()
    await bus.publish([outgoing(b"2", HINT)])
    await eventually(lambda: also_heard == [b"1", b"2"])
    assert heard == [b"1"]


async def test_a_listener_that_fails_hears_the_next_hint(world: World) -> None:
    bus = await world.process()
    heard: list[bytes] = []

    def hear(body: bytes) -> None:
        heard.append(body)
        raise RuntimeError("listener")

    await bus.listen([HINT], hear)
    await bus.publish([outgoing(b"1", HINT)])
    await eventually(lambda: heard == [b"1"])
    await bus.publish([outgoing(b"2", HINT)])
    await eventually(lambda: heard == [b"1", b"2"])


async def test_depth_counts_what_waits_and_what_is_worked_on(world: World) -> None:
    bus = await world.process()
    go = asyncio.Event()

    assert await bus.depth(WORK) == 0
    probe = Probe(once(go))
    await bus.publish([outgoing(), outgoing(), outgoing()])
    await bus.consume(WORK, probe, concurrency=1)
    await probe.got(1)

    async def counted() -> bool:
        return await bus.depth(WORK) == 3

    await eventually(counted)
    go.set()
    await drained(bus, WORK)


async def test_check_passes_on_a_bus_at_work(world: World) -> None:
    bus = await world.process()
    subscription = await bus.consume(WORK, Probe(), concurrency=1)
    await bus.check()
    await subscription.stop()
    await bus.check()


async def test_close_stops_everything_and_may_be_repeated(world: World) -> None:
    bus = await world.process()
    subscription = await bus.consume(WORK, Probe(), concurrency=1)
    await bus.listen([HINT], lambda _: None)
    await bus.publish([outgoing()])
    await bus.close()
    await bus.close()
    await subscription.stop()


async def test_what_no_queue_takes_is_refused_and_the_rest_of_its_batch_is_safe(
    world: World,
) -> None:
    bus = await world.process()
    probe = Probe()
    await bus.consume(WORK, probe, concurrency=1)
    unheard, vast = outgoing(kind="thing.unheard"), outgoing(b"x" * (MAX_BODY_BYTES + 1))
    with pytest.raises(Undeliverable) as caught:
        await bus.publish([outgoing(b"before"), unheard, vast, outgoing(b"behind")])
    assert {id_: refusal.code for id_, refusal in caught.value.refused.items()} == {
        unheard.message_id: "unroutable",
        vast.message_id: "too_large",
    }
    await probe.got(2)
    await drained(bus, WORK)
    assert sorted(probe.bodies) == [b"before", b"behind"]


async def test_an_outbox_row_that_the_bus_refuses_holds_nothing_up_and_dies(
    world: World, database: Database
) -> None:
    """It is tried again, as a newer process may know it, and then waits for a person."""
    bus = await world.process()
    probe = Probe()
    await bus.consume(WORK, probe, concurrency=1)
    rows = [
        outgoing(b"before"),
        outgoing(b"strange", kind="thing.unheard"),
        outgoing(b"x" * (MAX_BODY_BYTES + 1)),
        outgoing(b"behind"),
    ]
    await database.pool.executemany(
        "INSERT INTO outbox (message_id, type, body) VALUES ($1, $2, $3)",
        [(row.message_id, row.type, row.body) for row in rows],
    )
    relay = Relay(database, bus, poll_seconds=0.02, retry_delays=(0.05, 0.05))
    running = asyncio.create_task(relay.run())
    try:
        await probe.got(2)

        async def empty() -> bool:
            return not await database.pool.fetchval(
                "SELECT count(*) FROM outbox WHERE published_at IS NULL"
            )

        await eventually(empty)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert sorted(probe.bodies) == [b"before", b"behind"]
    letters = await database.pool.fetch("SELECT * FROM dead_letters ORDER BY length(body)")
    assert [
        (letter["queue"], letter["message_id"], letter["type"], letter["reason"])
        for letter in letters
    ] == [
        ("outbox", rows[1].message_id, "thing.unheard", "unroutable"),
        ("outbox", rows[2].message_id, "thing.happened", "too_large"),
    ]
    assert [letter["attempts"] for letter in letters] == [3, 3]
    assert [letter["body"] for letter in letters] == [rows[1].body, rows[2].body]
