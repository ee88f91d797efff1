"""Whose address a request comes from: forwarded headers count only from proxies we trust.

An address stands for whoever pays its quotas. An IPv6 customer gets a /64 at least, so addresses
of one /64 are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address

LOCAL: Final = "local"
"""Stands for a peer without an IP address, such as one on a Unix socket."""
_GROUP_BITS: Final = 64
_MOST_HOPS: Final = 20
_LONGEST: Final = 64


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a comma-separated list of CIDRs; raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def client_address(
    peer: str | None, forwarded_for: Iterable[str], trusted: Sequence[Network]
) -> str:
    """Return the address that pays: the last one in the chain that is no trusted proxy of ours.

    `forwarded_for` holds the values of all X-Forwarded-For headers in their order. Each proxy
    appends whom it saw, so the chain is read from its end, and only as far as trust goes: what a
    client wrote into it by itself is never reached.
    """
    current = _parse(peer or "")
    if current is None:
        return LOCAL
    hops = [hop.strip() for value in forwarded_for for hop in value.split(",")]
    for hop in reversed(hops[-_MOST_HOPS:]):
        if not any(current in network for network in trusted):
            break
        found = _parse(hop)
        if found is None:
            break
        current = found
    return _group(current)


def _parse(text: str) -> Address | None:
    if len(text) > _LONGEST:
        return None
    try:
        found = ip_address(text.strip("[]"))
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _group(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> _GROUP_BITS << _GROUP_BITS, _GROUP_BITS)))
