"""Whose address a request comes from: forwarded headers count only from proxies we trust.

An address stands for the account that pays its quotas. An IPv6 customer gets a /64 at least, so
addresses of one /64 are one; many get a /56 or a /48, so these are counted too, with larger limits.
An IPv6 address that carries an IPv4 address is that one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

Hidden: TypeAlias = Literal["unreadable", "missing", "untrusted"]
HIDDEN: Final[Mapping[Hidden, str]] = MappingProxyType(
    {
        "unreadable": "Let the proxy append the address of its client to X-Forwarded-For, with or "
        "without a port.",
        "missing": "Let the proxy append the address of its client to X-Forwarded-For.",
        "untrusted": "If this is a proxy before the gateway, add its network to "
        "MEDVID_TRUSTED_PROXIES.",
    }
)
"""Why a proxy's address stands for all of its clients, and what to do about it."""
Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address

LOCAL: Final = "local"
"""Stands for a peer without an IP address, such as one on a Unix socket."""
_GROUP_BITS: Final = 64
# Wider networks around a /64, each with its limit in halves of a /64's.
_WIDER: Final = ((56, 3), (48, 4))
# IPv6 addresses that carry an IPv4 address, and its place in them (bits from the right).
_CARRIERS: Final = (
    (IPv6Network("::/96"), 0),  # IPv4-compatible
    (IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped
    (IPv6Network("::ffff:0:0:0/96"), 0),  # IPv4-translated
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("64:ff9b:1::/48"), 0),  # local NAT64
    (IPv6Network("2002::/16"), 80),  # 6to4
)
_TEREDO: Final = IPv6Network("2001::/32")
# Special by the registries of IANA, though not all versions of the library say so.
_SPECIAL: Final = tuple(
    ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "2001:db8::/32", "3fff::/20", "5f00::/16")
)
_MOST_HOPS: Final = 20
_LONGEST: Final = 64
_SPELLED: Final = re.compile(
    r"\[(?P<bracketed>[^\[\]]+)\](?::[0-9]{1,5})?|(?P<ipv4>[0-9.]+):[0-9]{1,5}|[^\[\]]+"
)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a comma-separated list of CIDRs; raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


class ClientAddress(NamedTuple):
    """The address that pays; `hidden` says why it may be a proxy's that hides its clients."""

    address: str
    hidden: Hidden | None = None


def client_address(
    peer: str | None, forwarded_for: Iterable[str], trusted: Sequence[Network]
) -> ClientAddress:
    """Return the address that pays: the last one in the chain that is no trusted proxy.

    `forwarded_for` holds the values of all X-Forwarded-For headers in their order. Each proxy
    appends whom it saw, so the chain is read from its end, and only as far as trust goes: what a
    client wrote into it by itself is never reached.
    """
    current = first = _parse(peer or "")
    if current is None or first is None:
        return ClientAddress(LOCAL)
    hops = [hop.strip(' \t"') for value in forwarded_for for hop in value.split(",")]
    for hop in reversed(hops[-_MOST_HOPS:]):
        if not _is_in(current, trusted):
            break
        found = _parse(hop)
        if found is None:
            return ClientAddress(_group(current), "unreadable")
        current = found
    return ClientAddress(_group(current), _hidden(first, hops, trusted))


def _hidden(peer: Address, hops: Sequence[str], trusted: Sequence[Network]) -> Hidden | None:
    known = _unmapped(peer)
    if _is_in(peer, trusted):
        return "missing" if not hops and not known.is_loopback else None
    return "untrusted" if hops and not known.is_global else None  # else a client that forges


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    known = _unmapped(address)
    return any(known in network for network in networks)


def carried_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address is a form of, or leads to."""
    if address.is_loopback or address.is_unspecified:
        return None
    for network, shift in _CARRIERS:
        if address in network:
            return IPv4Address(int(address) >> shift & 0xFFFF_FFFF)
    # The client's address, inverted; its server's matters as little as any router's.
    return IPv4Address(~int(address) & 0xFFFF_FFFF) if address in _TEREDO else None


def is_public(address: str) -> bool:
    """Tell whether an address is one of the public internet.

    Whatever is private, loopback, link-local (cloud metadata too), shared, reserved or multicast is
    not; and neither is an IPv6 address that leads to such an IPv4 address.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        found = carried_ipv4(found) or found
    special = found.is_multicast or found.is_reserved or any(found in net for net in _SPECIAL)
    return found.is_global and not special


def sharing(address: str, limit: int) -> list[tuple[str, int]]:
    """Return who shares a limit: the address itself, then the networks around it with theirs.

    A /56 may do one and a half times as much as a /64, a /48 twice as much, rounded up.
    """
    shares = [(address, limit)]
    if address.endswith(f"/{_GROUP_BITS}"):
        inner = IPv6Network(address)
        shares += [
            (str(inner.supernet(new_prefix=bits)), -(-limit * halves // 2))
            for bits, halves in _WIDER
        ]
    return shares


def _parse(text: str) -> Address | None:
    """Return an address; some proxies write it with brackets and a port."""
    found = _SPELLED.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    try:
        return ip_address(found["bracketed"] or found["ipv4"] or text)
    except ValueError:
        return None


def _unmapped(address: Address) -> Address:
    """Return what a proxy is known by: an IPv4 address also where our socket is an IPv6 one.

    What only carries an IPv4 address is no trusted proxy, whatever it carries.
    """
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _group(address: Address) -> str:
    if isinstance(address, IPv6Address):
        address = carried_ipv4(address) or address
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> _GROUP_BITS << _GROUP_BITS, _GROUP_BITS)))
