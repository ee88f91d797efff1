"""The promises of the bus port, kept by every adapter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from shared.contracts.messages import MAX_BODY_BYTES
from shared.messaging.bus import Delivery, Disposition, Done, GiveBack, Retry, Undeliverable
from shared.messaging.relay import Relay
from shared.runtime import supervision
from shared.runtime.errors import Unavailable
from shared.storage.database import Database
from tests.conftest import Servers
from tests.contract.buses import (
    AUDIT,
    HINT,
    LIMIT,
    WORK,
    LocalWorld,
    Probe,
    RabbitWorld,
    World,
    drained,
    eventually,
    once,
    outgoing,
)

pytestmark = pytest.mark.usefixtures("no_leaked_tasks")


@pytest.fixture
async def local(database: Database) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield LocalWorld(database, stack)


@pytest.fixture
async def rabbit(servers: Servers, rabbit_vhost: str) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        url = servers.rabbit_url(rabbit_vhost)
        yield RabbitWorld(url, rabbit_vhost, servers.control, stack)


@pytest.fixture(params=["local", "rabbit"])
def world(request: pytest.FixtureRequest) -> World:
    world: World = request.getfixturevalue(request.param)
    return world


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


async def test_a_retry_comes_after_its_delay_with_the_next_attempt(world: World) -> None:
    bus = await world.process()
    times: list[float] = []

    async def answer(delivery: Delivery) -> Disposition:
        times.append(time.monotonic())
        return Retry(WORK.retry_delays[delivery.attempt - 1]) if delivery.attempt < 3 else Done()

    probe = Probe(answer)
    await bus.consume(WORK, probe, concurrency=1)
    await bus.publish([outgoing(b"same body")])
    await probe.got(3)
    await drained(bus, WORK)
    assert [seen.attempt for seen in probe.deliveries] == [1, 2, 3]
    assert set(probe.bodies) == {b"same body"}
    assert times[1] - times[0] >= 0.9 * WORK.retry_delays[0]
    assert times[2] - times[1] >= 0.9 * WORK.retry_delays[1]


async def test_a_retry_reaches_only_the_queue_that_asked_for_it(world: World) -> None:
    bus = await world.process()

    async def answer(delivery: Delivery) -> Disposition:
        return Retry(0.2) if delivery.attempt == 1 else Done()

    work, audit = Probe(answer), Probe()
    await bus.consume(WORK, work, concurrency=1)
    await bus.consume(AUDIT, audit, concurrency=1)
    await bus.publish([outgoing()])
    await work.got(2)
    await drained(bus, WORK)
    await drained(bus, AUDIT)
    assert len(audit.deliveries) == 1


async def test_a_retry_outlives_the_process(world: World) -> None:
    bus = await world.process()

    async def retry(_: Delivery) -> Disposition:
        return Retry(0.5)

    first, second = Probe(retry), Probe()
    await bus.consume(WORK, first, concurrency=1)
    await bus.publish([outgoing()])
    await first.got(1)
    await bus.close()
    await (await world.process()).consume(WORK, second, concurrency=1)
    await second.got(1)
    assert second.deliveries[0].attempt == 2


async def test_what_is_given_back_comes_again_and_is_never_used_up(world: World) -> None:
    bus = await world.process()

    async def answer(_: Delivery) -> Disposition:
        return GiveBack() if len(probe.deliveries) <= 2 * LIMIT else Done()

    probe = Probe(answer)
    await bus.consume(WORK, probe, concurrency=1)
    await bus.publish([outgoing()])
    await probe.got(2 * LIMIT + 1)
    await drained(bus, WORK)
    assert all(seen.attempt == 1 and not seen.exhausted for seen in probe.deliveries)


async def test_a_delivery_of_a_dead_consumer_goes_to_another(world: World) -> None:
    stuck = asyncio.Event()

    async def hang(_: Delivery) -> Disposition:
        await stuck.wait()
        return Done()

    first, second = Probe(hang), Probe()
    dying = await world.process()
    subscription = await dying.consume(WORK, first, concurrency=1)
    await dying.publish([outgoing(b"survivor")])
    await first.got(1)
    stop = asyncio.create_task(subscription.stop())
    await asyncio.sleep(0)  # it takes no more, and its handler still hangs
    await world.crash()
    await (await world.process()).consume(WORK, second, concurrency=1)
    await second.got(1)
    assert second.bodies == [b"survivor"]
    stuck.set()
    await stop


async def test_a_delivery_that_kills_its_consumers_comes_exhausted(world: World) -> None:
    bus = await world.process()
    await bus.publish([outgoing(b"poison")])
    for _ in range(LIMIT):
        await _die_once(world)
    probe = Probe()
    await bus.consume(WORK, probe, concurrency=1)
    await probe.got(1)
    await drained(bus, WORK)
    assert [(seen.body, seen.exhausted) for seen in probe.deliveries] == [(b"poison", True)]


async def test_a_retry_of_what_came_exhausted_begins_anew(world: World) -> None:
    async def answer(delivery: Delivery) -> Disposition:
        return Retry(0.2) if delivery.exhausted else Done()

    bus = await world.process()
    await bus.publish([outgoing(b"innocent")])
    for _ in range(LIMIT):
        await _die_once(world)
    probe = Probe(answer)
    await bus.consume(WORK, probe, concurrency=1)
    await probe.got(2)
    await drained(bus, WORK)
    seen = [(each.body, each.attempt, each.exhausted) for each in probe.deliveries]
    assert seen == [(b"innocent", 1, True), (b"innocent", 2, False)]


async def _die_once(world: World) -> None:
    """Take the message in a new process, and die with it."""

    async def hang(_: Delivery) -> Disposition:
        await asyncio.Event().wait()
        return Done()

    probe = Probe(hang)
    bus = await world.process()
    subscription = await bus.consume(WORK, probe, concurrency=1)
    await probe.got(1)
    assert not probe.deliveries[0].exhausted
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await subscription.stop()
    await world.crash()


async def test_what_could_not_be_recorded_as_dead_comes_again(world: World) -> None:
    bus = await world.process()
    await bus.publish([outgoing(b"poison")])
    for _ in range(LIMIT):
        await _die_once(world)

    async def answer(_: Delivery) -> Disposition:
        return Retry(0.2) if len(probe.deliveries) == 1 else Done()

    probe = Probe(answer)
    await bus.consume(WORK, probe, concurrency=1)
    await probe.got(2)
    await drained(bus, WORK)
    assert probe.bodies == [b"poison", b"poison"]


async def test_a_consumer_grows_and_shrinks_and_leaves_the_rest_to_others(world: World) -> None:
    go = asyncio.Event()

    bus, other = await world.process(), await world.process()
    first, second = Probe(once(go)), Probe()
    subscription = await bus.consume(WORK, first, concurrency=1)
    await bus.publish([outgoing(str(number).encode()) for number in range(3)])
    await first.got(1)
    await subscription.resize(3)
    await first.got(3)
    await subscription.resize(1)
    await bus.publish([outgoing(b"3"), outgoing(b"4")])
    await other.consume(WORK, second, concurrency=1)
    await second.got(2)  # of what the first works on nothing was taken away, and it got no more
    go.set()
    await drained(bus, WORK)
    assert (len(first.bodies), len(second.bodies)) == (3, 2)
    await (await other.consume(WORK, second, concurrency=1)).stop()
    await bus.publish([outgoing(b"5")])
    await drained(bus, WORK)


async def test_a_consumer_that_shrinks_takes_nothing_more(world: World) -> None:
    """Whatever it began with: else each place that it gives up would bring it more to hold."""
    go = asyncio.Event()

    bus, other = await world.process(), await world.process()
    first, second = Probe(once(go)), Probe()
    subscription = await bus.consume(WORK, first, concurrency=4)
    await bus.publish([outgoing(str(number).encode()) for number in range(9)])
    await first.got(4)
    for size in (3, 2, 1):
        await subscription.resize(size)
    await other.consume(WORK, second, concurrency=1)
    await second.got(5)
    go.set()
    await drained(bus, WORK)
    assert len(first.bodies) == 4


async def test_a_consumer_that_was_lost_comes_back_with_its_size(world: World) -> None:
    hold = asyncio.Event()

    bus = await world.process()
    probe = Probe(once(hold))
    subscription = await bus.consume(WORK, probe, concurrency=1)
    await subscription.resize(4)
    await subscription.resize(2)
    await world.crash()
    await bus.publish([outgoing(str(number).encode()) for number in range(4)])
    await probe.got(2)
    hold.set()
    await probe.got(4)
    await drained(bus, WORK)
    await subscription.stop()
    await subscription.resize(3)  # of no effect, and no error


async def test_no_more_handlers_work_at_once_than_agreed(world: World) -> None:
    bus = await world.process()
    at_work = most = 0
    go = asyncio.Event()

    async def answer(_: Delivery) -> Disposition:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await go.wait()
        at_work -= 1
        return Done()

    probe = Probe(answer)
    await bus.consume(WORK, probe, concurrency=3)
    await bus.publish([outgoing(str(number).encode()) for number in range(12)])
    await probe.got(3)
    go.set()
    await probe.got(12)
    await drained(bus, WORK)
    assert most == 3


async def test_consumers_share_the_work(world: World) -> None:
    busy = asyncio.Event()

    async def wait(_: Delivery) -> Disposition:
        await busy.wait()
        return Done()

    probes = [Probe(wait), Probe(wait)]
    for probe in probes:
        await (await world.process()).consume(WORK, probe, concurrency=1)
    bus = await world.process()
    await bus.publish([outgoing(b"1"), outgoing(b"2")])
    await probes[0].got(1)
    await probes[1].got(1)
    busy.set()
    await drained(bus, WORK)
    assert sorted(probes[0].bodies + probes[1].bodies) == [b"1", b"2"]


async def test_stop_waits_for_the_handlers_and_takes_nothing_new(world: World) -> None:
    bus = await world.process()
    go = asyncio.Event()

    first, second = Probe(once(go)), Probe()
    subscription = await bus.consume(WORK, first, concurrency=1)
    await bus.publish([outgoing(b"1"), outgoing(b"2")])
    await first.got(1)
    stop = asyncio.create_task(subscription.stop())
    done, _ = await asyncio.wait([stop], timeout=0.2)
    assert not done, "stop did not wait for the handler"
    go.set()
    await stop
    await subscription.stop()
    assert len(first.deliveries) == 1
    await bus.consume(WORK, second, concurrency=1)
    await drained(bus, WORK)
    assert sorted(first.bodies + second.bodies) == [b"1", b"2"]


async def test_a_drain_deadline_cancels_the_handlers_and_loses_nothing(world: World) -> None:
    bus = await world.process()
    cancelled = asyncio.Event()

    async def answer(_: Delivery) -> Disposition:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return Done()

    first, second = Probe(answer), Probe()
    subscription = await bus.consume(WORK, first, concurrency=1)
    await bus.publish([outgoing(b"slow")])
    await first.got(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await subscription.stop()
    assert cancelled.is_set()
    await world.crash()
    await (await world.process()).consume(WORK, second, concurrency=1)
    await second.got(1)
    assert second.bodies == [b"slow"]


async def test_a_handler_that_loses_its_cancellation_holds_nobody_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library may lose one: the drain deadline then ended neither the handler nor the process."""
    monkeypatch.setattr(supervision, "_CANCEL_AGAIN_SECONDS", 0.01)
    bus = await world.process()
    lost: list[BaseException] = []

    async def answer(_: Delivery) -> Disposition:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as error:
                if lost:
                    raise
                lost.append(error)

    probe = Probe(answer)
    subscription = await bus.consume(WORK, probe, concurrency=1)
    await bus.publish([outgoing(b"slow")])
    await probe.got(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await subscription.stop()
    await bus.close()
    assert len(lost) == 1


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
