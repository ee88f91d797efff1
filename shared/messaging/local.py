"""The standalone bus: a table of deliveries in Postgres, worked on in this process.

A delivery is a lease that is renewed while its handler works. A process that dies leaves leases
that run out, and the message is delivered again. Nothing is kept in memory alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

import structlog

from shared.messaging.bus import (
    Delivery,
    DeliveryHandler,
    Disposition,
    Done,
    GiveBack,
    HintHandler,
    Outgoing,
    Retry,
    Undeliverable,
    refusals,
)
from shared.messaging.topology import QUEUES, Queue
from shared.runtime.errors import Unavailable
from shared.runtime.supervision import Supervision, TaskHealth, end_tasks
from shared.storage.database import TRANSIENT_ERRORS, Database
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_LEASE_SECONDS: Final = 10.0
_RENEW_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 0.5
_log = structlog.get_logger(__name__)


class LocalBus:
    """A durable bus without a broker; see the port for its promises."""

    def __init__(self, database: Database, queues: Sequence[Queue] = QUEUES) -> None:
        self._database = database
        self._queues = queues
        self._subscriptions: set[_QueueSubscription] = set()
        self._listeners: set[_Listener] = set()

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Store a delivery for every bound queue; raises Unavailable when the database fails.

        Raises Undeliverable for what no queue takes, after the others are stored.
        """
        bound = frozenset(kind for queue in self._queues for kind in queue.types)
        refused = refusals(messages, bound)
        taken = [message for message in messages if message.message_id not in refused]
        await self._store(taken)
        for subscription in self._subscriptions:
            subscription.wake()
        for message in taken:
            self._hint(message)
        if refused:
            raise Undeliverable(refused)

    async def _store(self, messages: Sequence[Outgoing]) -> None:
        rows = [
            (queue.name, message.message_id, message.type, message.body)
            for message in messages
            for queue in self._queues
            if message.type in queue.types
        ]
        try:
            async with self._database.transaction() as transaction:
                await transaction.connection.executemany(_SQL["enqueue"], rows)
        except TRANSIENT_ERRORS as error:
            raise Unavailable(f"the local bus cannot reach its database: {error}") from error

    async def consume(
        self, queue: Queue, handler: DeliveryHandler, *, concurrency: int
    ) -> _QueueSubscription:
        """Start delivering the queue's messages."""
        subscription = _QueueSubscription(self._database, queue, handler, concurrency)
        self._subscriptions.add(subscription)
        subscription.start()
        return subscription

    async def listen(self, types: Sequence[str], handler: HintHandler) -> _Listener:
        """Call the handler for messages that this process publishes."""
        listener = _Listener(frozenset(types), handler, self._listeners)
        self._listeners.add(listener)
        return listener

    async def depth(self, queue: Queue) -> int:
        """Return how many deliveries the queue holds, leased ones included."""
        return int(await self._database.pool.fetchval(_SQL["depth"], queue.name))

    async def check(self) -> None:
        """Return when the database answers."""
        await self._database.check()

    async def close(self) -> None:
        """Stop every subscription."""
        await asyncio.gather(*(subscription.stop() for subscription in self._subscriptions))
        self._listeners.clear()

    def _hint(self, message: Outgoing) -> None:
        for listener in list(self._listeners):
            if message.type in listener.types:
                try:
                    listener.handler(message.body)
                except Exception:  # noqa: BLE001 - a listener's fault is not its publisher's
                    _log.exception("hint_listener_failed", type=message.type)


@dataclass(frozen=True, slots=True, eq=False)
class _Listener:
    types: frozenset[str]
    handler: HintHandler
    registry: set[_Listener]

    async def stop(self) -> None:
        """Stop listening."""
        self.registry.discard(self)


