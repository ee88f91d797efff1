"""From a delivery to its handler, and from what the handler raised to a disposition.

| outcome                         | disposition                                             |
|---------------------------------|---------------------------------------------------------|
| committed, or already seen      | done                                                    |
| malformed, permanent            | recorded as dead letter, done                           |
| unknown type or version         | delayed retry: a newer process may know it; then dead   |
| transient                       | delayed retry; after the last attempt a dead letter     |
| its consumers died each time    | the same, without work                                  |
| cancelled by shutdown           | nothing: the bus delivers again                         |
| anything else                   | recorded as dead letter with an error log, done         |

A dead letter is recorded in the transaction that also settles what the message was about
(`give_up`), so that nothing stays unfinished without a visible reason. Where even that fails, the
delivery is retried: it is not forgotten before it is either done or recorded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import structlog

from shared.contracts.messages import Envelope, MalformedMessage, Message, UnknownMessage
from shared.messaging.bus import Delivery, Disposition, Done, Retry
from shared.messaging.dead_letters import bury, storable
from shared.runtime.errors import MedvidError, Permanent, Transient, Unavailable
from shared.runtime.metrics import MESSAGE_HANDLING_SECONDS, MESSAGES_HANDLED, STAGE_SECONDS
from shared.runtime.tracing import Trace, continuing, parse_traceparent, span
from shared.storage.database import TRANSIENT_ERRORS, AlreadySeen, Database, Transaction
from shared.storage.queries import load_queries

_SQL: Final = load_queries("shared.storage")
_log = structlog.get_logger(__name__)

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Route(Generic[M]):
    """What to do with one type of message.

    `handle(envelope, message)` does the work and commits it (with `Database.once`).
    `give_up(transaction, message, code, detail)` settles what the message was about when it dies.
    """

    message: type[M]
    handle: Callable[[Envelope, M], Awaitable[None]]
    give_up: Callable[[Transaction, M, str, str], Awaitable[None]] | None = None


class Consumer:
    """Handles the deliveries of one queue; use `handle` as the bus's delivery handler."""

    def __init__(self, database: Database, *routes: Route[Any]) -> None:
        self._database = database
        self._routes = {route.message: route for route in routes}

    async def handle(self, delivery: Delivery) -> Disposition:
        """Work on a delivery to its end; never raises but for cancellation."""
        with structlog.contextvars.bound_contextvars(queue=delivery.queue.name):
            try:
                envelope = Envelope.parse(delivery.body)
                message = envelope.message()
            except UnknownMessage as error:
                return await self._wait_for_another(delivery, error)
            except MalformedMessage as error:
                return await self._die(delivery, None, None, error.error_code, error.detail)
            with (
                structlog.contextvars.bound_contextvars(
                    message_id=str(envelope.id),
                    correlation_id=str(envelope.correlation_id),
                    submission_id=str(getattr(message, "submission_id", "")) or None,
                ),
                continuing(trace_of(envelope)),
            ):
                return await self._work(delivery, envelope, message)

    async def _work(self, delivery: Delivery, envelope: Envelope, message: Message) -> Disposition:
        route = self._routes.get(type(message))
        if route is None:
            detail = f"{delivery.queue.name} has no handler for {envelope.type}"
            return await self._die(delivery, envelope, message, "unroutable", detail)
        if delivery.exhausted:
            # No proof that the message killed them: a retry will show.
            died = Transient("its consumers died or hung each time.", code="delivery_limit")
            return await self._retry(delivery, envelope, message, died)
        try:
            if not await _handled(route, delivery, envelope, message):
                return self._count(delivery, envelope.type, "seen", Done())
        except Permanent as error:
            return await self._die(delivery, envelope, message, error.error_code, error.detail)
        except (Transient, Unavailable, *TRANSIENT_ERRORS) as error:
            return await self._retry(delivery, envelope, message, error)
        except Exception as error:  # noqa: BLE001 - the last line of defence, logged with traceback
            _log.exception("message_handler_failed")
            detail = f"{type(error).__name__}: {error}"
            return await self._die(delivery, envelope, message, "handler_failed", detail)
        waited = (datetime.now(UTC) - envelope.occurred_at).total_seconds()
        STAGE_SECONDS.labels(delivery.queue.name, envelope.type).observe(max(0.0, waited))
        return self._count(delivery, envelope.type, "done", Done())

    async def _wait_for_another(self, delivery: Delivery, error: UnknownMessage) -> Disposition:
        """Retry a message of a newer version later: while versions change, both run."""
        if delivery.attempt >= delivery.queue.max_attempts:
            envelope = Envelope.parse(delivery.body)
            return await self._die(delivery, envelope, None, error.error_code, error.detail)
        delay = delivery.queue.retry_delays[delivery.attempt - 1]
        _log.warning("message_unknown", attempt=delivery.attempt, delay=delay, error=error.detail)
        return self._count(delivery, "unknown", "retried", Retry(delay))

    async def _retry(
        self, delivery: Delivery, envelope: Envelope, message: Message, error: Exception
    ) -> Disposition:
        if delivery.attempt >= delivery.queue.max_attempts:
            code = error.error_code if isinstance(error, MedvidError) else "transient"
            detail = f"failed {delivery.attempt} times, last: {error}"
            return await self._die(delivery, envelope, message, code, detail)
        delay = delivery.queue.retry_delays[delivery.attempt - 1]
        _log.warning("message_retried", attempt=delivery.attempt, delay=delay, error=str(error))
        return self._count(delivery, envelope.type, "retried", Retry(delay))

    async def _die(
        self,
        delivery: Delivery,
        envelope: Envelope | None,
        message: Message | None,
        code: str,
        detail: str,
    ) -> Disposition:
        route = self._routes.get(type(message)) if message is not None else None
        label = envelope.type if message is not None and envelope is not None else "unknown"
        try:
            async with self._database.transaction() as transaction:
                await _record(transaction, delivery, envelope, code, detail)
                if message is not None and route is not None and route.give_up is not None:
                    await route.give_up(transaction, message, code, storable(detail))
        except Exception as error:  # noqa: BLE001 - whatever it is, the delivery must not be lost
            _log.exception("dead_letter_not_recorded", error=str(error))
            return self._count(delivery, label, "retried", Retry(delivery.queue.retry_delays[-1]))
        _log.error("message_died", reason=code, detail=detail, attempt=delivery.attempt)
        return self._count(delivery, label, "died", Done())

    @staticmethod
    def _count(
        delivery: Delivery, message_type: str, outcome: str, disposition: Disposition
    ) -> Disposition:
        MESSAGES_HANDLED.labels(delivery.queue.name, message_type, outcome).inc()
        return disposition


