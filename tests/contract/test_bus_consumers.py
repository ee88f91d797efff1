"""The promises of the bus port about consumers: how much they take, and how they end."""

from __future__ import annotations

import asyncio

import pytest

from shared.messaging.bus import Delivery, Disposition, Done
from shared.runtime import supervision
from tests.contract.buses import WORK, Probe, World, drained, once, outgoing

pytestmark = pytest.mark.usefixtures("no_leaked_tasks")


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
