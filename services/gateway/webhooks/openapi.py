"""The part of the API's description that tells what webhooks are sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from services.gateway.web.schemas import Schemas, Use
from services.gateway.webhooks.wire import WebhookEvent, WebhookHeaders


def webhook_models() -> Iterator[tuple[type[BaseModel], Use]]:
    """Yield the models of what is sent, each with what it is for."""
    yield WebhookEvent, "answer"
    yield WebhookHeaders, "parameters"


def webhooks(schemas: Schemas) -> dict[str, Any]:
    """Return what is sent to a submission's `webhook_url`."""
    return {
        "submissionChanged": {
            "post": {
                "summary": "A submission, or its judging, changed its state",
                "description": "Sent to the submission's `webhook_url`, at least once for each "
                "change. An answer of 2xx ends it, 410 too; anything else, and no answer in time, "
                "is tried again for about a day.",
                "tags": ["webhooks"],
                "parameters": list(schemas.parameters(WebhookHeaders, "header")),
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": schemas.answer(WebhookEvent)}},
                },
                "responses": {"2XX": {"description": "You have it. The body is not read."}},
            }
        }
    }
