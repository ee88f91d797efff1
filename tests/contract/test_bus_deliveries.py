"""The promises of the bus port about deliveries: done, to come again, or of one who died."""

from __future__ import annotations

import asyncio
import time

import pytest

from shared.messaging.bus import Delivery, Disposition, Done, GiveBack, Retry
from tests.contract.buses import AUDIT, LIMIT, WORK, Probe, World, drained, outgoing

pytestmark = pytest.mark.usefixtures("no_leaked_tasks")


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
