"""A bus that only records what it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.messaging.bus import DeliveryHandler, HintHandler, Listening, Outgoing, Subscription
from shared.messaging.topology import Queue
from shared.runtime.errors import Unavailable


class RecordingBus:
    """Records published messages; the first `failures` publishes raise Unavailable."""

    def __init__(self, failures: int = 0) -> None:
        self.published: list[Outgoing] = []
        self._failures = failures
        self._changed = asyncio.Event()

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        if self._failures:
            self._failures -= 1
            raise Unavailable("told to fail")
        self.published.extend(messages)
        self._changed.set()

    async def published_count(self, count: int) -> None:
        """Return once that many messages are published."""
        while len(self.published) < count:
            self._changed.clear()
            await self._changed.wait()

    async def consume(
        self, queue: Queue, handler: DeliveryHandler, *, concurrency: int
    ) -> Subscription:
        raise NotImplementedError

    async def listen(self, types: Sequence[str], handler: HintHandler) -> Listening:
        raise NotImplementedError

    async def depth(self, queue: Queue) -> int:
        raise NotImplementedError

    async def check(self) -> None:
        return

    async def close(self) -> None:
        return
