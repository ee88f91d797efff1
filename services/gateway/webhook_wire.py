"""What the API answers about webhooks."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from services.gateway.webhooks import DeliveryState, StoredDelivery
from services.gateway.wire import Answer


class WebhookDelivery(Answer):
    """What a webhook was told, or is to be told."""

    id: UUID = Field(description="the event's, sent as Webhook-Id at every attempt")
    submission_id: UUID
    kind: str = Field(examples=["submission.ranked", "judging.completed"])
    happened_at: datetime
    state: DeliveryState = Field(description="dead: given up, until it is asked for again")
    attempts: int
    next_attempt_at: datetime | None = Field(description="null once it is delivered or dead")
    status: int | None = Field(description="of the last answer")
    error: str | None = Field(description="why the last attempt failed")
    settled_at: datetime | None

    @classmethod
    def of(cls, stored: StoredDelivery) -> WebhookDelivery:
        """Return it as it is told."""
        return cls(
            id=stored.id,
            submission_id=stored.submission_id,
            kind=stored.kind,
            happened_at=stored.happened_at,
            state=stored.state,
            attempts=stored.attempts,
            next_attempt_at=stored.due_at if stored.state == "waiting" else None,
            status=stored.status,
            error=stored.error,
            settled_at=stored.settled_at,
        )


class DeliveryPage(Answer):
    """Deliveries, newest first; `next_cursor` is null on the last page."""

    deliveries: list[WebhookDelivery]
    next_cursor: str | None


class WebhookStatus(DeliveryPage):
    """A submission's webhook, and its deliveries."""

    url: str


class Redelivery(Answer):
    """How many dead deliveries are tried again."""

    revived: int
