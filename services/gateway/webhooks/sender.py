"""Sends webhooks: to public addresses only, bounded in time and bytes, following nobody."""

from __future__ import annotations

from typing import Self

import aiohttp
from yarl import URL

from services.gateway.web.outgoing import failure_reason, outgoing_session
from services.gateway.web.representations import SERVER
from services.gateway.webhooks.delivery import AttemptOutcome
from services.gateway.webhooks.rules import check_url


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
        self._session = outgoing_session(
            private_networks=private_networks, seconds=seconds, resolver=resolver
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(self, url: str, body: bytes, headers: dict[str, str]) -> AttemptOutcome:
        """Send it; the answer's body is not read. Never raises."""
        if check_url(url, private_networks=self._private_networks):
            return AttemptOutcome(None, "the address is not one that may be called.")
        given = {"Content-Type": "application/json", "User-Agent": SERVER, **headers}
        try:
            response = await self._session.post(
                URL(url), data=body, headers=given, allow_redirects=False
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return AttemptOutcome(None, failure_reason(error))
        response.close()
        if response.status >= 300:
            return AttemptOutcome(response.status, f"the answer was {response.status}.")
        return AttemptOutcome(response.status, None)
