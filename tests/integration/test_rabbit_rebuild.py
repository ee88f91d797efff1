"""Queues with other settings are found, and made anew without losing a message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel

from shared.messaging.bus import Delivery, Disposition, Retry
from shared.messaging.rabbit import rebuild as rabbit_rebuild
from shared.messaging.rabbit.bus import connect_rabbit
from shared.messaging.rabbit.rebuild import QueueDifference, differences, rebuild
from shared.messaging.rabbit.topology import EXCHANGE, all_queues, dead_queue
from shared.messaging.topology import QUEUES as OURS
from shared.messaging.topology import Queue
from shared.runtime.errors import Conflict, Misconfigured
from tests.conftest import Servers
from tests.contract.buses import AUDIT, WORK, Probe, drained, eventually, outgoing
from tests.depth import deep, some_of

pytestmark = pytest.mark.usefixtures("no_leaked_tasks")

BEFORE = (replace(WORK, delivery_limit=7, retry_delays=(60.0,)), AUDIT)
AFTER = (replace(WORK, delivery_limit=3, retry_delays=(60.0,)), AUDIT)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbit_rebuild, "_PAUSE_SECONDS", 0.05)


class CutOff(Exception):
    """As if the process had died."""


@pytest.fixture
async def channel(rabbit_url: str) -> AsyncIterator[AbstractChannel]:
    connection = await aio_pika.connect(rabbit_url)
    async with connection:
        yield await connection.channel()


async def fill(url: str, queues: tuple[Queue, ...], count: int) -> set[bytes]:
    """Publish, and put one message of the first queue off; returns the bodies."""
    bus = await connect_rabbit(url, queues)
    try:
        late = b'{"late": 1}'

        async def put_off(_: Delivery) -> Disposition:
            return Retry(60)

        probe = Probe(put_off)
        await bus.publish([outgoing(late)])
        subscription = await bus.consume(queues[0], probe, concurrency=1)
        await probe.got(1)
        await subscription.stop()
        bodies = {f'{{"n": {number}}}'.encode() for number in range(count)}
        await bus.publish([outgoing(body) for body in bodies])
        return bodies | {late}
    finally:
        await bus.close()


async def received(url: str, queues: tuple[Queue, ...], count: int) -> list[Delivery]:
    bus = await connect_rabbit(url, queues)
    try:
        probe = Probe()
        await bus.consume(queues[0], probe, concurrency=20)
        await probe.got(count)
        await drained(bus, queues[0])
        return probe.deliveries
    finally:
        await bus.close()


@deep
async def test_equal_queues_are_no_difference_and_looking_changes_nothing(
    servers: Servers, rabbit_vhost: str, rabbit_url: str, channel: AbstractChannel
) -> None:
    log = Path(servers.rabbitmq_env["HOME"]) / "log"

    def refusals() -> int:
        return log.read_text().count(f"in vhost '{rabbit_vhost}'")

    missing = (await differences(rabbit_url)).found
    assert {entry.name for entry in missing} == {
        name for queue in OURS for name in all_queues(queue)
    }
    assert {entry.kind for entry in missing} == {"missing"}
    with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
        await channel.get_queue(OURS[0].name)
    await (await connect_rabbit(rabbit_url)).close()
    assert (await differences(rabbit_url)).found == []
    # The doctor leaves a line in the broker's log for each look, not one for each queue.
    await eventually(lambda: refusals() >= 3)
    assert refusals() == 3
    assert await rebuild(rabbit_url) == []


async def test_a_queue_with_other_settings_is_made_anew_with_every_message(
    rabbit_url: str,
) -> None:
    bodies = await fill(rabbit_url, BEFORE, 450)
    with pytest.raises(Misconfigured, match="rebuild-queues"):
        await connect_rabbit(rabbit_url, AFTER)
    assert (await differences(rabbit_url, AFTER)).found == [QueueDifference(WORK.name, "different")]
    rebuilt = await rebuild(rabbit_url, AFTER)
    assert [(one.name, one.moved) for one in rebuilt] == [(WORK.name, len(bodies))]
    assert (await differences(rabbit_url, AFTER)).found == []
    deliveries = await received(rabbit_url, AFTER, len(bodies))
    assert {delivery.body for delivery in deliveries} == bodies
    assert len(deliveries) == len(bodies)
    late = next(delivery for delivery in deliveries if delivery.body == b'{"late": 1}')
    assert late.attempt == 2, "what was put off keeps its count"


async def test_a_plain_queue_of_the_same_name_gets_the_right_settings(
    rabbit_url: str, channel: AbstractChannel
) -> None:
    """Such as one that was declared by hand, or before queues were replicated."""
    exchange = await channel.declare_exchange(EXCHANGE, "direct", durable=True)
    plain = await channel.declare_queue(WORK.name, durable=True)
    await plain.bind(exchange, WORK.types[0])
    for number in range(5):
        await exchange.publish(aio_pika.Message(f"{number}".encode()), WORK.types[0])
    await rebuild(rabbit_url, AFTER)
    deliveries = await received(rabbit_url, AFTER, 5)
    assert {delivery.body for delivery in deliveries} == {b"0", b"1", b"2", b"3", b"4"}


async def test_while_a_service_works_on_it_nothing_is_touched(
    rabbit_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbit_rebuild, "_SETTLING_SECONDS", 0.3)
    bus = await connect_rabbit(rabbit_url, BEFORE)
    try:
        await bus.consume(BEFORE[0], Probe(), concurrency=1)
        with pytest.raises(Conflict, match="Stop all services"):
            await rebuild(rabbit_url, AFTER)
    finally:
        await bus.close()
    assert (await differences(rabbit_url, BEFORE)).found == []


@deep
@pytest.mark.parametrize("steps", some_of((1, 3, 6), 3))
async def test_cut_off_anywhere_it_is_finished_by_running_it_again(
    rabbit_url: str, channel: AbstractChannel, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    bodies = await fill(rabbit_url, BEFORE, 60)
    monkeypatch.setattr(rabbit_rebuild, "_BATCH", 20)
    whole = rabbit_rebuild._take  # noqa: SLF001 - the step at which it is cut off
    done = 0

    async def cut(source: aio_pika.abc.AbstractQueue) -> object:
        nonlocal done
        done += 1
        if done > steps:
            raise CutOff
        return await whole(source)

    monkeypatch.setattr(rabbit_rebuild, "_take", cut)
    with pytest.raises(CutOff):
        await rebuild(rabbit_url, AFTER)
    monkeypatch.setattr(rabbit_rebuild, "_take", whole)
    # Published meanwhile, by a gateway that was not stopped.
    exchange = await channel.get_exchange(EXCHANGE)
    await exchange.publish(aio_pika.Message(b"meanwhile"), WORK.types[0])
    found = {entry.kind for entry in (await differences(rabbit_url, AFTER)).found}
    assert "unfinished" in found
    await rebuild(rabbit_url, AFTER)
    assert (await differences(rabbit_url, AFTER)).found == []
    deliveries = await received(rabbit_url, AFTER, len(bodies) + 1)
    assert {delivery.body for delivery in deliveries} == bodies | {b"meanwhile"}


async def test_dead_letters_are_moved_too(rabbit_url: str, channel: AbstractChannel) -> None:
    await channel.declare_queue(dead_queue(WORK), durable=True)
    body = uuid4().bytes
    await channel.default_exchange.publish(aio_pika.Message(body), dead_queue(WORK))
    await rebuild(rabbit_url, AFTER)
    deliveries = await received(rabbit_url, AFTER, 1)
    assert [(delivery.body, delivery.exhausted) for delivery in deliveries] == [(body, True)]
