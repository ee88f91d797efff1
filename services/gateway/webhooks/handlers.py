"""The gateway's use cases about webhooks: deliver what is due, show an owner how it went.

Deliveries are rows, written in the transaction of what they tell. Any number of gateways take them
in turns under a lease; one that dies leaves its lease to run out. So an event is told at least
once, or is dead with a reason that its owner can read, and have tried again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, Protocol
from uuid import UUID

import orjson
import structlog

from services.gateway.accounts.rules import Caller
from services.gateway.judging.handlers import Access
from services.gateway.web.paging import Position
from services.gateway.webhooks.rules import Event, retry_delay, signed_headers
from shared.runtime.errors import NotFound, Transient

DeliveryState = Literal["waiting", "delivered", "dead"]
_BATCH: Final = 8
_GONE: Final = 410
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery taken to be tried now, for the `attempt`-th time."""

    event: Event
    url: str
    secret: bytes
    attempt: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went: the answer's status, or the reason why there is none."""

    status: int | None
    error: str | None

    @property
    def ok(self) -> bool:
        """Whether the other side took it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A delivery as its owner may see it."""

    id: UUID
    submission_id: UUID
    kind: str
    happened_at: datetime
    state: DeliveryState
    attempts: int
    due_at: datetime
    status: int | None
    error: str | None
    settled_at: datetime | None


class WebhookStore(Protocol):
    """Deliveries in storage. Every method raises Transient when it cannot answer now."""

    async def take_due(self, limit: int) -> Sequence[DueDelivery]:
        """Take deliveries that are due; nobody else gets them while our lease lasts."""

    async def delivered(self, delivery: DueDelivery, outcome: Outcome) -> None:
        """Note that a delivery was taken by the other side."""

    async def put_off(self, delivery: DueDelivery, outcome: Outcome, seconds: float) -> None:
        """Note that an attempt failed, and when the next is due."""

    async def give_up(self, delivery: DueDelivery, outcome: Outcome) -> None:
        """Note that a delivery is dead."""

    async def url(self, submission_id: UUID) -> str | None:
        """Return where a submission's events are told; None: nowhere."""

    async def page(
        self,
        submission_id: UUID | None,
        state: DeliveryState | None,
        before: Position | None,
        limit: int,
    ) -> Sequence[StoredDelivery]:
        """Return deliveries, newest first: a submission's, or everybody's."""

    async def revive(self, submission_id: UUID) -> int:
        """Make a submission's dead deliveries due again; returns how many."""


class Sender(Protocol):
    """Carries a body to an address."""

    async def send(self, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
        """Send it, within bounds of time and bytes; never raises."""


@dataclass(slots=True)
class DeliverWebhooks:
    """Delivers what is due, until it is stopped."""

    store: WebhookStore
    sender: Sender
    attempts: int
    first_seconds: float
    poll_seconds: float
    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random

    async def forever(self) -> None:
        """Deliver; a database that does not answer is asked again."""
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
        taken = await self.store.take_due(_BATCH)
        await asyncio.gather(*(self._deliver(delivery) for delivery in taken))
        return len(taken)

    async def _deliver(self, delivery: DueDelivery) -> None:
        try:
            await self._attempt(delivery)
        except Transient as error:  # its lease runs out, and it is tried again
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
            await self.store.delivered(delivery, outcome)
            log.info("webhook_delivered", attempt=delivery.attempt)
        elif delivery.attempt >= self.attempts or outcome.status == _GONE:
            await self.store.give_up(delivery, outcome)
            log.warning("webhook_dead", attempts=delivery.attempt, status=outcome.status)
        else:
            wait = retry_delay(delivery.attempt, self.first_seconds, self.chance())
            await self.store.put_off(delivery, outcome, wait)
            log.info("webhook_put_off", attempt=delivery.attempt, seconds=round(wait))


def body_of_event(event: Event) -> bytes:
    """Return the JSON that tells an event; the same bytes at every attempt."""
    return orjson.dumps(
        {
            "type": event.kind,
            "timestamp": event.happened_at.astimezone(UTC).isoformat(),
            "data": {"submission_id": str(event.submission_id), **event.data},
        }
    )


@dataclass(frozen=True, slots=True)
class FollowWebhook:
    """Shows owners what became of their deliveries, and administrators everybody's."""

    access: Access
    store: WebhookStore

    async def of_submission(
        self, submission_id: UUID, caller: Caller, before: Position | None, limit: int
    ) -> tuple[str, Sequence[StoredDelivery]]:
        """Return the address and its deliveries; raises NotFound, NotAllowed."""
        await self.access.check(submission_id, caller)
        return await self._url(submission_id), await self.store.page(
            submission_id, None, before, limit
        )

    async def redeliver(self, submission_id: UUID, caller: Caller) -> int:
        """Try a submission's dead deliveries again; returns how many there were."""
        await self.access.check(submission_id, caller)
        await self._url(submission_id)
        revived = await self.store.revive(submission_id)
        _log.info("webhooks_revived", submission_id=str(submission_id), count=revived)
        return revived

    async def of_everybody(
        self, caller: Caller, state: DeliveryState | None, before: Position | None, limit: int
    ) -> Sequence[StoredDelivery]:
        """Return all deliveries in a state; raises NotAllowed."""
        self.access.rules.require_administrator(caller)
        return await self.store.page(None, state, before, limit)

    async def _url(self, submission_id: UUID) -> str:
        url = await self.store.url(submission_id)
        if url is None:
            raise NotFound(
                "the submission has no webhook.",
                fix="Give 'webhook_url' when you submit.",
                code="webhook_not_found",
            )
        return url
