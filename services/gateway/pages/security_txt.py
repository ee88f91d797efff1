"""`/.well-known/security.txt` (RFC 9116): whom to tell about a weakness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web

from services.gateway.web.site import Site
from services.gateway.web.urls import PAGES, url

_VALID: Final = timedelta(days=180)


def security_routes(contacts: str, site: Site) -> list[web.RouteDef]:
    """Return the route; there is none where no contact is set."""

    async def show(_: web.Request) -> web.Response:
        body = security_txt(contacts, site, datetime.now(UTC))
        return web.Response(text=body, headers={"Cache-Control": "public, max-age=86400"})

    return [web.get(PAGES["security_txt"], show)] if contacts else []


def security_txt(contacts: str, site: Site, now: datetime) -> str:
    """Return the file. It expires, as the standard demands, half a year after it was read."""
    expires = (now + _VALID).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = [f"Contact: {contact.strip()}" for contact in contacts.split(",")]
    lines.append(f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}")
    if site.origin:
        lines.append(f"Canonical: {site.absolute(url('security_txt'))}")
    return "\n".join(lines) + "\n"
