"""Whether readers reach the site where its links lead."""

from __future__ import annotations

from typing import Final

from medvid.api import AsyncClient
from medvid.api.errors import LeaderboardError
from medvid.api.retries import Retries
from services.gateway.settings import GatewaySettings
from services.gateway.web.urls import Site, url
from services.operate.findings import Finding

_CHECK: Final = "public address"


async def check_public_address(settings: GatewaySettings) -> Finding:
    """Ask the site at its public address for its boards, and see where their links lead."""
    if settings.public_url is None:
        return Finding(_CHECK, "ok", "none is set: feeds name addresses without a host.")
    site = Site.of(settings.public_url)
    where = site.origin + site.prefix
    try:
        async with AsyncClient(where, retries=Retries(attempts=1)) as client:
            found = (await client.boards()).boards
    except LeaderboardError as error:
        fix = (
            "Open it in a browser: where that works, only this process cannot reach it; else "
            "correct MEDVID_PUBLIC_URL or the proxy's rule (docs/operations.md#below-a-path)."
        )
        return Finding(_CHECK, "warning", f"MEDVID_PUBLIC_URL: {error.detail}", fix)
    with site.serving():
        ours = url("api_board", board="official")
    links = [each.url for each in found]
    if ours not in links:
        fix = f"Set MEDVID_PUBLIC_URL={where} for every gateway, and restart them."
        return Finding(_CHECK, "failed", f"{where} links to {links[0]}, not to {ours}.", fix)
    return Finding(_CHECK, "ok", f"{where} answers, and links to itself.")
