"""What a process of any service stands on: database, bus, outbox relay, health."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from shared.messaging.bus import Bus, DeliveryHandler, Subscription
from shared.messaging.local import LocalBus
from shared.messaging.reaper import Overdue, Patience, Reaper
from shared.messaging.relay import Relay
from shared.messaging.topology import Queue
from shared.runtime.errors import Misconfigured, Transient, Unavailable
from shared.runtime.figures import Sampler, watch_loop_lag
from shared.runtime.ops import Readiness, ops_server
from shared.runtime.settings import CommonSettings
from shared.runtime.supervision import Supervision
from shared.storage.database import TRANSIENT_ERRORS, Database, connect
from shared.storage.embedded import DatabaseServer, watched_postgres
from shared.storage.migrate import migrate, require_schema

T = TypeVar("T")
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Infrastructure:
    """Database, bus, readiness and background tasks of this process.

    A background task that fails goes on after a pause; see `Supervision`. `failed` ends the
    process: something that it needs is gone for good.
    """

    database: Database
    bus: Bus
    readiness: Readiness
    failed: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    tasks: Supervision = field(default_factory=Supervision)

    def background(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` until it returns or the process ends, again where it fails."""
        self.tasks.run(name, work)

    def repeat(self, name: str, look: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Call `look` every `seconds` until shutdown; a transient failure is logged and skipped."""

        async def patient() -> None:
            try:
                await look()
            except (Transient, Unavailable, *TRANSIENT_ERRORS) as error:
                _log.warning("periodic_task_failed", task=name, error=str(error))

        self.tasks.repeat(name, patient, seconds)

    def depend_on(self, needed: asyncio.Task[None]) -> None:
        """End the process by what `needed` raises."""

        def ended(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None and not self.failed.done():
                self.failed.set_exception(error)

        needed.add_done_callback(ended)

    def reap(
        self, name: str, states: Sequence[Overdue[Any]], *, every: float, idle: float, busy: float
    ) -> None:
        """Announce a service's overdue work again, until shutdown; see `Patience`."""
        patience = Patience(idle, max(idle, busy))
        reaper = Reaper(self.database, self.bus, patience, states)
        self.repeat(name, reaper.announce_again, every)

    @asynccontextmanager
    async def consuming(
        self, queue: Queue, handler: DeliveryHandler, *, concurrency: int, drain_seconds: float
    ) -> AsyncIterator[Subscription]:
        """Consume a queue; on leaving, take no more and let work in progress finish.

        Work that is not done by the deadline is left to the redelivery of its message.
        """
        subscription = await self.bus.consume(queue, handler, concurrency=concurrency)
        try:
            yield subscription
        finally:
            try:
                async with asyncio.timeout(drain_seconds):
                    await subscription.stop()
            except TimeoutError:
                _log.warning("drain_deadline_passed", queue=queue.name, seconds=drain_seconds)

    async def close(self) -> None:
        """End the background tasks."""
        await self.tasks.close()
        if not self.failed.done():
            self.failed.cancel()


@asynccontextmanager
async def infrastructure(
    settings: CommonSettings, *, name: str, standalone: bool = False
) -> AsyncIterator[Infrastructure]:
    """Build what the settings ask for; everything is closed in reverse order on leaving.

    Standalone: without a database URL an embedded Postgres is started, and the schema is migrated.
    Otherwise Postgres must be given and migrated before ('medvid admin migrate').
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(_tracing(settings, name))
        patience = settings.startup_seconds
        server = await _database_server(settings, stack, standalone=standalone)

        def open_database() -> Awaitable[Database]:
            size = settings.database_pool_size
            opened = connect(
                server.url, size=size, application_name=f"medvid-{name}", fix=server.fix
            )
            return stack.enter_async_context(opened)

        database = await _patiently(open_database, "database", patience)
        if standalone:
            await migrate(database)
        await _patiently(lambda: require_schema(database), "database schema", patience)
        bus = await _patiently(lambda: _open_bus(settings, database), "bus", patience)
        stack.push_async_callback(bus.close)
        readiness = Readiness({"database": database.check, "bus": bus.check})
        built = Infrastructure(database, bus, readiness)
        stack.push_async_callback(built.close)
        if server.watch is not None:
            built.depend_on(server.watch)
        relay = Relay(database, bus, poll_seconds=settings.outbox_poll_seconds)
        built.background("outbox_relay", relay.run)
        built.background("sampler", Sampler(database, bus, settings.sample_seconds).run)
        built.background("loop_lag", watch_loop_lag)
        await stack.enter_async_context(
            ops_server(readiness, host=settings.ops_host, port=settings.ops_port)
        )
        yield built


def _tracing(settings: CommonSettings, name: str) -> AbstractContextManager[None]:
    """Record spans where a collector is named, by our variable or by OpenTelemetry's own."""
    named = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    if not settings.otlp_endpoint and not any(os.environ.get(variable) for variable in named):
        return nullcontext()
    from shared.runtime.otlp import exporting  # only where spans are wanted

    return exporting(settings.otlp_endpoint or None, name)


async def _database_server(
    settings: CommonSettings, stack: AsyncExitStack, *, standalone: bool
) -> DatabaseServer:
    if settings.database_url is not None:
        return DatabaseServer(settings.database_url.get_secret_value())
    if not standalone:
        raise Misconfigured(
            "a service of its own needs a Postgres.",
            fix="Set MEDVID_DATABASE_URL, or run all services in one process with 'medvid up'.",
        )
    folder = settings.data_dir.absolute() / "postgres"
    return await stack.enter_async_context(watched_postgres(folder))


async def _open_bus(settings: CommonSettings, database: Database) -> Bus:
    if settings.rabbitmq_url is None:
        return LocalBus(database)
    from shared.messaging.rabbit.bus import connect_rabbit  # only where RabbitMQ is used

    return await connect_rabbit(settings.rabbitmq_url.get_secret_value())


async def _patiently(build: Callable[[], Awaitable[T]], what: str, seconds: float) -> T:
    """Try `build` again while the other side may still be starting.

    Raises Misconfigured with the last reason when it did not come up in time.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            return await build()
        except (Unavailable, *TRANSIENT_ERRORS) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise Misconfigured(f"no {what} within {seconds:g} s: {error}") from error
            _log.warning("startup_waits", needs=what, error=str(error))
            await asyncio.sleep(1)
