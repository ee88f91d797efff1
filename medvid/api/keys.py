"""Calls about API keys and quotas. They need the key in question, or an administrator's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Final
from uuid import UUID

from medvid.api.calls import Call, get, post
from medvid.api.transport import Transport
from medvid.models.accounts import Key, KeyPage, NewKey, QuotaFields, QuotaStatus
from medvid.models.base import API

_PAGE_SIZE: Final = 200


async def make_key(
    transport: Transport,
    label: str,
    *,
    owner: str,
    scopes: Sequence[str] = ("submit",),
    quotas: QuotaFields | None = None,
    why: str | None = None,
) -> NewKey:
    """Make a key with scopes out of submit, judge and admin; keep its secret, shown only here.

    Administrators say why.
    """
    body: dict[str, object] = {"label": label, "owner": owner, "scopes": list(scopes)}
    if quotas is not None:
        body["quotas"] = quotas.model_dump(exclude_none=True)
    if why is not None:
        body["why"] = why
    return await transport.ask(post("/keys", body), NewKey)


async def keys(transport: Transport) -> AsyncGenerator[Key, None]:
    """Yield every key, newest first (administrators)."""
    async for page in transport.pages(get("/keys", limit=_PAGE_SIZE), KeyPage):
        for key in page.keys:
            yield key


async def my_key(transport: Transport) -> Key:
    """Return the key that this client sends."""
    return await transport.ask(get("/keys/me"), Key)


async def revoke_key(transport: Transport, key: UUID | str, *, why: str | None = None) -> Key:
    """Revoke a key: any by administrators, who say why; its own by the key itself.

    Twice changes nothing.
    """
    return await transport.ask(post(f"/keys/{key}/revoke", {"why": why}, repeatable=True), Key)


async def set_key_quotas(
    transport: Transport, key: UUID | str, quotas: QuotaFields, *, why: str
) -> Key:
    """Replace a key's own quotas (administrators, who say why)."""
    body = {**quotas.model_dump(), "why": why}
    call = Call("PUT", f"{API}/keys/{key}/quotas", json=body, repeatable=True)
    return await transport.ask(call, Key)


async def quotas(transport: Transport) -> QuotaStatus:
    """Return what this client may still do."""
    return await transport.ask(get("/quotas"), QuotaStatus)
