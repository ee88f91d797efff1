"""The RabbitMQ bus through what brokers do to clients: restarts, closes, alarms, deletions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import aio_pika
import pytest
import structlog

from shared.messaging.bus import Bus, Delivery, Disposition, Done, Outgoing, Retry
from shared.messaging.rabbit.bus import RabbitBus, connect_rabbit
from shared.messaging.rabbit.topology import EXCHANGE
from shared.runtime.errors import Misconfigured, Unavailable
from tests.contract.buses import AUDIT, HINT, QUEUES, WORK, Probe, drained, eventually, outgoing
from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.servers import RabbitServer, free_port

# Deep: to start a broker that may be ill-treated takes seconds of a processor.
pytestmark = [deep, pytest.mark.usefixtures("no_leaked_tasks")]


@pytest.fixture(scope="module")
def node() -> Iterator[RabbitServer]:
    """A broker of this module's own, to be ill-treated."""
    with RabbitServer() as server:
        yield server


@pytest.fixture
def vhost(node: RabbitServer) -> str:
    name = uuid4().hex[:12]
    node.http.add_vhost(name)
    return name


@asynccontextmanager
async def connected(
    node: RabbitServer, vhost: str, *, seconds: float = 10, go: asyncio.Event | None = None
) -> AsyncIterator[Bus]:
    """Connect, and close at the end. `go`: what handlers wait for, so that a failure can end."""
    bus = await connect_rabbit(node.url(vhost), QUEUES, publish_seconds=seconds)
    try:
        yield bus
    finally:
        if go is not None:
            go.set()
        await bus.close()


async def published(bus: Bus, message: Outgoing) -> None:
    """Publish as the relay does: again until it is known to be safe."""

    async def done() -> bool:
        try:
            await bus.publish([message])
        except Unavailable:
            await asyncio.sleep(0.1)
            return False
        return True

    await eventually(done)


async def checked(bus: Bus) -> None:
    """Wait until the bus says that it is well."""

    async def well() -> bool:
        try:
            await bus.check()
        except Unavailable:
            return False
        return True

    await eventually(well)


@deep
@pytest.mark.parametrize("end", [pytest.param("stop", marks=deep), "kill"])
async def test_a_broker_that_restarts_loses_nothing(
    node: RabbitServer, vhost: str, end: str
) -> None:
    """And while there is none, a bus closes: one test, as each start costs three seconds."""
    go = asyncio.Event()

    async def answer(_: Delivery) -> Disposition:
        await go.wait()
        return Done()

    probe = Probe(answer)
    heard: list[bytes] = []
    leaving = await connect_rabbit(node.url(vhost), QUEUES)
    subscription = await leaving.consume(AUDIT, Probe(), concurrency=1)
    async with connected(node, vhost, go=go) as bus:
        await bus.listen([HINT], heard.append)
        await bus.consume(WORK, probe, concurrency=1)
        await bus.publish([outgoing(b"1"), outgoing(b"2"), outgoing(b"3")])
        await probe.got(1)
        await asyncio.to_thread(node.control.sync)
        await asyncio.to_thread(getattr(node, end))
        async with asyncio.timeout(HANG_SECONDS):
            with pytest.raises(Unavailable):
                await bus.publish([outgoing(b"nobody there")])
        with pytest.raises(Unavailable):
            await bus.check()
        async with asyncio.timeout(HANG_SECONDS):
            await subscription.stop()
            await leaving.close()
        node.launch()
        await asyncio.to_thread(node.await_ready)
        go.set()  # the handler outlived the loss of its connection
        await published(bus, outgoing(b"4"))
        await eventually(lambda: {b"1", b"2", b"3", b"4"} <= set(probe.bodies))
        await drained(bus, WORK)
        await checked(bus)
        await published(bus, outgoing(b"hint", HINT))
        await eventually(lambda: heard == [b"hint"])


