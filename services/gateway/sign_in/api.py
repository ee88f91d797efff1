"""Operations of signing in without a browser."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import hdrs, web
from pydantic import Field

from medvid.models.accounts import Key
from medvid.models.base import JsonBody
from medvid.models.sign_in import DeviceCode, DeviceKey
from services.gateway.accounts import credentials
from services.gateway.accounts.keys import ManageKeys
from services.gateway.accounts.models import Line, shown_key
from services.gateway.accounts.rules import Caller
from services.gateway.sign_in.devices import INTERVAL_SECONDS, SECONDS, Devices
from services.gateway.web.endpoints import Access, json_reply
from services.gateway.web.router import Router
from services.gateway.web.urls import PAGES
from shared.runtime.errors import NotAllowed

router: Final = Router("sign-in")
_SMALL: Final = 1 << 12


class DeviceRequest(JsonBody):
    """Who asks to be signed in."""

    label: Annotated[
        Line,
        Field(
            max_length=100,
            description="what the program calls itself; its user sees it",
            examples=["medvid on laptop"],
        ),
    ]


class DeviceKeyRequest(JsonBody):
    """Which sign-in is asked about."""

    device_code: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="as the sign-in was begun with", examples=["shown-when-it-was-begun"]
    )


@router.post(
    "/sign-in/device",
    reply="The codes.",
    problems=("sign_in_off", "too_many_at_once"),
    largest=_SMALL,
)
async def begin_device_sign_in(devices: Devices, body: DeviceRequest, address: str) -> DeviceCode:
    """Begin to sign in a program.

    Show its user `user_code` and `verification_uri`, and ask for the key until they have allowed
    it. Nothing is signed in to yet.
    """
    made = await devices.begin(body.label, address)
    page = devices.sign_in.providers.site + PAGES["activate"]
    return DeviceCode(
        device_code=made.device_code,
        user_code=made.user_code,
        verification_uri=page,
        verification_uri_complete=f"{page}?code={made.user_code}",
        expires_in=SECONDS,
        interval=INTERVAL_SECONDS,
    )


@router.post(
    "/sign-in/device/key",
    reply={
        200: json_reply("A key of the account, once.", DeviceKey),
        202: json_reply("Its user has not answered yet; ask again after `interval`.", DeviceKey),
    },
    status=lambda found: 200 if found.key else 202,
    problems=(
        "device_code_denied",
        "device_code_unknown",
        "sign_in_off",
        "slow_down",
        "too_many_keys",
    ),
    largest=_SMALL,
)
async def finish_device_sign_in(devices: Devices, body: DeviceKeyRequest) -> DeviceKey:
    """Ask for a program's key.

    It is an API key: what it does counts for the account. It holds until it is ended.
    """
    key = await devices.poll(body.device_code)
    return DeviceKey(state="allowed" if key else "pending", key=key)


@router.post(
    "/sign-in/end",
    reply="The account that it was a key of.",
    access=(Access.SUBMIT, Access.JUDGE),
    problems=("not_signed_in",),
)
async def end_sign_in(
    devices: Devices, keys: ManageKeys, caller: Caller, request: web.Request
) -> Key:
    """End the key that is sent, which a program got by signing in."""
    account = keys.own(caller)
    secret = credentials.bearer_token(request.headers.get(hdrs.AUTHORIZATION)) or ""
    if not await devices.sign_in.store.end_program(credentials.sha256(secret)):
        raise NotAllowed(
            "this key was not made by signing in.",
            fix="Revoke it where it is not needed any more.",
            code="not_signed_in",
        )
    return shown_key(account)
