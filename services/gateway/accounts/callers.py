"""Who sent a request: its address, and what it sends as its Authorization."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import hdrs, web

from services.gateway.accounts.admin_actions import Act
from services.gateway.accounts.credentials import bearer_token
from services.gateway.accounts.keys import IdentifyCaller
from services.gateway.accounts.rules import AccessRules, Caller, require_understood
from services.gateway.web.addresses import Network, client_address


class Callers:
    """Tells callers from requests; `rules` decide what they may do."""

    def __init__(
        self, identify: IdentifyCaller, rules: AccessRules, trusted: Sequence[Network]
    ) -> None:
        self.rules = rules
        self._identify = identify
        self._trusted = trusted

    async def of(self, request: web.Request) -> Caller:
        """Return who asks; raises InvalidInput, NotAllowed (a key that is unknown or revoked)."""
        secret = bearer_token(request.headers.get(hdrs.AUTHORIZATION))
        return await self._identify(secret, self.address(request))

    async def understood(self, request: web.Request) -> Caller:
        """Return who asks, for what is open to all: a credential that is none is refused."""
        caller = await self.of(request)
        require_understood(caller)
        return caller

    async def administrator(self, request: web.Request) -> Caller:
        """Return who asks, if it is an administrator; raises NotAllowed."""
        caller = await self.of(request)
        self.rules.require_administrator(caller)
        return caller

    def require_administrator(self, caller: Caller) -> None:
        """Raise NotAllowed unless the caller administers."""
        self.rules.require_administrator(caller)

    def action(self, caller: Caller, why: str, request_id: str) -> Act:
        """Return what an administrator does; raises InvalidInput where the reason is none."""
        return Act.of(caller.name, why, request_id)

    async def holder(self, secret: str, request: web.Request) -> Caller:
        """Return who asks with a secret that came in another way than as a header."""
        return await self._identify(secret, self.address(request))

    def address(self, request: web.Request) -> str:
        """Return the address that pays for the request."""
        peer = request.transport.get_extra_info("peername") if request.transport else None
        host = peer[0] if isinstance(peer, tuple) else None
        return client_address(host, request.headers.getall(hdrs.X_FORWARDED_FOR, ()), self._trusted)
