"""The outbox relay: what a transaction emitted reaches the bus, at least once.

Polling is the truth; a commit in this process only wakes the relay earlier. Any number of relays
may run: each takes rows that no other holds.
"""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg
import structlog

from shared.contracts.messages import Envelope, MalformedMessage
from shared.messaging.ports import Bus, Outgoing
from shared.runtime.errors import Unavailable
from shared.runtime.tracing import is_recording, parse_traceparent, record_past
from shared.storage.database import TRANSIENT_ERRORS, Database
from shared.storage.queries import load_queries

_SQL: Final = load_queries("shared.storage")
_BATCH: Final = 200
_log = structlog.get_logger(__name__)


class Relay:
    """Publishes the outbox until stopped."""

    def __init__(self, database: Database, bus: Bus, *, poll_seconds: float) -> None:
        self._database = database
        self._bus = bus
        self._poll_seconds = poll_seconds
        self._woken = asyncio.Event()
        database.on_commit_with_messages(self._woken.set)

    async def run(self) -> None:
        """Publish until cancelled; failures are logged and tried again with growing pauses."""
        pause = self._poll_seconds
        while True:
            try:
                self._woken.clear()
                while await self.publish_batch():
                    pass
                pause = self._poll_seconds
            except (Unavailable, *TRANSIENT_ERRORS) as error:
                _log.warning("outbox_relay_waits", error=str(error), seconds=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 5.0)
                continue
            await self._wait()

    async def publish_batch(self) -> bool:
        """Publish one batch; returns whether it was full, so that more may wait.

        The rows stay locked until the bus has confirmed them. A crash in between publishes them
        again, which consumers drop as seen.
        """
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(_SQL["outbox_take"], _BATCH)
            if not rows:
                return False
            await self._bus.publish(
                [Outgoing(row["message_id"], row["type"], row["body"]) for row in rows]
            )
            await transaction.connection.execute(
                _SQL["outbox_published"], [row["position"] for row in rows]
            )
        if is_recording():
            for row in rows:
                _record(row)
        return len(rows) == _BATCH

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._woken.wait()
        except TimeoutError:
            pass


def _record(row: asyncpg.Record) -> None:
    """Record how long a message waited in the outbox."""
    try:
        trace = parse_traceparent(Envelope.parse(row["body"]).traceparent)
    except MalformedMessage:  # its consumer will say so
        return
    if trace is not None:
        started = row["created_at"].timestamp()
        attributes = {"messaging.message.id": str(row["message_id"])}
        record_past(f"publish {row['type']}", "producer", trace, started, attributes)