async def test_forcibly_closed_connections_are_made_again(node: RabbitServer, vhost: str) -> None:
    probe = Probe()
    heard: list[bytes] = []
    async with connected(node, vhost) as bus:
        await bus.listen([HINT], heard.append)
        await bus.consume(WORK, probe, concurrency=1)
        for number in range(3):
            await asyncio.to_thread(node.control.close_connections, vhost)
            body = str(number).encode()
            await published(bus, outgoing(body))
            await eventually(lambda body=body: body in probe.bodies)
        await checked(bus)
        await published(bus, outgoing(b"hint", HINT))
        await eventually(lambda: heard == [b"hint"])


async def test_a_handler_at_work_is_not_cut_short_by_a_lost_connection(
    node: RabbitServer, vhost: str
) -> None:
    go = asyncio.Event()
    finished: list[bytes] = []

    async def answer(delivery: Delivery) -> Disposition:
        await go.wait()
        finished.append(delivery.body)
        return Done()

    probe = Probe(answer)
    async with connected(node, vhost, go=go) as bus:
        await bus.consume(WORK, probe, concurrency=2)
        await bus.publish([outgoing(b"1")])
        await probe.got(1)
        await asyncio.to_thread(node.control.close_connections, vhost)
        await probe.got(2)  # handed out again, as nobody settled it
        go.set()
        await drained(bus, WORK)
        assert finished == [b"1", b"1"]


async def test_a_deleted_queue_is_made_again(node: RabbitServer, vhost: str) -> None:
    probe = Probe()
    async with connected(node, vhost) as bus:
        await bus.consume(WORK, probe, concurrency=1)
        node.http.call("DELETE", f"/api/queues/{vhost}/{WORK.name}")
        bindings = f"/api/bindings/{vhost}/e/{EXCHANGE}/q/{WORK.name}"
        await eventually(lambda: bool(node.http.call("GET", bindings)))
        await published(bus, outgoing(b"after"))
        await probe.got(1)
        assert probe.bodies == [b"after"]


async def test_publishing_restores_deleted_queues(node: RabbitServer, vhost: str) -> None:
    probe = Probe()
    async with connected(node, vhost) as bus:
        for queue in QUEUES:
            node.http.call("DELETE", f"/api/queues/{vhost}/{queue.name}")
        await bus.publish([outgoing(b"after")])
        await bus.consume(WORK, probe, concurrency=1)
        await probe.got(1)


async def test_a_deleted_exchange_is_made_again(node: RabbitServer, vhost: str) -> None:
    probe = Probe()
    async with connected(node, vhost) as bus:
        await bus.consume(WORK, probe, concurrency=1)
        node.http.call("DELETE", f"/api/exchanges/{vhost}/{EXCHANGE}")
        with pytest.raises(Unavailable, match="not confirm"):
            await bus.publish([outgoing(b"lost exchange")])
        await bus.publish([outgoing(b"after")])
        await probe.got(1)


@deep
async def test_a_memory_alarm_stops_publishers_and_not_consumers(
    node: RabbitServer, vhost: str
) -> None:
    async def answer(delivery: Delivery) -> Disposition:
        await go.wait()
        return Retry(0.2) if delivery.body == b"again" and delivery.attempt == 1 else Done()

    go = asyncio.Event()
    probe = Probe(answer)
    async with connected(node, vhost, seconds=1, go=go) as bus:
        await bus.consume(WORK, probe, concurrency=2)
        await bus.publish([outgoing(b"before"), outgoing(b"again")])
        await probe.got(2)
        with _memory_alarm(node):
            refusals: list[str] = []

            async def refused() -> bool:
                """Publish; a broker at work may also reset the connection, and that is no yes."""
                with pytest.raises(Unavailable) as refusal:
                    await bus.publish([outgoing(b"during")])
                refusals.append(str(refusal.value))
                return sum("alarm" in said for said in refusals) == 3

            await eventually(refused)
            with pytest.raises(Unavailable, match="alarm"):
                await bus.check()
            go.set()  # one is settled, the other waits until its retry can be published
            await eventually(lambda: _held(node, vhost) == 1)
        await published(bus, outgoing(b"after"))
        await eventually(lambda: b"after" in probe.bodies)
        await eventually(lambda: probe.bodies.count(b"again") == 2)
        await drained(bus, WORK)
        # The first was sent before the broker said that it blocks: unknown, and it came.
        assert probe.bodies.count(b"during") <= 1
        await checked(bus)


