"""Addresses of webhooks and what answers them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web
from pydantic import Field

from services.gateway.accounts.callers import Callers
from services.gateway.web.endpoints import Access, Endpoint, json_reply
from services.gateway.web.paging import cursor_of, position_of
from services.gateway.web.parameters import (
    Number,
    Parameters,
    RowCursor,
    SubmissionPath,
    query_of,
    submission_id,
)
from services.gateway.web.problem_codes import ADMINISTRATION, KEY_PROBLEMS
from services.gateway.web.responses import answer
from services.gateway.webhooks import wire as webhook_wire
from services.gateway.webhooks.handlers import DeliveryState, FollowWebhook, StoredDelivery

_TAG: Final = "webhooks"
_DENIED: Final = (
    *KEY_PROBLEMS,
    "submission_not_found",
    "webhook_not_found",
    "token_required",
    "invalid_token",
    "not_the_owner",
)


class PageQuery(Parameters):
    """Which page is asked for."""

    cursor: RowCursor | None = Field(None, description="'next_cursor' of the page before")
    limit: Number = Field(50, ge=1, le=200)


class DeliveriesQuery(PageQuery):
    """Which deliveries are asked for."""

    state: DeliveryState | None = None


def webhook_endpoints(follow: FollowWebhook, callers: Callers) -> list[Endpoint]:
    """Return the endpoints of webhooks."""

    async def of_submission(request: web.Request) -> web.Response:
        asked = query_of(request, PageQuery)
        url, found = await follow.of_submission(
            submission_id(request),
            await callers.of(request),
            position_of(asked.cursor),
            asked.limit + 1,
        )
        return answer(webhook_wire.WebhookStatus(url=url, **_page(found, asked.limit)))

    async def redeliver(request: web.Request) -> web.Response:
        revived = await follow.redeliver(submission_id(request), await callers.of(request))
        return answer(webhook_wire.Redelivery(revived=revived), status=202)

    async def of_everybody(request: web.Request) -> web.Response:
        caller = await callers.of(request)
        asked = query_of(request, DeliveriesQuery)
        found = await follow.of_everybody(
            caller, asked.state, position_of(asked.cursor), asked.limit + 1
        )
        return answer(webhook_wire.DeliveryPage(**_page(found, asked.limit)))

    return [
        Endpoint(
            "GET",
            "/submissions/{id}/webhook",
            of_submission,
            summary="Read how a webhook fares",
            tag=_TAG,
            path_model=SubmissionPath,
            query_model=PageQuery,
            replies={200: json_reply("Its deliveries.", webhook_wire.WebhookStatus)},
            problems=(*_DENIED, "invalid_query"),
            access=(Access.OWNER, Access.SUBMIT, Access.ADMIN),
        ),
        Endpoint(
            "POST",
            "/submissions/{id}/webhook/redeliver",
            redeliver,
            summary="Try dead deliveries again",
            tag=_TAG,
            path_model=SubmissionPath,
            replies={202: json_reply("They are due again.", webhook_wire.Redelivery)},
            problems=_DENIED,
            access=(Access.OWNER, Access.SUBMIT, Access.ADMIN),
        ),
        Endpoint(
            "GET",
            "/webhook-deliveries",
            of_everybody,
            summary="List the deliveries of all webhooks",
            tag=_TAG,
            query_model=DeliveriesQuery,
            replies={200: json_reply("A page, newest first.", webhook_wire.DeliveryPage)},
            problems=(*ADMINISTRATION, "invalid_query"),
            access=(Access.ADMIN,),
        ),
    ]


def _page(found: Sequence[StoredDelivery], limit: int) -> dict[str, Any]:
    shown = found[:limit]
    more = len(found) > len(shown)
    return {
        "deliveries": [webhook_wire.WebhookDelivery.of(each) for each in shown],
        "next_cursor": cursor_of((shown[-1].happened_at, shown[-1].id)) if more else None,
    }
