"""Whether people can sign in: providers answer, and send people back to where the site is."""

from __future__ import annotations

import aiohttp

from services.gateway.settings import GatewaySettings
from services.gateway.sign_in.configuration import read_providers
from services.gateway.sign_in.service import callback_address, speak
from services.operate.findings import CheckOutcome
from shared.runtime.errors import MedvidError

_SECONDS = 5.0
_OURS = 403
"""How a gateway answers who comes back without having gone."""


async def sign_in(settings: GatewaySettings) -> CheckOutcome:
    """Ask each provider what a sign-in needs, and the site for where it sends people back to."""
    providers = read_providers(settings.sign_in, settings.public_url)
    if not providers:
        return CheckOutcome("ok", "nobody signs in: MEDVID_SIGN_IN is not set.")
    callbacks = []
    for provider in providers.by_id.values():
        callback = callback_address(providers, provider.id)
        try:
            await speak(provider).check()
        except MedvidError as error:
            fix = (
                f"Correct the issuer {provider.issuer} in the file, or let this process out to it "
                "(private_networks, where it is in a network of yours)."
            )
            return CheckOutcome("failed", f"{provider.id}: {error.detail}", fix)
        if problem := await _callback_problem(callback):
            fix = "Restart the gateways with this file, or correct MEDVID_PUBLIC_URL or the proxy."
            return CheckOutcome("warning", f"{callback} {problem}", fix)
        callbacks.append(callback)
    says = (
        f"{', '.join(providers.by_id)} answer; registered there must be {' and '.join(callbacks)}."
    )
    return CheckOutcome("ok", says)


async def _callback_problem(callback: str) -> str | None:
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(callback, allow_redirects=False) as answer,
        ):
            return None if answer.status == _OURS else f"answered {answer.status}."
    except (aiohttp.ClientError, OSError):
        return "does not answer from here."
