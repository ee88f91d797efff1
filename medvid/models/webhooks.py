"""What is sent to webhooks, and what the API says about deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from medvid.models.base import Answer, Open, Page

DeliveryState = Literal["waiting", "delivered", "dead"]


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
    """What happened. Of a judge run there is more: `run_id`, `reason`, `items`, `items_done`.

    Of an objection `objection_id`, and its `state` is the objection's.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    submission_id: UUID
    state: str


class WebhookEvent(Answer):
    """A change of state, as a submission's webhook gets it."""

    type: str = Field(
        description="'submission.', 'judging.' or 'objection.' and the new state",
        examples=["submission.ranked", "judging.completed"],
    )
    timestamp: datetime = Field(description="when it happened")
    data: WebhookEventData


class WebhookDelivery(Answer):
    """What a webhook was sent, or is to be sent."""

    id: UUID = Field(description="the event's, sent as Webhook-Id at every attempt")
    submission_id: UUID
    kind: str = Field(examples=["submission.ranked", "judging.completed"])
    happened_at: datetime
    state: Open[DeliveryState] = Field(description="dead: given up, until it is asked for again")
    attempts: int
    next_attempt_at: datetime | None = Field(description="null once it is delivered or dead")
    status: int | None = Field(description="of the last answer")
    error: str | None = Field(description="why the last attempt failed")
    settled_at: datetime | None


class DeliveryPage(Page):
    """Deliveries, newest first; `next_cursor` is null on the last page."""

    deliveries: list[WebhookDelivery]
    next_cursor: str | None


class WebhookStatus(DeliveryPage):
    """A submission's webhook, and its deliveries."""

    url: str


class Redelivery(Answer):
    """How many dead deliveries are tried again."""

    revived: int