class _memory_alarm:  # noqa: N801 - used like a function
    """Set a memory limit that is exceeded at once."""

    def __init__(self, node: RabbitServer) -> None:
        self._node = node

    def __enter__(self) -> None:
        self._node.control.call("set_vm_memory_high_watermark", "absolute", "1")

    def __exit__(self, *_: object) -> None:
        self._node.control.call("set_vm_memory_high_watermark", "0.4")


def _held(node: RabbitServer, vhost: str) -> int:
    """Count the deliveries of the work queue that are not settled."""
    listed = node.control.call(
        "list_queues", "--vhost", vhost, "--no-table-headers", "name", "messages_unacknowledged"
    )
    counts = dict(line.split("\t") for line in listed.splitlines() if line)
    return int(counts[WORK.name])


async def test_a_queue_made_with_other_settings_is_told_with_what_to_do(
    node: RabbitServer, vhost: str
) -> None:
    connection = await aio_pika.connect(node.url(vhost))
    async with connection:
        channel = await connection.channel()
        await channel.declare_queue(WORK.name, durable=True)
    with pytest.raises(Misconfigured, match=r"test\.work.*rebuild-queues"):
        await connect_rabbit(node.url(vhost), QUEUES)


async def test_what_keeps_us_from_connecting_is_named_without_the_password(
    node: RabbitServer, vhost: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "hunter2-do-not-tell"  # noqa: S105 - a trap
    good = node.url(vhost)
    wrong = good.replace("guest:guest", f"guest:{secret}")
    elsewhere = f"amqp://guest:{secret}@127.0.0.1:{free_port()}/"
    cases = [
        (wrong, Misconfigured, "the user or password"),
        (node.url("no-such"), Misconfigured, "virtual host"),
        (elsewhere, Unavailable, "connecting to 127.0.0.1"),
        (f"http://guest:{secret}@x/", Misconfigured, "not valid"),
        (f"amqp://guest:{secret}@[bad/", Misconfigured, "not valid"),
        (f"amqp://guest:{secret}@x:port/", Misconfigured, "not valid"),
    ]
    with structlog.testing.capture_logs() as logs:
        for url, kind, text in cases:
            with pytest.raises(kind, match=text) as caught:
                await connect_rabbit(url, QUEUES)
            assert secret not in str(caught.value)
    assert secret not in str(logs)
    assert secret not in caplog.text


async def test_a_closed_bus_refuses(node: RabbitServer, vhost: str) -> None:
    bus: RabbitBus = await connect_rabbit(node.url(vhost), QUEUES)
    await bus.close()
    with pytest.raises(Unavailable, match="closed"):
        await bus.publish([outgoing()])
    with pytest.raises(Unavailable, match="closed"):
        await bus.consume(WORK, Probe(), concurrency=1)


async def test_a_consumer_that_grows_as_it_stops_leaves_none_behind(
    node: RabbitServer, vhost: str
) -> None:
    """It would give each message back to itself, for as long as the last work takes."""
    go = asyncio.Event()

    async def answer(_: Delivery) -> Disposition:
        await go.wait()
        return Done()

    probe = Probe(answer)
    connection = await aio_pika.connect(node.url(vhost))
    async with connection, connected(node, vhost, go=go) as bus:
        subscription = await bus.consume(WORK, probe, concurrency=1)
        await bus.publish([outgoing()])
        await probe.got(1)
        growing = asyncio.create_task(subscription.resize(5))
        await asyncio.sleep(0)  # it has begun
        stopping = asyncio.create_task(subscription.stop())
        await growing
        channel = await connection.channel()

        async def gone() -> bool:
            queue = await channel.declare_queue(WORK.name, passive=True)
            # The broker counts a cancelled one for as long as its message is at work.
            return queue.declaration_result.consumer_count == 1

        await eventually(gone)
        go.set()
        await stopping