@dataclass(slots=True, eq=False)
class _QueueSubscription:
    """Claims deliveries of one queue, runs their handlers, settles them."""

    database: Database
    queue: Queue
    handler: DeliveryHandler
    concurrency: int
    _held: dict[UUID, UUID] = field(default_factory=dict)  # message id -> lease
    _at_work: set[asyncio.Task[None]] = field(default_factory=set)
    _claiming: asyncio.Task[None] | None = None
    _renewing: Supervision = field(default_factory=Supervision)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: bool = False

    def start(self) -> None:
        """Begin to claim."""
        self._claiming = asyncio.create_task(self._claim_loop(), name=f"claims {self.queue.name}")
        self._renewing.repeat(f"local_bus_leases {self.queue.name}", self._renew, _RENEW_SECONDS)

    def wake(self) -> None:
        """Look for deliveries now rather than at the next poll."""
        self._woken.set()

    async def resize(self, concurrency: int) -> None:
        """Claim up to `concurrency` from now on."""
        if concurrency > self.concurrency:
            self.wake()
        self.concurrency = concurrency

    async def stop(self) -> None:
        """Claim nothing more, wait for the handlers at work, settle them."""
        self._stopping = True
        self.wake()
        if self._claiming is not None:
            await asyncio.gather(self._claiming, return_exceptions=True)
            try:
                while self._at_work:
                    await asyncio.wait(self._at_work)
            except asyncio.CancelledError:
                await end_tasks(self._at_work)
                raise
            await self._renewing.close()
            self._claiming = None

    async def _claim_loop(self) -> None:
        claiming = TaskHealth(f"local_bus {self.queue.name}")
        while not self._stopping:
            self._woken.clear()
            claimed, pause = 0, _POLL_SECONDS
            try:
                claimed = await self._claim(self.concurrency - len(self._at_work))
            except TRANSIENT_ERRORS as error:
                _log.warning("local_bus_waits", queue=self.queue.name, error=str(error))
            except Exception as error:  # noqa: BLE001 - whatever it was, deliveries must go on
                pause = claiming.failed(error)
            else:
                claiming.well()
            if not claimed:
                await self._wait(pause)
        claiming.forget()

    async def _claim(self, free: int) -> int:
        if free <= 0:
            return 0
        lease = uuid4()
        rows = await self.database.pool.fetch(
            _SQL["claim"], self.queue.name, free, lease, _LEASE_SECONDS
        )
        for row in rows:
            delivery = Delivery(
                queue=self.queue,
                body=row["body"],
                attempt=row["attempt"],
                exhausted=row["deliveries"] > self.queue.delivery_limit,
            )
            self._held[row["message_id"]] = lease
            task = asyncio.create_task(self._deliver(row["message_id"], lease, delivery))
            self._at_work.add(task)
            task.add_done_callback(self._finished)
        return len(rows)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._at_work.discard(task)
        self.wake()

    async def _deliver(self, message_id: UUID, lease: UUID, delivery: Delivery) -> None:
        try:
            disposition = await self.handler(delivery)
            await self._settle(message_id, lease, disposition)
        except TRANSIENT_ERRORS as error:
            # The lease runs out and the message comes again; consumers drop what they have done.
            _log.warning("local_bus_not_settled", queue=self.queue.name, error=str(error))
        finally:
            if self._held.get(message_id) == lease:
                del self._held[message_id]

    async def _settle(self, message_id: UUID, lease: UUID, disposition: Disposition) -> None:
        where = (self.queue.name, message_id, lease)
        match disposition:
            case Done():
                await self.database.pool.execute(_SQL["settle_done"], *where)
            case Retry(delay=delay):
                await self.database.pool.execute(_SQL["settle_retry"], *where, delay)
            case GiveBack():
                await self.database.pool.execute(_SQL["settle_give_back"], *where)

    async def _renew(self) -> None:
        if not self._held:
            return
        try:
            await self.database.pool.execute(
                _SQL["renew"], self.queue.name, list(set(self._held.values())), _LEASE_SECONDS
            )
        except TRANSIENT_ERRORS as error:
            _log.warning("local_bus_lease_not_renewed", error=str(error))

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass
