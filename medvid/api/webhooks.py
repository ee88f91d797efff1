"""Calls about a submission's webhook: its deliveries, and another try of those that failed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from medvid.api.calls import Submission, get, post, submission_path, submission_token
from medvid.api.transport import Transport
from medvid.models.webhooks import Redelivery, WebhookDelivery, WebhookStatus

_PAGE_SIZE: Final = 200


async def deliveries(
    transport: Transport, submission: Submission, *, token: str | None = None
) -> AsyncGenerator[WebhookDelivery, None]:
    """Yield the deliveries to a submission's webhook, made or to be made, newest first."""
    owner = submission_token(submission, token)
    call = get(f"{submission_path(submission)}/webhook", token=owner, limit=_PAGE_SIZE)
    async for page in transport.pages(call, WebhookStatus):
        for delivery in page.deliveries:
            yield delivery


async def redeliver(
    transport: Transport, submission: Submission, *, token: str | None = None
) -> Redelivery:
    """Have the deliveries tried again that were given up."""
    path = f"{submission_path(submission)}/webhook/redeliver"
    call = post(path, token=submission_token(submission, token))
    return await transport.ask(call, Redelivery)
