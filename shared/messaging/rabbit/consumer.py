"""Consuming from RabbitMQ: deliveries to handlers, dispositions to the broker.

Handlers run in tasks of their own: a lost connection does not cut a commit short. What they then
cannot settle is delivered again, and dropped as seen.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from pamqp.common import FieldTable

from shared.messaging.bus import (
    Delivery,
    DeliveryHandler,
    Disposition,
    Done,
    GiveBack,
    HintHandler,
    Retry,
)
from shared.messaging.rabbit.attached import Attached, Declare
from shared.messaging.rabbit.link import Link, describe
from shared.messaging.rabbit.publisher import ATTEMPT, Parcel, Publisher
from shared.messaging.rabbit.topology import EXCHANGE, dead_queue, retry_queue
from shared.messaging.topology import Queue
from shared.runtime.errors import Unavailable
from shared.runtime.supervision import end_tasks

_SETTLE_SECONDS: Final = 5
_HOLD_SECONDS: Final = 5.0
_HINTS_KEPT: Final = 1000
_log = structlog.get_logger(__name__)


class QueueSubscription(Attached):
    """Delivers a queue's messages, and its dead letters as exhausted."""

    def __init__(
        self,
        link: Link,
        publisher: Publisher,
        queue: Queue,
        handler: DeliveryHandler,
        concurrency: int,
    ) -> None:
        super().__init__(link, publisher.declare, queue.name)
        self._publisher = publisher
        self.queue = queue
        self._handler = handler
        self._concurrency = concurrency
        self._handling = 0
        self._freed = asyncio.Condition()
        self._at_work: set[asyncio.Task[None]] = set()
        self._tags: list[str] = []
        """Consumers of the queue itself, one for each message that may be here at a time."""
        self._dead_tags: list[str] = []
        self._turn = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._aborting = False

    @property
    def at_work(self) -> int:
        """How many deliveries this process holds."""
        return len(self._at_work)

    async def stop(self) -> None:
        """Take no more deliveries, wait for the handlers at work, settle them; idempotent.

        When this is cancelled (a drain deadline), the handlers are cancelled too, nothing of theirs
        is settled, and the broker delivers again.
        """
        self._stopping.set()
        try:
            await self._detach()
            await self._cancel_consumers()
            while self._at_work:
                await asyncio.wait(self._at_work)
        except asyncio.CancelledError:
            self._aborting = True
            await end_tasks(self._at_work)
            raise
        finally:
            await self._disconnect()

    async def resize(self, concurrency: int) -> None:
        """Take at most `concurrency` messages at a time from now on.

        A consumer's prefetch is fixed, and one for a whole channel unknown to quorum queues: so
        consumers of one message each are added and cancelled. One of several would have to be
        replaced to have fewer, and bring new messages beside those that it leaves at work.
        """
        self._concurrency = concurrency
        async with self._freed:
            self._freed.notify_all()
        async with self._turn:
            if self._channel is None or self._lost.is_set() or self._stopping.is_set():
                return  # attached again, it has as many
            # Where the connection breaks, the consumer is lost and comes back with this size.
            with contextlib.suppress(*CONNECTION_EXCEPTIONS, TimeoutError):
                await self._fit(self._channel)

    async def _begin(self, channel: AbstractChannel) -> None:
        async with self._turn:
            await channel.set_qos(prefetch_count=1)  # of each consumer
            self._tags = []
            await self._fit(channel)
            self._dead_tags = [await self._consume(channel, dead_queue(self.queue))]

    async def _fit(self, channel: AbstractChannel) -> None:
        """Have as many consumers as messages are wanted at a time."""
        while len(self._tags) > self._concurrency:
            await self._cancel(channel, self._tags.pop())
        while len(self._tags) < self._concurrency:
            self._tags.append(await self._consume(channel, self.queue.name))

    async def _consume(self, channel: AbstractChannel, name: str) -> str:
        queue = await channel.get_queue(name, ensure=False)
        exhausted = name != self.queue.name
        return str(await queue.consume(self._on_dead if exhausted else self._on_delivery))

    async def _cancel_consumers(self) -> None:
        async with self._turn:  # a change of size under way would leave one behind
            channel = self._channel
            if channel is None or self._lost.is_set():
                return
            with contextlib.suppress(*CONNECTION_EXCEPTIONS, TimeoutError):
                for tag in (*self._dead_tags, *self._tags):
                    await self._cancel(channel, tag)

    async def _cancel(self, channel: AbstractChannel, tag: str) -> None:
        underlay = await channel.get_underlay_channel()
        await underlay.basic_cancel(tag, timeout=_SETTLE_SECONDS)

    async def _on_delivery(self, message: AbstractIncomingMessage) -> None:
        self._take(message, exhausted=False)

    async def _on_dead(self, message: AbstractIncomingMessage) -> None:
        self._take(message, exhausted=True)

    def _take(self, message: AbstractIncomingMessage, *, exhausted: bool) -> None:
        task = asyncio.create_task(self._work(message, exhausted=exhausted))
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)

    async def _work(self, message: AbstractIncomingMessage, *, exhausted: bool) -> None:
        delivery = Delivery(self.queue, message.body, _attempt(message), exhausted)
        try:
            async with self._slot():
                disposition = await self._handle(delivery)
            await self._settle(message, delivery, disposition)
        except asyncio.CancelledError:
            if not self._aborting:  # the handler died, but not we: the slot must not stay taken
                await self._put_back(message)
            raise
        except (Unavailable, *CONNECTION_EXCEPTIONS, TimeoutError) as error:
            # The channel is gone, and with it the delivery: the broker delivers it again.
            _log.warning("delivery_not_settled", queue=self.queue.name, error=describe(error))

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """Hold one of the places for handlers: prefetch alone would not outlive a reconnect."""
        async with self._freed:
            await self._freed.wait_for(lambda: self._handling < self._concurrency)
            self._handling += 1
        try:
            yield
        finally:
            self._handling -= 1
            async with self._freed:
                self._freed.notify_all()

    async def _handle(self, delivery: Delivery) -> Disposition | None:
        """Run the handler; None when it raised, which its contract forbids."""
        if self._stopping.is_set():
            return GiveBack()
        try:
            return await self._handler(delivery)
        except Exception:  # noqa: BLE001 - one bad delivery must not end the consumer
            _log.exception("delivery_handler_raised", queue=self.queue.name)
            return None

    async def _settle(
        self, message: AbstractIncomingMessage, delivery: Delivery, disposition: Disposition | None
    ) -> None:
        match disposition:
            case Done():
                pass
            case None:
                await self._pause(_HOLD_SECONDS if delivery.exhausted else 0)
                return await self._put_back(message)
            case Retry(delay=delay):
                headers = _headers(message) | {ATTEMPT: delivery.attempt + 1}
                if not await self._send_copy(message, retry_queue(self.queue, delay), headers):
                    return await self._put_back(message)
            case GiveBack() if delivery.exhausted:
                return await self._put_back(message)
            case GiveBack():
                # A copy, as the broker counts what is put back, and a shutdown is no failure.
                if not await self._send_copy(message, self.queue.name, _headers(message)):
                    return await self._put_back(message)
        async with asyncio.timeout(_SETTLE_SECONDS):
            await message.ack()
        return None

    async def _send_copy(
        self, message: AbstractIncomingMessage, queue_name: str, headers: dict[str, str | int]
    ) -> bool:
        """Publish a copy until it is safe; False when shutdown does not let us wait for that."""
        parcel = Parcel(queue_name, message.body, headers, direct=True)
        while True:
            try:
                await self._publisher.publish([parcel])
            except Unavailable as error:
                _log.warning("delivery_waits", queue=queue_name, error=str(error))
                if self._stopping.is_set():
                    return False
                if message.channel.is_closed:
                    raise
                await self._pause(1)
            else:
                return True

    async def _put_back(self, message: AbstractIncomingMessage) -> None:
        with contextlib.suppress(*CONNECTION_EXCEPTIONS, TimeoutError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                await message.nack(requeue=True)

    async def _pause(self, seconds: float) -> None:
        """Wait, but not through a shutdown."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


class HintSubscription(Attached):
    """Hears messages through a queue that lives and dies with this process."""

    def __init__(
        self, link: Link, declare: Declare, types: Sequence[str], handler: HintHandler
    ) -> None:
        super().__init__(link, declare, f"hints ({', '.join(types)})")
        self._types = types
        self._handler = handler

    async def stop(self) -> None:
        """Stop listening; idempotent."""
        await self._detach()
        await self._disconnect()

    async def _begin(self, channel: AbstractChannel) -> None:
        arguments: FieldTable = {"x-max-length": _HINTS_KEPT, "x-overflow": "drop-head"}
        queue = await channel.declare_queue(exclusive=True, auto_delete=True, arguments=arguments)
        exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        for message_type in self._types:
            await queue.bind(exchange, message_type)
        await queue.consume(self._on_hint, no_ack=True)

    async def _on_hint(self, message: AbstractIncomingMessage) -> None:
        try:
            self._handler(message.body)
        except Exception:  # noqa: BLE001 - a hint may be missed, the listener must go on
            _log.exception("hint_handler_raised")


def _attempt(message: AbstractIncomingMessage) -> int:
    value = message.headers.get(ATTEMPT)
    return value if isinstance(value, int) and value > 0 else 1


def _headers(message: AbstractIncomingMessage) -> dict[str, str | int]:
    """Return our own headers of a message, without what the broker added."""
    return {
        key: value
        for key, value in message.headers.items()
        if key.startswith("medvid-") and isinstance(value, (str, int))
    }
