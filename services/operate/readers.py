"""Whether readers reach the site where its links lead, and whether it sees who they are."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from medvid.api import AsyncClient
from medvid.api.errors import LeaderboardError
from medvid.api.retries import Retries
from services.gateway.settings import GatewaySettings
from services.gateway.web.site import Site
from services.gateway.web.urls import url
from services.operate.findings import CheckOutcome
from shared.storage.database import Database
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "doctor.sql")
_FEW: Final = 10
"""How many submissions and checks may come from one address of a private network."""


async def public_address(settings: GatewaySettings) -> CheckOutcome:
    """Ask the site at its public address for its boards, and see where their links lead."""
    if settings.public_url is None:
        return CheckOutcome("ok", "none is set: feeds name addresses without a host.")
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
        return CheckOutcome("warning", f"MEDVID_PUBLIC_URL: {error.detail}", fix)
    with site.serving():
        ours = url("api_board", board="official")
    links = [each.url for each in found]
    if ours not in links:
        fix = f"Set MEDVID_PUBLIC_URL={where} for every gateway, and restart them."
        return CheckOutcome("failed", f"{where} links to {links[0]}, not to {ours}.", fix)
    return CheckOutcome("ok", f"{where} answers, and links to itself.")


async def client_addresses(settings: GatewaySettings, database: Database) -> CheckOutcome:
    """See whether what was sent without a key of late came from more than one private address."""
    row = await database.pool.fetchrow(_SQL["senders"])
    assert row is not None  # noqa: S101 - it always has one row
    if row["uses"] <= _FEW or row["first"] != row["last"]:
        return CheckOutcome("ok", "what was sent of late names no single private address.")
    sender = row["first"].removeprefix("address:")
    try:
        address = ip_address(sender.partition("/")[0])
    except ValueError:  # a Unix socket
        address = None
    if address is None or address.is_global:
        return CheckOutcome("ok", f"what was sent of late came from {sender}.")
    if address.is_loopback and settings.public_url is None:
        return CheckOutcome("ok", "what was sent of late came from this machine.")
    fix = (
        "A proxy or a node hides the clients: see 'client_address_hidden' in the gateways' log and "
        "docs/operations.md#whose-address-it-is (MEDVID_TRUSTED_PROXIES; externalTrafficPolicy)."
    )
    says = (
        f"all {row['uses']} submissions and checks of late came from {sender}: one quota for all."
    )
    return CheckOutcome("warning", says, fix)
