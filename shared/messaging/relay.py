"""The outbox relay: what a transaction emitted reaches the bus, at least once.

It polls; a commit in this process only wakes it earlier. Any number of relays
may run: each takes rows that no other holds.

A row never holds up those behind it. One that the bus refuses is tried again later by itself, as a
newer process may know its type; after the last attempt it becomes a dead letter. Where a whole
batch fails though the bus works, smaller ones find the row that is the cause.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from shared.contracts.messages import Envelope, MalformedMessage
from shared.messaging.bus import Bus, Outgoing, Refusal, Undeliverable
from shared.messaging.dead_letters import bury
from shared.messaging.topology import RETRY_DELAYS
from shared.runtime.errors import Unavailable
from shared.runtime.tracing import is_recording, parse_traceparent, record_past
from shared.storage.database import TRANSIENT_ERRORS, Database, Transaction
from shared.storage.queries import load_queries

OUTBOX: Final = "outbox"
"""The queue named by dead letters of messages that never reached one."""
_SQL: Final = load_queries("shared.storage")
_BATCH: Final = 200
_NARROWER: Final = 4
_log = structlog.get_logger(__name__)


class Relay:
    """Publishes the outbox until stopped."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        *,
        poll_seconds: float,
        retry_delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        self._database = database
        self._bus = bus
        self._poll_seconds = poll_seconds
        self._retry_delays = retry_delays
        self._size = _BATCH
        self._works = False  # something was published since a row failed by itself
        self._doubts = 0  # failures in a row while the bus answered
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
                while await self.publish_refused():
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
        size = self._size
        published = await self._publish(_SQL["outbox_take"], size)
        if published is None:
            return True
        self._size = min(_BATCH, size * _NARROWER)
        return published == size

    async def publish_refused(self) -> bool:
        """Publish one row that was refused before and is due; returns whether there was one."""
        return await self._publish(_SQL["outbox_take_refused"], 1) in (None, 1)

    async def _publish(self, take: str, size: int) -> int | None:
        """Publish at most `size` rows, each to its end or its next attempt; returns how many.

        None where it failed because of a row, though the bus works: the next try does better.
        """
        rows: list[asyncpg.Record] = []
        try:
            async with self._database.transaction() as transaction:
                rows = await transaction.connection.fetch(take, size)
                if not rows:
                    return 0
                refused = await self._hand_over(rows)
                safe = [row for row in rows if row["message_id"] not in refused]
                await transaction.connection.execute(
                    _SQL["outbox_published"], [row["position"] for row in safe]
                )
                for row in rows:
                    if row["message_id"] in refused:
                        await self._refuse(transaction, row, refused[row["message_id"]])
        except (Unavailable, *TRANSIENT_ERRORS) as error:
            if await self._is_a_rows_fault(rows, error):
                return None
            raise
        self._doubts = 0
        self._works = self._works or bool(safe)
        if is_recording():
            for row in safe:
                _record(row)
        return len(rows)

    async def _hand_over(self, rows: Sequence[asyncpg.Record]) -> Mapping[UUID, Refusal]:
        """Publish rows; returns what the bus refuses for good. Raises when the rest is not safe."""
        try:
            await self._bus.publish(
                [Outgoing(row["message_id"], row["type"], row["body"]) for row in rows]
            )
        except Undeliverable as error:
            return error.refused
        except (Unavailable, *TRANSIENT_ERRORS):
            raise
        except Exception as error:
            # No row may end the process: it would meet the row again after its restart.
            raise Unavailable(f"publishing failed: {type(error).__name__}: {error}") from error
        return {}

    async def _is_a_rows_fault(self, rows: Sequence[asyncpg.Record], error: Exception) -> bool:
        """After a failure: take fewer rows next, set a single one aside; not in an outage.

        Returns whether the bus has just worked for others, so that there is no need to wait.
        """
        try:
            await self._bus.check()
        except Unavailable:
            return False
        self._doubts += 1
        works = self._works
        if len(rows) == 1 and (self._doubts > 1 or rows[0]["retry_at"] is not None):
            await self._set_aside(rows[0]["position"], error)
        elif self._doubts > 1:  # a lost connection fails a batch once
            self._size = max(1, len(rows) // _NARROWER)
        return works

    async def _set_aside(self, position: int, error: Exception) -> None:
        """Retry a row that fails by itself later, apart from the others.

        It counts against the row only where others were published since the last such failure: a
        bus can fail for all rows in ways that no check finds.
        """
        counts, self._works, self._doubts = self._works, False, 0
        async with self._database.transaction() as transaction:
            row = await transaction.connection.fetchrow(_SQL["outbox_take_one"], position)
            if row is not None:  # else another relay has it
                reason = Refusal("not_published", str(error))
                await self._refuse(transaction, row, reason, counts=counts)

    async def _refuse(
        self, transaction: Transaction, row: asyncpg.Record, reason: Refusal, *, counts: bool = True
    ) -> None:
        """Try a row again later; after its last attempt record it as dead."""
        attempts = min(row["attempts"], len(self._retry_delays)) + counts
        facts = {"message_id": str(row["message_id"]), "type": row["type"], "attempt": attempts}
        if attempts <= len(self._retry_delays):
            delay = self._retry_delays[max(attempts, 1) - 1]
            await transaction.connection.execute(
                _SQL["outbox_refused"], row["position"], attempts, delay
            )
            _log.warning("outbox_row_refused", reason=reason.detail, delay=delay, **facts)
            return
        await bury(
            transaction,
            OUTBOX,
            row["message_id"],
            row["type"],
            code=reason.code,
            detail=reason.detail,
            attempts=attempts,
            body=row["body"],
        )
        await transaction.connection.execute(_SQL["outbox_published"], [row["position"]])
        _log.error("message_died", queue=OUTBOX, reason=reason.code, detail=reason.detail, **facts)

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
        record_past(f"publish {row['type']}", "producer", trace, started, row["message_id"])
