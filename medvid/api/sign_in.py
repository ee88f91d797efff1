"""Signing in a program: it shows a code, its user allows it in a browser, it gets a key."""

from __future__ import annotations

from medvid.api.calls import post
from medvid.api.transport import Transport
from medvid.models.accounts import Key
from medvid.models.sign_in import DeviceCode, DeviceKey


async def begin_sign_in(transport: Transport, label: str) -> DeviceCode:
    """Begin to sign in; `label` is what the program calls itself to its user.

    Show `user_code` and `verification_uri`, and ask `finish_sign_in` every `interval` seconds.
    """
    return await transport.ask(post("/sign-in/device", {"label": label}), DeviceCode)


async def finish_sign_in(transport: Transport, device_code: str) -> DeviceKey:
    """Return whether the user has allowed the program, and then, once, its key."""
    body = {"device_code": device_code}
    return await transport.ask(post("/sign-in/device/key", body), DeviceKey)


async def end_sign_in(transport: Transport) -> Key:
    """End the key that this client sends, which it got by signing in; return its account."""
    return await transport.ask(post("/sign-in/end"), Key)
