"""Operations of API keys and quotas."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from medvid.models.accounts import Key, KeyPage, NewKey, QuotaStatus
from medvid.models.problem_codes import ADMINISTRATION
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.keys import ManageKeys, key_not_found
from services.gateway.accounts.models import (
    KeyRequest,
    QuotaRequest,
    RevocationRequest,
    key_quotas,
    new_key,
    quota_status,
    shown_key,
)
from services.gateway.accounts.quotas import Quotas
from services.gateway.accounts.rules import ApiKey, Caller, require_understood
from services.gateway.web.bodies import LARGEST_BODY
from services.gateway.web.endpoints import ADMIN, Access
from services.gateway.web.paging import cursor_of, cut, position_of
from services.gateway.web.parameters import PageQuery, uuid_of
from services.gateway.web.router import PathText, Router

router: Final = Router("keys")
_ANY_KEY: Final = (Access.SUBMIT, Access.JUDGE, Access.ADMIN)
_LARGEST_REQUEST: Final = 1 << 13
"""Where registration is open, anyone may send one."""


def read_key_id(text: str) -> UUID:
    """Return a key's id; raises NotFound where the text is not an id."""
    found = uuid_of(text)
    if found is None:
        raise key_not_found()
    return found


KeyId = Annotated[
    UUID, Field(description="the key's id, which is no secret"), PathText(read_key_id)
]


async def _admit_registrar(keys: ManageKeys, caller: Caller) -> int:
    keys.rules.require_registrar(caller, ())
    return LARGEST_BODY if keys.rules.is_administrator(caller) else _LARGEST_REQUEST


@router.post(
    "/keys",
    reply="The key with its secret.",
    status=201,
    access=(Access.PUBLIC, Access.ADMIN),
    problems=(
        "administration_off",
        "administrator_required",
        "missing_scope",
        "registration_closed",
        "registration_quota",
        "token_required",
    ),
    admit=_admit_registrar,
)
async def make_key(keys: ManageKeys, caller: Caller, body: KeyRequest, request_id: str) -> NewKey:
    """Make an API key.

    By administrators, and by anyone where registration is open. The secret is shown here only.
    """
    why = body.why or f"{body.label}, for {body.owner}"
    action = AdminAction.of(caller.name, why, request_id)
    made = await keys.make(
        caller, body.label, body.owner, body.scopes, key_quotas(body.quotas), action
    )
    return new_key(made)


@router.get("/keys", reply="A page of keys, newest first.", access=ADMIN)
async def list_keys(keys: ManageKeys, caller: Caller, query: PageQuery) -> KeyPage:
    """List API keys."""
    found = await keys.page(caller, position_of(query.cursor), query.limit + 1)
    shown, cursor = cut(found, query.limit, _cursor)
    return KeyPage(keys=[shown_key(key) for key in shown], next_cursor=cursor)


def _cursor(key: ApiKey) -> str:
    return cursor_of((key.created_at, key.id))


@router.get("/keys/me", reply="The key.", access=_ANY_KEY)
async def read_own_key(keys: ManageKeys, caller: Caller) -> Key:
    """Read about the key that is sent."""
    return shown_key(keys.own(caller))


async def _admit_revoker(keys: ManageKeys, id: KeyId, caller: Caller) -> None:
    keys.require_revoker(caller, id)


@router.post(
    "/keys/{id}/revoke",
    reply="The key, revoked.",
    access=_ANY_KEY,
    problems=(*ADMINISTRATION, "key_not_found", "reason_required"),
    admit=_admit_revoker,
)
async def revoke_key(
    keys: ManageKeys,
    id: KeyId,
    caller: Caller,
    request_id: str,
    body: RevocationRequest | None = None,
) -> Key:
    """Revoke an API key.

    Any key by an administrator, its own by the key itself. For ever.
    """
    why = (body and body.why) or ""
    return shown_key(await keys.revoke(caller, id, why, request_id))


@router.put(
    "/keys/{id}/quotas",
    reply="The key with its quotas.",
    access=ADMIN,
    problems=("key_not_found",),
)
async def set_key_quotas(
    keys: ManageKeys, id: KeyId, caller: Caller, body: QuotaRequest, action: AdminAction
) -> Key:
    """Give an API key quotas of its own."""
    return shown_key(await keys.set_quotas(caller, id, key_quotas(body), action))


@router.get(
    "/quotas",
    reply="Each quota, and how much of it is used.",
    access=(Access.PUBLIC, *_ANY_KEY),
)
async def read_quotas(quotas: Quotas, caller: Annotated[Caller, require_understood]) -> QuotaStatus:
    """Read what you may still do.

    Counts by API key where one is sent, else by address.
    """
    return quota_status(caller.name, await quotas.usage(caller))
