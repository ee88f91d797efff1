"""One service that kills itself (SIGKILL) at a chosen point, as a process:

    python -m tests.crashing SERVICE POINT

Everything is the real thing but two adapters, which die just before or after they do their work.
Settings come from the environment, as in production.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import Any, Final
from uuid import UUID

import asyncpg

from shared.messaging.bus import (
    Bus,
    Delivery,
    DeliveryHandler,
    Disposition,
    HintHandler,
    Outgoing,
    Subscription,
)
from shared.messaging.local import LocalBus
from shared.messaging.rabbit.bus import connect_rabbit
from shared.messaging.relay import Relay
from shared.messaging.topology import Queue
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.lifecycle import serve
from shared.runtime.ops import Readiness
from shared.runtime.settings import load_settings
from shared.storage.database import Database, Transaction

POINTS: Final = (
    "before_commit",
    "after_commit",
    "before_publish",
    "after_publish",
    "before_work",
    "before_settle",
)
SERVICES: Final = ("gateway", "scorer", "ranker")


def service(name: str) -> tuple[type[Any], Any]:
    """Return the settings and the `run` of a service; only that one is imported."""
    settings = import_module(f"services.{name}.settings")
    run = import_module(f"services.{name}.__main__").run
    return getattr(settings, f"{name.capitalize()}Settings"), run


class Killer:
    """Dies when its point is reached."""

    def __init__(self, point: str) -> None:
        assert point in POINTS, point
        self._point = point

    def at(self, point: str) -> None:
        if point == self._point:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingDatabase(Database):
    """Dies before or after a commit that emits messages."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], killer: Killer) -> None:
        super().__init__(pool)
        self._killer = killer

    @asynccontextmanager
    async def transaction(
        self, *, correlation_id: UUID | None = None
    ) -> AsyncIterator[Transaction]:
        async with super().transaction(correlation_id=correlation_id) as transaction:
            yield transaction
            if transaction.emitted:
                self._killer.at("before_commit")
        if transaction.emitted:
            self._killer.at("after_commit")


class DyingBus:
    """Dies before or after publishing, before working on a delivery, or before settling it."""

    def __init__(self, bus: Bus, killer: Killer) -> None:
        self._bus = bus
        self._killer = killer

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        self._killer.at("before_publish")
        await self._bus.publish(messages)
        self._killer.at("after_publish")

    async def consume(
        self, queue: Queue, handler: DeliveryHandler, *, concurrency: int
    ) -> Subscription:
        async def dying(delivery: Delivery) -> Disposition:
            self._killer.at("before_work")
            disposition = await handler(delivery)
            self._killer.at("before_settle")
            return disposition

        return await self._bus.consume(queue, dying, concurrency=concurrency)

    async def listen(self, types: Sequence[str], handler: HintHandler) -> Subscription:
        return await self._bus.listen(types, handler)

    async def depth(self, queue: Queue) -> int:
        return await self._bus.depth(queue)

    async def check(self) -> None:
        await self._bus.check()

    async def close(self) -> None:
        await self._bus.close()


async def main(stop: asyncio.Event) -> None:
    """Run the service until its point is reached."""
    name, point = sys.argv[1:]
    settings_type, run = service(name)
    settings = load_settings(settings_type)
    killer = Killer(point)
    pool = await asyncpg.create_pool(settings.database_url.get_secret_value(), min_size=1)
    database = DyingDatabase(pool, killer)
    rabbit = settings.rabbitmq_url
    real = await connect_rabbit(rabbit.get_secret_value()) if rabbit else LocalBus(database)
    bus = DyingBus(real, killer)
    base = Infrastructure(database, bus, Readiness())
    base.background("relay", Relay(database, bus, poll_seconds=0.1).run)
    running: AbstractAsyncContextManager[None] = run(base, settings)
    async with running:
        await serve(base, stop)
