"""Calls that leave the gateway: to public addresses only, without following anybody.

The socket is the gate. A name is resolved once, and each address of it is looked at in the moment
of connecting, so no later answer of a name server, no odd spelling of an address and no redirect
leads past it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

import aiohttp

from services.gateway.web.addresses import is_public

_CONNECT_SECONDS: Final = 5.0
_CONNECTIONS: Final = 16


class ForbiddenAddress(OSError):
    """A name led to an address that is not of the public internet."""


def outgoing_session(
    *,
    private_networks: bool,
    seconds: float,
    header_bytes: int = 4096,
    resolver: aiohttp.abc.AbstractResolver | None = None,
) -> aiohttp.ClientSession:
    """Return a session without memory: no cookies, no proxies, no connection that is kept.

    A call may take `seconds`, a header of its answer `header_bytes`. `private_networks`: whether it
    may lead into our own networks.
    """
    connector = aiohttp.TCPConnector(
        limit=_CONNECTIONS,
        force_close=True,  # nothing is kept that another address could answer on
        use_dns_cache=False,
        resolver=resolver,
        socket_factory=_open if private_networks else _open_public,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=seconds, connect=min(_CONNECT_SECONDS, seconds)),
        auto_decompress=False,
        trust_env=False,
        max_line_size=header_bytes,
        max_field_size=header_bytes,
    )


def _open(info: Any) -> socket.socket:
    family, kind, protocol, _, _ = info
    return socket.socket(family, kind, protocol)


def _open_public(info: Any) -> socket.socket:
    address = str(info[4][0])
    if not is_public(address):
        raise ForbiddenAddress("not an address of the public internet")
    return _open(info)


_REASONS: Final[tuple[tuple[Callable[[BaseException], bool], str], ...]] = (
    (lambda e: isinstance(e, ForbiddenAddress), "the name leads to an address inside a network."),
    (lambda e: isinstance(e, TimeoutError | asyncio.TimeoutError), "there was no answer in time."),
    (lambda e: isinstance(e, aiohttp.ClientConnectorDNSError), "the name could not be resolved."),
    (lambda e: isinstance(e, aiohttp.ClientSSLError), "the certificate or TLS was not accepted."),
    (lambda e: isinstance(e, aiohttp.ClientConnectorError), "the connection was refused."),
)


def failure_reason(error: BaseException) -> str:
    """Return what others may know: nothing that tells what stands inside our network."""
    causes: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and len(causes) < 10:
        causes.append(current)
        if isinstance(current, BaseExceptionGroup):
            causes.extend(current.exceptions)
        current = getattr(current, "os_error", None) or current.__cause__ or current.__context__
    for matches, reason in _REASONS:
        if any(matches(cause) for cause in causes):
            return reason
    return "the other side did not speak HTTP."
