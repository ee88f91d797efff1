"""Operations of webhooks."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from medvid.models.webhooks import (
    DeliveryPage,
    DeliveryState,
    Redelivery,
    WebhookDelivery,
    WebhookEvent,
    WebhookHeaders,
    WebhookStatus,
)
from services.gateway.accounts.rules import Caller
from services.gateway.submissions.access import SubmissionId
from services.gateway.web.endpoints import ADMIN, OWNERS
from services.gateway.web.openapi import OutgoingCall
from services.gateway.web.paging import cursor_of, cut, position_of
from services.gateway.web.parameters import PageQuery
from services.gateway.web.router import Router
from services.gateway.webhooks.service import Webhooks

router: Final = Router("webhooks")
_PROBLEMS: Final = ("submission_not_found", "webhook_not_found", "not_the_owner")


SUBMISSION_CHANGED: Final = OutgoingCall(
    name="submissionChanged",
    summary="A submission, its judging, or a published objection to it changed its state",
    description="Sent to the submission's `webhook_url`, at least once for each change. An answer "
    "of 2xx ends it, 410 too; anything else, and no answer in time, is tried again for about a "
    "day.",
    tag="webhooks",
    body=WebhookEvent,
    headers=WebhookHeaders,
    responses={"2XX": "You have it. The body is not read."},
)


class DeliveriesQuery(PageQuery):
    """Which deliveries are asked for."""

    state: DeliveryState | None = Field(None, description="what became of them")


@router.get("/submissions/{id}/webhook", reply="Its deliveries.", access=OWNERS, problems=_PROBLEMS)
async def read_webhook(
    webhooks: Webhooks, id: SubmissionId, caller: Caller, query: PageQuery
) -> WebhookStatus:
    """Read the state of a webhook."""
    url = await webhooks.url(id, caller)
    found = await webhooks.deliveries(id, None, position_of(query.cursor), query.limit + 1)
    shown, cursor = cut(found, query.limit, _cursor)
    return WebhookStatus(url=url, deliveries=shown, next_cursor=cursor)


@router.post(
    "/submissions/{id}/webhook/redeliver",
    reply="They are due again.",
    status=202,
    access=OWNERS,
    problems=_PROBLEMS,
)
async def redeliver(webhooks: Webhooks, id: SubmissionId, caller: Caller) -> Redelivery:
    """Try dead deliveries again."""
    return Redelivery(revived=await webhooks.redeliver(id, caller))


@router.get("/webhook-deliveries", reply="A page, newest first.", access=ADMIN)
async def list_deliveries(webhooks: Webhooks, query: DeliveriesQuery) -> DeliveryPage:
    """List the deliveries of all webhooks."""
    found = await webhooks.deliveries(None, query.state, position_of(query.cursor), query.limit + 1)
    shown, cursor = cut(found, query.limit, _cursor)
    return DeliveryPage(deliveries=shown, next_cursor=cursor)


def _cursor(delivery: WebhookDelivery) -> str:
    return cursor_of((delivery.happened_at, delivery.id))
