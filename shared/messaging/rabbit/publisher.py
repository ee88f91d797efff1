"""Publishing to RabbitMQ: mandatory, confirmed, in time, or Unavailable.

A message that was not confirmed may have arrived all the same: the caller publishes again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractExchange
from aio_pika.exceptions import PublishError

from shared.messaging.rabbit.link import (
    Link,
    NoRight,
    broker_errors,
    close_channel,
    describe,
    nothing_to_configure,
)
from shared.messaging.rabbit.topology import EXCHANGE, declare_topology
from shared.messaging.topology import Queue
from shared.runtime.errors import Unavailable

ATTEMPT: Final = "medvid-attempt"
MESSAGE_ID: Final = "medvid-message-id"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message with its address.

    `routing_key` is a message type, or with `direct` the name of a queue. A `mandatory` one must
    reach a queue.
    """

    routing_key: str
    body: bytes
    headers: dict[str, str | int]
    direct: bool = False
    mandatory: bool = True

    def to_message(self) -> Message:
        """Return what travels.

        The AMQP property message_id stays unset: the client library finds the message that a
        broker returns by it, and mixes up two copies of a message that are under way at once.
        """
        return Message(
            self.body,
            headers=dict(self.headers),
            content_type="application/json",
            delivery_mode=DeliveryMode.PERSISTENT,
        )


class Publisher:
    """Publishes over a connection of its own, as the broker may block it."""

    def __init__(self, link: Link, queues: Sequence[Queue], timeout_seconds: float) -> None:
        self._link = link
        self._owned: dict[str, list[Queue]] = {}
        for queue in queues:
            self._owned.setdefault(queue.owner, []).append(queue)
        self._timeout = timeout_seconds
        self._lock = asyncio.Lock()
        self._channel: AbstractChannel | None = None

    async def publish(self, parcels: Sequence[Parcel]) -> None:
        """Return once all are safe in their queues; raises Unavailable when that is not known."""
        try:
            with nothing_to_configure():
                async with asyncio.timeout(self._timeout):
                    returned = await self._send(parcels)
                    if returned:  # a queue or a binding was deleted
                        await self.declare()
                        returned = await self._send(returned)
        except TimeoutError as error:
            raise await self._timed_out() from error
        if returned:
            keys = sorted({parcel.routing_key for parcel in returned})
            raise Unavailable(f"RabbitMQ has no queue for {', '.join(keys)}")

    async def open(self) -> None:
        """Connect and declare the topology; raises Unavailable or Misconfigured."""
        await self._ready_channel()

    async def declare(self) -> None:
        """Make what is missing of the topology; raises Misconfigured where a queue differs.

        A service's user may have no right to the queues of others: their owner makes those.
        """
        for owner, queues in tuple(self._owned.items()):
            channel = await self._link.open_channel(confirms=True)
            try:
                async with broker_errors(f"declaring queues of {owner}"):
                    await declare_topology(channel, queues)
            except NoRight as error:
                _log.info("queues_left_to_owner", owner=owner, reason=str(error))
                self._owned.pop(owner, None)  # several declare at once
            finally:
                await close_channel(channel)

    async def check(self) -> None:
        """Return when publishing is possible; raises Unavailable otherwise."""
        if await self._link.is_blocked():
            raise _blocked()
        await close_channel(await self._link.open_channel(confirms=True))

    async def close(self) -> None:
        """Disconnect; idempotent."""
        await self._link.close()

    async def _send(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Publish all at once; returns those that no queue took."""
        channel = await self._ready_channel()
        exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        results = await asyncio.gather(
            *(
                _publish(channel.default_exchange if parcel.direct else exchange, parcel)
                for parcel in parcels
            ),
            return_exceptions=True,
        )
        returned = []
        failures = []
        for parcel, result in zip(parcels, results, strict=True):
            if isinstance(result, PublishError):
                returned.append(parcel)
            elif isinstance(result, BaseException):
                failures.append(result)
        if failures:
            raise Unavailable(
                f"RabbitMQ did not confirm {len(failures)} of {len(parcels)} messages: "
                f"{describe(failures[0])}"
            )
        return returned

    async def _ready_channel(self) -> AbstractChannel:
        if await self._link.is_blocked():
            raise _blocked()
        async with self._lock:
            if self._channel is None or self._channel.is_closed:
                await close_channel(self._channel)
                await self.declare()  # what closed the channel may have been a missing exchange
                self._channel = await self._link.open_channel(confirms=True)
            return self._channel

    async def _timed_out(self) -> Unavailable:
        if await self._link.is_blocked():
            # The connection is kept: as long as it is blocked, nothing more is sent into it.
            return _blocked()
        # It may be half open; heartbeats would take longer to find that out.
        with contextlib.suppress(Unavailable):
            await self._link.drop()
        return Unavailable(
            f"RabbitMQ did not confirm within {self._timeout:g} s; unknown whether it arrived"
        )


async def _publish(exchange: AbstractExchange, parcel: Parcel) -> None:
    await exchange.publish(parcel.to_message(), parcel.routing_key, mandatory=parcel.mandatory)


def _blocked() -> Unavailable:
    return Unavailable("RabbitMQ blocks publishers: a memory or disk alarm")
