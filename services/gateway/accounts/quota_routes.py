"""The address of quotas and what answers it."""

from __future__ import annotations

from aiohttp import web

from services.gateway.accounts.callers import Callers
from services.gateway.accounts.quota_wire import QuotaStatus
from services.gateway.accounts.quotas import Quotas
from services.gateway.web.endpoints import Access, Endpoint, json_reply
from services.gateway.web.problem_codes import KEY_PROBLEMS
from services.gateway.web.responses import json_response


def quota_endpoints(quotas: Quotas, callers: Callers) -> list[Endpoint]:
    """Return the endpoint of quotas."""

    async def mine(request: web.Request) -> web.Response:
        caller = await callers.understood(request)
        return json_response(QuotaStatus.of(caller.name, await quotas.usage(caller)))

    return [
        Endpoint(
            "GET",
            "/quotas",
            mine,
            summary="Read what you may still do",
            description="Counts by API key where one is sent, else by address.",
            tag="keys",
            replies={200: json_reply("Each quota, and how much of it is used.", QuotaStatus)},
            problems=KEY_PROBLEMS,
            access=(Access.PUBLIC, Access.SUBMIT, Access.JUDGE, Access.ADMIN),
        )
    ]