async def _handled(
    route: Route[Any], delivery: Delivery, envelope: Envelope, message: Message
) -> bool:
    """Let the handler work, as a span; False where its work was committed before."""
    with (
        span(f"process {envelope.type}", "consumer", _attributes(delivery, envelope)) as under_way,
        MESSAGE_HANDLING_SECONDS.labels(delivery.queue.name, envelope.type).time(),
    ):
        try:
            await route.handle(envelope, message)
        except AlreadySeen:
            if under_way is not None:
                under_way.set_attribute("medvid.outcome", "seen")
            return False
    return True


def trace_of(envelope: Envelope) -> Trace:
    """Return the trace that a message belongs to.

    Where its sender recorded no spans the trace has the correlation's id, so that one search finds
    everything; its sender's span then exists nowhere.
    """
    given = parse_traceparent(envelope.traceparent)
    return given or Trace(envelope.correlation_id.hex, envelope.id.hex[:16])


def _attributes(delivery: Delivery, envelope: Envelope) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        "messaging.destination.name": delivery.queue.name,
        "messaging.message.id": str(envelope.id),
        "messaging.operation.type": "process",
        "medvid.attempt": delivery.attempt,
    }
    if "submission_id" in envelope.data:
        attributes["medvid.submission_id"] = str(envelope.data["submission_id"])
    return attributes


async def _record(
    transaction: Transaction, delivery: Delivery, envelope: Envelope | None, code: str, detail: str
) -> None:
    await bury(
        transaction,
        delivery.queue.name,
        # A body without an envelope is its own identity: it dies once, however often it comes.
        envelope.id if envelope else UUID(bytes=hashlib.sha256(delivery.body).digest()[:16]),
        envelope.type if envelope else None,
        code=code,
        detail=detail,
        attempts=delivery.attempt,
        body=delivery.body,
    )
