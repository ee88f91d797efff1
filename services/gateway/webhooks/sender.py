"""Sends webhooks: to public addresses only, bounded in time and bytes, without following anybody.

The socket is the gate. A name is resolved once, and each address of it is looked at in the moment
of connecting, so no later answer of a name server, no odd spelling of an address and no redirect
leads past it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final, Self

import aiohttp
from yarl import URL

from services.gateway.web.representations import SERVER
from services.gateway.webhooks.delivery import Outcome
from services.gateway.webhooks.rules import check_url, is_public

_CONNECT_SECONDS: Final = 5.0
_MAX_HEADER_BYTES: Final = 4096
_CONNECTIONS: Final = 16


class ForbiddenAddress(OSError):
    """A name led to an address that is not of the public internet."""


class HttpSender:
    """Implements Sender; use it as an async context manager."""

    def __init__(
        self,
        *,
        private_networks: bool,
        seconds: float,
        resolver: aiohttp.abc.AbstractResolver | None = None,
    ) -> None:
        self._private_networks = private_networks
        connector = aiohttp.TCPConnector(
            limit=_CONNECTIONS,
            force_close=True,  # nothing is kept that another address could answer on
            use_dns_cache=False,
            resolver=resolver,
            socket_factory=_open if private_networks else _open_public,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=seconds, connect=min(_CONNECT_SECONDS, seconds)),
            auto_decompress=False,
            trust_env=False,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(self, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
        """Send it; the answer's body is not read. Never raises."""
        if check_url(url, private_networks=self._private_networks):
            return Outcome(None, "the address is not one that may be called.")
        given = {"Content-Type": "application/json", "User-Agent": SERVER, **headers}
        try:
            response = await self._session.post(
                URL(url), data=body, headers=given, allow_redirects=False
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(None, _reason(error))
        response.close()
        if response.status >= 300:
            return Outcome(response.status, f"the answer was {response.status}.")
        return Outcome(response.status, None)


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


def _reason(error: BaseException) -> str:
    """Return what an owner may know: nothing that tells what stands inside our network."""
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
