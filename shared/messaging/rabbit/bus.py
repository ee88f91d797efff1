"""The bus over RabbitMQ (3.10 or newer). How its queues look: `topology`.

Publishing and consuming have a connection each: an alarm of the broker blocks publishers, and must
not keep consumers from settling what they have done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

from shared.messaging.bus import (
    DeliveryHandler,
    HintHandler,
    Outgoing,
    Undeliverable,
    refusals,
)
from shared.messaging.rabbit.consumer import HintSubscription, QueueSubscription
from shared.messaging.rabbit.link import (
    Link,
    broker_errors,
    close_channel,
    nothing_to_configure,
    parse_url,
)
from shared.messaging.rabbit.publisher import MESSAGE_ID, Parcel, Publisher
from shared.messaging.rabbit.topology import all_queues
from shared.messaging.topology import QUEUES, Queue

PUBLISH_SECONDS: Final = 10.0
_DEPTH_SECONDS: Final = 10


async def connect_rabbit(
    url: str,
    queues: Sequence[Queue] = QUEUES,
    *,
    name: str = "medvid",
    publish_seconds: float = PUBLISH_SECONDS,
) -> RabbitBus:
    """Connect and declare the queues.

    Raises Unavailable when the broker does not answer, Misconfigured when URL, user, virtual host
    or existing queues are not as they must be. `name` shows in the broker's list of connections.
    """
    address = parse_url(url)
    consuming = Link(address, f"{name} consumes")
    publisher = Publisher(Link(address, f"{name} publishes"), queues, publish_seconds)
    bus = RabbitBus(consuming, publisher, queues)
    try:
        await publisher.open()
    except BaseException:
        await bus.close()
        raise
    return bus


class RabbitBus:
    """A durable bus between processes; see the port for its promises."""

    def __init__(self, consuming: Link, publisher: Publisher, queues: Sequence[Queue]) -> None:
        self._consuming = consuming
        self._publisher = publisher
        self._bound = frozenset(kind for queue in queues for kind in queue.types)
        self._subscriptions: list[QueueSubscription] = []
        self._listeners: list[HintSubscription] = []

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Publish all at once and wait for the broker's confirms.

        What is too large or has no queue is not sent: the broker would close the channel for all.
        """
        refused = refusals(messages, self._bound)
        await self._publisher.publish(
            [
                Parcel(
                    message.type,
                    message.body,
                    {MESSAGE_ID: str(message.message_id)},
                    mandatory=message.type in self._bound,  # a hint may have no listener
                )
                for message in messages
                if message.message_id not in refused
            ]
        )
        if refused:
            raise Undeliverable(refused)

    async def consume(
        self, queue: Queue, handler: DeliveryHandler, *, concurrency: int
    ) -> QueueSubscription:
        """Start delivering the queue's messages and, as exhausted, its dead letters."""
        subscription = QueueSubscription(
            self._consuming, self._publisher, queue, handler, concurrency
        )
        await subscription.start()
        self._subscriptions.append(subscription)
        return subscription

    async def listen(self, types: Sequence[str], handler: HintHandler) -> HintSubscription:
        """Call the handler for messages of these types that any process publishes."""
        listener = HintSubscription(self._consuming, self._publisher.declare, types, handler)
        await listener.start()
        self._listeners.append(listener)
        return listener

    async def depth(self, queue: Queue) -> int:
        """Return how many messages wait, for a retry and as dead letters too, or are held here.

        What other processes hold is not known over AMQP, only to the management API.
        """
        with nothing_to_configure():
            channel = await self._consuming.open_channel(confirms=False)
        waiting = 0
        try:
            async with broker_errors("counting messages"), asyncio.timeout(_DEPTH_SECONDS):
                for name in all_queues(queue):
                    found = await channel.declare_queue(name, durable=True, passive=True)
                    waiting += found.declaration_result.message_count or 0
        finally:
            await close_channel(channel)
        return waiting + sum(sub.at_work for sub in self._subscriptions if sub.queue == queue)

    async def check(self) -> None:
        """Return when both connections answer and every consumer is attached."""
        for attached in (*self._subscriptions, *self._listeners):
            attached.check()
        with nothing_to_configure():
            await self._publisher.check()
            await close_channel(await self._consuming.open_channel(confirms=False))

    async def close(self) -> None:
        """Stop every subscription, then disconnect; idempotent."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._consuming.close)
            stack.push_async_callback(self._publisher.close)
            subscriptions, self._subscriptions = self._subscriptions, []
            listeners, self._listeners = self._listeners, []
            await asyncio.gather(
                *(subscription.stop() for subscription in subscriptions),
                *(listener.stop() for listener in listeners),
            )
