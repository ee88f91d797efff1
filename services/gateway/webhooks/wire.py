"""What the API answers about webhooks."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field

from services.gateway.web.models import Answer
from services.gateway.webhooks.handlers import DeliveryState, StoredDelivery


class WebhookHeaders(Answer):
    """What proves who sent an event, and when (standardwebhooks.com)."""

    webhook_id: UUID = Field(
        alias="Webhook-Id", description="the event's, the same at every attempt"
    )
    webhook_timestamp: int = Field(
        alias="Webhook-Timestamp", description="of this attempt, in seconds since 1970"
    )
    webhook_signature: str = Field(
        alias="Webhook-Signature",
        description="'v1,' and the base64 of the HMAC-SHA256, with the webhook's secret, of id, "
        "timestamp and body, joined by full stops",
    )


class WebhookEventData(Answer):
    """What happened. Of a judge run there is more: `run_id`, `reason`, `items`, `items_done`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    submission_id: UUID
    state: str


class WebhookEvent(Answer):
    """A change of state, as it is told to a submission's webhook."""

    type: str = Field(
        description="'submission.' or 'judging.' and the new state",
        examples=["submission.ranked", "judging.completed"],
    )
    timestamp: datetime = Field(description="when it happened")
    data: WebhookEventData


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
