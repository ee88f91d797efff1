"""What the contract suite of the buses needs of each adapter, and helpers to watch deliveries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID, uuid4

from shared.messaging.bus import Bus, Delivery, Disposition, Done, Outgoing
from shared.messaging.local import LocalBus
from shared.messaging.rabbit.bus import connect_rabbit
from shared.messaging.topology import HINTS, Queue
from shared.storage.database import Database
from tests.patience import HANG_SECONDS
from tests.servers import RabbitControl

LIMIT = 3
WORK = Queue("test.work", ("thing.happened",), delivery_limit=LIMIT, retry_delays=(0.2, 0.5))
AUDIT = Queue("test.audit", ("thing.happened", "thing.ended"), delivery_limit=LIMIT)
QUEUES = (WORK, AUDIT)
HINT = HINTS[0]


class World(Protocol):
    """One durable place of messages, and processes that come and go."""

    async def process(self) -> Bus:
        """Start another process with a bus of its own."""

    async def crash(self) -> None:
        """Let every process's hold on its deliveries end, as if all had died."""


@dataclass
class RabbitWorld:
    """A virtual host."""

    url: str
    vhost: str
    control: RabbitControl
    stack: AsyncExitStack

    async def process(self) -> Bus:
        bus = await connect_rabbit(self.url, QUEUES)
        self.stack.push_async_callback(bus.close)
        return bus

    async def crash(self) -> None:
        await asyncio.to_thread(self.control.close_connections, self.vhost)


@dataclass
class LocalWorld:
    """A database."""

    database: Database
    stack: AsyncExitStack

    async def process(self) -> Bus:
        bus = LocalBus(self.database, QUEUES)
        self.stack.push_async_callback(bus.close)
        return bus

    async def crash(self) -> None:
        await self.database.pool.execute(
            "UPDATE queue_messages SET leased_until = now() - interval '1 s' "
            "WHERE lease IS NOT NULL"
        )


@dataclass
class Probe:
    """A delivery handler that records what it gets and answers as told."""

    answer: Callable[[Delivery], Awaitable[Disposition]] | None = None
    deliveries: list[Delivery] = field(default_factory=list)

    async def __call__(self, delivery: Delivery) -> Disposition:
        self.deliveries.append(delivery)
        return await self.answer(delivery) if self.answer else Done()

    @property
    def bodies(self) -> list[bytes]:
        return [delivery.body for delivery in self.deliveries]

    async def got(self, count: int, *, seconds: float = HANG_SECONDS) -> None:
        """Wait for this many deliveries."""
        await eventually(lambda: len(self.deliveries) >= count, seconds=seconds)


def once(event: asyncio.Event) -> Callable[[Delivery], Awaitable[Disposition]]:
    """Return a handler that is done once an event is set."""

    async def answer(_: Delivery) -> Disposition:
        await event.wait()
        return Done()

    return answer


def outgoing(
    body: bytes = b"{}", kind: str = "thing.happened", id_: UUID | None = None
) -> Outgoing:
    return Outgoing(id_ or uuid4(), kind, body)


async def eventually(
    condition: Callable[[], bool] | Callable[[], Awaitable[bool]], *, seconds: float = HANG_SECONDS
) -> None:
    """Wait until the condition holds; fails after the time."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if await result if isinstance(result, Awaitable) else result:
            return
        assert time.monotonic() < deadline, "did not come true in time"
        await asyncio.sleep(0.01)


async def drained(bus: Bus, queue: Queue, *, seconds: float = HANG_SECONDS) -> None:
    """Wait until a queue holds nothing."""

    async def empty() -> bool:
        return await bus.depth(queue) == 0

    await eventually(empty, seconds=seconds)
