"""Calls about a submission's webhook: how its deliveries fare, and once more those that failed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from medvid.api.calls import API, Call, Submission, get, submission_path, submission_token
from medvid.api.submission_answers import Redelivery, WebhookDelivery, WebhookStatus
from medvid.api.transport import Transport

_PAGE_SIZE: Final = 200


async def deliveries(
    transport: Transport, submission: Submission, *, token: str | None = None
) -> AsyncGenerator[WebhookDelivery, None]:
    """Yield what a submission's webhook was told, or is to be told, newest first."""
    path = f"{submission_path(submission)}/webhook"
    owner = submission_token(submission, token)
    cursor: str | None = None
    while True:
        call = get(path, token=owner, cursor=cursor, limit=_PAGE_SIZE)
        page = await transport.ask(call, WebhookStatus)
        for delivery in page.deliveries:
            yield delivery
        cursor = page.next_cursor
        if cursor is None:
            return


async def redeliver(
    transport: Transport, submission: Submission, *, token: str | None = None
) -> Redelivery:
    """Have the deliveries tried again that were given up."""
    call = Call(
        "POST",
        f"{API}{submission_path(submission)}/webhook/redeliver",
        token=submission_token(submission, token),
    )
    return await transport.ask(call, Redelivery)
