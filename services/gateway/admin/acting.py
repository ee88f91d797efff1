"""From a request to the administrator's act that it asks for."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web

from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.callers import Callers
from services.gateway.web.middleware import request_id_of
from services.gateway.web.parameters import uuid_of
from shared.runtime.errors import NotFound


async def action_of(request: web.Request, callers: Callers, why: str) -> AdminAction:
    """Return the act; raises NotAllowed for anyone but administrators, InvalidInput."""
    caller = await callers.administrator(request)
    return AdminAction.of(caller.name, why, request_id_of(request))


def id_of(request: web.Request, kind: str) -> UUID:
    """Return the id in the address; raises NotFound (`KIND_not_found`) where it is none."""
    found = uuid_of(request.match_info["id"])
    if found is None:
        raise NotFound(
            f"there is no {kind.replace('_', ' ')} with this id.",
            fix="Check the id.",
            code=f"{kind}_not_found",
        )
    return found
