"""Delivers webhooks.

Deliveries are rows, written in the transaction of the event. Any number of gateways take due ones
under a lease; when a gateway dies its lease expires. So each event is sent at least once, or is
dead with a reason that its owner can read, and can have tried again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Final, Protocol
from uuid import UUID

import asyncpg
import orjson
import structlog

from services.gateway.webhooks.rules import Webhook, WebhookMessage, retry_delay, signed_headers
from shared.runtime.errors import Transient
from shared.storage.database import Connection, Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_BATCH: Final = 8
_GONE: Final = 410
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery taken to be tried now, for the `attempt`-th time."""

    event: WebhookMessage
    url: str
    secret: bytes
    attempt: int


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """The result of a delivery attempt: the response's status, or the reason why there is none."""

    status: int | None
    error: str | None

    @property
    def ok(self) -> bool:
        """Whether the receiver accepted it."""
        return self.status is not None and 200 <= self.status < 300


class Sender(Protocol):
    """Posts a body to an address."""

    async def send(self, url: str, body: bytes, headers: dict[str, str]) -> AttemptOutcome:
        """Send it, within bounds of time and bytes; never raises."""


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The SQL of deliveries; `lease_seconds` is longer than any attempt takes.

    Every method raises Transient when the database does not answer.
    """

    database: Database
    lease_seconds: float

    async def take_due(self, limit: int) -> list[DueDelivery]:
        """Take deliveries that are due; no other gateway gets them before the lease expires."""
        async with transient_errors():
            rows = await self.database.pool.fetch(
                _SQL["deliveries_take"], limit, self.lease_seconds
            )
        return [_due(row) for row in rows]

    async def delivered(self, delivery: DueDelivery, outcome: AttemptOutcome) -> None:
        """Note that the receiver accepted a delivery."""
        await self._settle("delivery_delivered", delivery, outcome.status)

    async def retry_later(
        self, delivery: DueDelivery, outcome: AttemptOutcome, seconds: float
    ) -> None:
        """Note that an attempt failed, and when the next is due."""
        await self._settle("delivery_put_off", delivery, outcome.status, outcome.error, seconds)

    async def give_up(self, delivery: DueDelivery, outcome: AttemptOutcome) -> None:
        """Note that a delivery is dead."""
        await self._settle("delivery_give_up", delivery, outcome.status, outcome.error)

    async def prune(self) -> None:
        """Delete deliveries that were settled long ago."""
        async with transient_errors():
            await self.database.pool.execute(_SQL["deliveries_forget"])

    async def _settle(self, query: str, delivery: DueDelivery, *facts: object) -> None:
        async with transient_errors():
            await self.database.pool.execute(
                _SQL[query], delivery.event.id, delivery.attempt, *facts
            )


def _due(row: asyncpg.Record) -> DueDelivery:
    event = WebhookMessage(
        id=row["id"],
        submission_id=row["submission_id"],
        kind=row["kind"],
        data=orjson.loads(row["data"]),
        happened_at=row["happened_at"],
    )
    return DueDelivery(event, row["url"], row["secret"], row["attempts"])


@dataclass(slots=True)
class DeliverWebhooks:
    """Delivers what is due, until it is stopped."""

    deliveries: Deliveries
    sender: Sender
    attempts: int
    first_seconds: float
    poll_seconds: float
    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random

    async def forever(self) -> None:
        """Deliver; retry when the database does not answer."""
        while True:
            try:
                busy = await self.deliver_due() == _BATCH
            except Transient as error:
                _log.warning("webhooks_wait", error=error.detail)
                busy = False
            if not busy:
                await asyncio.sleep(self.poll_seconds)

    async def deliver_due(self) -> int:
        """Try one batch of what is due; returns how many there were."""
        taken = await self.deliveries.take_due(_BATCH)
        await asyncio.gather(*(self._deliver(delivery) for delivery in taken))
        return len(taken)

    async def _deliver(self, delivery: DueDelivery) -> None:
        try:
            await self._attempt(delivery)
        except Transient as error:  # the lease expires, and it is tried again
            _log.warning("webhook_unsettled", error=error.detail)

    async def _attempt(self, delivery: DueDelivery) -> None:
        event = delivery.event
        body = body_of_event(event)
        headers = signed_headers(event.id, body, delivery.secret, int(self.clock()))
        outcome = await self.sender.send(delivery.url, body, headers)
        log = _log.bind(
            submission_id=str(event.submission_id), event_id=str(event.id), kind=event.kind
        )
        if outcome.ok:
            await self.deliveries.delivered(delivery, outcome)
            log.info("webhook_delivered", attempt=delivery.attempt)
        elif delivery.attempt >= self.attempts or outcome.status == _GONE:
            await self.deliveries.give_up(delivery, outcome)
            log.warning("webhook_dead", attempts=delivery.attempt, status=outcome.status)
        else:
            wait = retry_delay(delivery.attempt, self.first_seconds, self.chance())
            await self.deliveries.retry_later(delivery, outcome, wait)
            log.info("webhook_retry_scheduled", attempt=delivery.attempt, seconds=round(wait))


def body_of_event(event: WebhookMessage) -> bytes:
    """Return an event as JSON; the same bytes at every attempt."""
    return orjson.dumps(
        {
            "type": event.kind,
            "timestamp": event.happened_at.astimezone(UTC).isoformat(),
            "data": {"submission_id": str(event.submission_id), **event.data},
        }
    )


async def add_webhook(connection: Connection, submission_id: UUID, webhook: Webhook) -> None:
    """Store a submission's webhook in an open transaction."""
    await connection.execute(_SQL["webhook_add"], submission_id, webhook.url, webhook.secret)
