"""Addresses of API keys and what answers them."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, Field

from services.gateway.accounts import keys_wire
from services.gateway.accounts.admin_actions import Act
from services.gateway.accounts.callers import Callers
from services.gateway.accounts.keys import ManageKeys, key_not_found
from services.gateway.web.bodies import LARGEST_BODY, body_of
from services.gateway.web.endpoints import Access, Body, Endpoint, json_reply
from services.gateway.web.middleware import request_id_of
from services.gateway.web.paging import cursor_of, position_of
from services.gateway.web.parameters import Number, Parameters, RowCursor, query_of, uuid_of
from services.gateway.web.problem_codes import ADMINISTRATION, BODY_PROBLEMS, KEY_PROBLEMS
from services.gateway.web.responses import json_response

_TAG: Final = "keys"
_LARGEST_REQUEST: Final = 1 << 13
"""Where registration is open, anyone may send one."""


class KeyPath(BaseModel):
    """The address of an API key."""

    id: UUID = Field(description="the key's id, which is no secret")


class KeysQuery(Parameters):
    """Which page of keys is asked for."""

    cursor: RowCursor | None = Field(None, description="'next_cursor' of the page before")
    limit: Number = Field(50, ge=1, le=200)


def key_endpoints(keys: ManageKeys, callers: Callers) -> list[Endpoint]:
    """Return the endpoints of API keys."""

    async def make(request: web.Request) -> web.Response:
        caller = await callers.of(request)
        keys.rules.require_registrar(caller, ())  # before anything of the body is read
        largest = LARGEST_BODY if keys.rules.is_administrator(caller) else _LARGEST_REQUEST
        asked = await body_of(request, keys_wire.KeyRequest, largest=largest)
        why = asked.why or f"{asked.label}, for {asked.owner}"
        act = Act.of(caller.name, why, request_id_of(request))
        made = await keys.make(
            caller, asked.label, asked.owner, asked.scopes, asked.quotas.quotas(), act
        )
        return json_response(keys_wire.NewKey.made(made), status=201)

    async def page(request: web.Request) -> web.Response:
        caller = await callers.of(request)
        asked = query_of(request, KeysQuery)
        found = await keys.page(caller, position_of(asked.cursor), asked.limit + 1)
        shown = found[: asked.limit]
        more = len(found) > len(shown)
        cursor = cursor_of((shown[-1].created_at, shown[-1].id)) if more else None
        listed = [keys_wire.Key.of(key) for key in shown]
        return json_response(keys_wire.KeyPage(keys=listed, next_cursor=cursor))

    async def mine(request: web.Request) -> web.Response:
        return json_response(keys_wire.Key.of(keys.own(await callers.of(request))))

    async def revoke(request: web.Request) -> web.Response:
        caller = await callers.of(request)
        key_id = _key_id(request)
        keys.require_revoker(caller, key_id)
        why = None
        if request.body_exists:
            why = (await body_of(request, keys_wire.RevocationRequest)).why
        revoked = await keys.revoke(caller, key_id, why or "", request_id_of(request))
        return json_response(keys_wire.Key.of(revoked))

    async def set_quotas(request: web.Request) -> web.Response:
        caller = await callers.administrator(request)
        asked = await body_of(request, keys_wire.QuotaRequest)
        act = Act.of(caller.name, asked.why or "", request_id_of(request))
        changed = await keys.set_quotas(caller, _key_id(request), asked.quotas(), act)
        return json_response(keys_wire.Key.of(changed))

    return [
        Endpoint(
            "POST",
            "/keys",
            make,
            summary="Make an API key",
            description="By administrators, and by anyone where registration is open. "
            "The secret is shown here only.",
            tag=_TAG,
            body=Body(keys_wire.KeyRequest),
            replies={201: json_reply("The key with its secret.", keys_wire.NewKey)},
            problems=(
                *KEY_PROBLEMS,
                *BODY_PROBLEMS,
                "administration_off",
                "administrator_required",
                "missing_scope",
                "registration_closed",
                "registration_quota",
                "token_required",
            ),
            access=(Access.PUBLIC, Access.ADMIN),
        ),
        Endpoint(
            "GET",
            "/keys",
            page,
            summary="List API keys",
            tag=_TAG,
            query_model=KeysQuery,
            replies={200: json_reply("A page of keys, newest first.", keys_wire.KeyPage)},
            problems=(*ADMINISTRATION, "invalid_query"),
            access=(Access.ADMIN,),
        ),
        Endpoint(
            "GET",
            "/keys/me",
            mine,
            summary="Read about the key that is sent",
            tag=_TAG,
            replies={200: json_reply("The key.", keys_wire.Key)},
            problems=(*KEY_PROBLEMS, "token_required", "invalid_token"),
            access=(Access.SUBMIT, Access.JUDGE, Access.ADMIN),
        ),
        Endpoint(
            "POST",
            "/keys/{id}/revoke",
            revoke,
            summary="Revoke an API key",
            description="Any key by an administrator, its own by the key itself. For ever.",
            tag=_TAG,
            path_model=KeyPath,
            body=Body(keys_wire.RevocationRequest, required=False),
            replies={200: json_reply("The key, revoked.", keys_wire.Key)},
            problems=(*ADMINISTRATION, *BODY_PROBLEMS, "key_not_found", "reason_required"),
            access=(Access.SUBMIT, Access.JUDGE, Access.ADMIN),
        ),
        Endpoint(
            "PUT",
            "/keys/{id}/quotas",
            set_quotas,
            summary="Give an API key quotas of its own",
            tag=_TAG,
            path_model=KeyPath,
            body=Body(keys_wire.QuotaRequest),
            replies={200: json_reply("The key with its quotas.", keys_wire.Key)},
            problems=(*ADMINISTRATION, *BODY_PROBLEMS, "key_not_found", "reason_required"),
            access=(Access.ADMIN,),
        ),
    ]


def _key_id(request: web.Request) -> UUID:
    found = uuid_of(request.match_info["id"])
    if found is None:
        raise key_not_found()
    return found
