"""A consumer of RabbitMQ that finds its way back after every loss.

Lost is: the connection or channel was closed, by whomever, or the broker cancelled the consumer
(its queue was deleted or moved). The way back is always the same: declare, open a channel, consume.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aio_pika.abc import AbstractChannel

from shared.messaging.rabbit.link import Link, broker_errors, close_channel, describe
from shared.runtime.errors import MedvidError, Unavailable
from shared.runtime.supervision import end_tasks

_ATTACH_SECONDS: Final = 30
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_log = structlog.get_logger(__name__)

Declare = Callable[[], Awaitable[None]]


class Attached(ABC):
    """A consumer that is attached to the broker, and again each time it was lost."""

    def __init__(self, link: Link, declare: Declare, name: str) -> None:
        self._link = link
        self._declare = declare
        self._name = name
        self._channel: AbstractChannel | None = None
        self._lost = asyncio.Event()
        self._lost.set()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Attach; raises Unavailable or Misconfigured when that fails this first time."""
        await self._attach()
        self._keeper = asyncio.create_task(self._keep_attached(), name=f"keeps {self._name}")

    def check(self) -> None:
        """Raise Unavailable while the consumer is lost; one that was stopped is not."""
        if self._keeper is not None and self._lost.is_set():
            raise Unavailable(f"the consumer of {self._name} is reconnecting")

    @abstractmethod
    async def _begin(self, channel: AbstractChannel) -> None:
        """Start consuming on a fresh channel."""

    async def _attach(self) -> None:
        async with broker_errors(f"consuming {self._name}"), asyncio.timeout(_ATTACH_SECONDS):
            await self._declare()
            channel = await self._link.open_channel(confirms=False)
            try:
                lost = asyncio.Event()
                underlay = await channel.get_underlay_channel()
                underlay.closing.add_done_callback(lambda _: lost.set())
                underlay.on_consumer_cancel_callbacks.add(lambda _: lost.set())
                await self._begin(channel)
            except BaseException:
                await close_channel(channel)
                raise
        self._channel, self._lost = channel, lost

    async def _keep_attached(self) -> None:
        while True:
            await self._lost.wait()
            _log.warning("consumer_lost", consumer=self._name)
            await close_channel(self._channel)
            await self._reattach()
            _log.info("consumer_attached_again", consumer=self._name)

    async def _reattach(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            # First of all a pause: a queue whose deletion cancelled us may not be gone yet, and
            # declaring it would find it. Spread out, so that a restarted broker is not met by all.
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
            pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                await self._attach()
            except Exception as error:  # noqa: BLE001 - whatever it was, consuming must go on
                advice = error.fix if isinstance(error, MedvidError) else ""
                _log.warning(
                    "consumer_not_attached",
                    consumer=self._name,
                    error=describe(error),
                    fix=advice,
                    seconds=pause,
                )
            else:
                return

    async def _detach(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            await end_tasks([keeper])

    async def _disconnect(self) -> None:
        self._lost.set()
        channel, self._channel = self._channel, None
        await close_channel(channel)
