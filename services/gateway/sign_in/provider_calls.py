"""Calls to identity providers: short, small and to public addresses, whatever they answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson
import structlog
from yarl import URL

from services.gateway.sign_in.rules import Provider
from services.gateway.web.outgoing import failure_reason, outgoing_session
from services.gateway.web.representations import SERVER
from shared.runtime.errors import NotAllowed, Unavailable

_SECONDS: Final = 10.0
_LARGEST: Final = 1 << 18
_HEADER_BYTES: Final = 1 << 15
_log = structlog.get_logger(__name__)


class ProviderFailed(Unavailable):
    """A provider's answer is not valid; its text is not passed on."""

    code = "provider_unavailable"


def sign_in_failed(what: str) -> NotAllowed:
    """Return the error for a sign-in that cannot be verified."""
    return NotAllowed(what, fix="Begin again at the sign-in page.", code="sign_in_failed")


@dataclass(frozen=True, slots=True)
class ProviderCalls:
    """Calls one provider. Every method raises ProviderFailed."""

    provider: Provider

    async def get(self, url: str, token: str | None = None) -> Mapping[str, Any]:
        """Return the JSON object at an address; `token` is an access token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        _, found = await self._ask("GET", url, headers=headers)
        return found

    async def exchange(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """Return the tokens for a code; raises NotAllowed where the provider refuses it."""
        status, found = await self._ask("POST", url, headers=headers, data=dict(form))
        if status >= 400 or "error" in found:  # GitHub says so with 200
            reason = str(found.get("error", status))[:100]
            _log.warning("sign_in_code_refused", provider=self.provider.id, reason=reason)
            raise sign_in_failed(f"{self.provider.name} did not accept its own code.")
        return found

    def failed(self, reason: str) -> ProviderFailed:
        """Return the error, whose reason the log tells."""
        _log.warning("identity_provider_failed", provider=self.provider.id, reason=reason)
        return ProviderFailed(
            f"{self.provider.name} did not answer as it must.",
            fix="Try again in a minute; if it stays, tell the maintainers.",
        )

    def require_address(self, url: object) -> str:
        """Return an address that a provider named, if it is https, or http where its issuer is."""
        if isinstance(url, str) and re.fullmatch("[!-~]+", url) and "#" not in url:
            try:
                found = urlsplit(url)
                allowed = {"https", urlsplit(self.provider.issuer).scheme}
                has_host = found.hostname and found.port != 0 and "@" not in found.netloc
                if found.scheme in allowed and has_host:
                    return url
            except ValueError:
                pass
        raise self.failed(f"it names {str(url)[:100]!r} as an address")

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        **sent: Any,
    ) -> tuple[int, Mapping[str, Any]]:
        given = {"Accept": "application/json", "User-Agent": SERVER, **(headers or {})}
        given["Accept-Encoding"] = "identity"
        private = self.provider.private_networks
        session = outgoing_session(
            private_networks=private, seconds=_SECONDS, header_bytes=_HEADER_BYTES
        )
        try:
            async with (
                session,
                session.request(
                    method, URL(url), headers=given, allow_redirects=False, **sent
                ) as response,
            ):
                status, body = response.status, await self._read(response)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self.failed(f"{urlsplit(url).hostname}: {failure_reason(error)}") from error
        if not (200 <= status < 300 or (method == "POST" and 400 <= status < 500)):
            raise self.failed(f"{urlsplit(url).hostname} answered {status}")
        try:
            found = orjson.loads(body or b"")
        except orjson.JSONDecodeError as error:
            raise self.failed(f"{urlsplit(url).hostname} sent no JSON") from error
        if not isinstance(found, dict):
            raise self.failed(f"{urlsplit(url).hostname} sent no JSON object")
        return status, found

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for piece in response.content.iter_chunked(_LARGEST):
            body += piece
            if len(body) > _LARGEST:
                raise self.failed(f"{response.url.host} sent more than {_LARGEST:,} bytes")
        return bytes(body)
