"""Who sent a request: its address, and what its Authorization header proves."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from aiohttp import hdrs, web

from services.gateway.accounts import credentials
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.guesses import Guesses
from services.gateway.accounts.keys_store import KeyStore
from services.gateway.accounts.rules import AccessRules, Caller, invalid_key, require_understood
from services.gateway.web.addresses import HIDDEN, Hidden, Network, client_address

_USED_AGAIN: Final = timedelta(minutes=1)
_LOGGED_CHARACTERS: Final = 200
_log = structlog.get_logger(__name__)


class IdentifyCaller:
    """Finds out who asks.

    Secrets are compared by their hashes in constant time; a key is looked up by its hash, of which
    nobody can choose the first bytes. So the time of an answer tells nothing of a secret.
    """

    def __init__(
        self, keys: KeyStore, admin_key: str | None, guesses: Guesses | None = None
    ) -> None:
        self._keys = keys
        self._guesses = guesses or Guesses()
        self._admin_sha256 = credentials.sha256(admin_key) if admin_key else None

    async def __call__(self, secret: str | None, address: str) -> Caller:
        """Return the caller.

        Raises NotAllowed for a key that is unknown or revoked, QuotaExhausted for an address that
        sent too many wrong ones.
        """
        if secret is None:
            return Caller(address)
        digest = credentials.sha256(secret)
        could_be_root = self._admin_sha256 is not None and not credentials.is_ours(secret)
        if could_be_root:
            await self._guesses.check(address)
        if self._admin_sha256 is not None and hmac.compare_digest(digest, self._admin_sha256):
            return Caller(address, root=True)
        if could_be_root:
            await self._guesses.wrong(address)
        if not secret.startswith(credentials.KEY_PREFIX):
            understood = credentials.is_owner_token(secret) and await self._keys.is_owner_token(
                digest
            )
            return Caller(address, token=secret, understood=understood)
        key = await self._keys.find(digest)
        if key is None:
            await self._guesses.check(address)
            await self._guesses.wrong(address)
        if key is None or key.revoked_at is not None:
            raise invalid_key(revoked=key is not None)
        if key.last_used_at is None or datetime.now(UTC) - key.last_used_at > _USED_AGAIN:
            await self._keys.used(key.id)
        return Caller(address, key=key)


class Callers:
    """Tells callers from requests; `rules` decide what they may do."""

    def __init__(
        self, identify: IdentifyCaller, rules: AccessRules, trusted: Sequence[Network]
    ) -> None:
        self.rules = rules
        self._identify = identify
        self._trusted = trusted
        self._logged: set[Hidden] = set()

    async def of(self, request: web.Request) -> Caller:
        """Return who asks; raises InvalidInput, NotAllowed (a key that is unknown or revoked)."""
        secret = credentials.bearer_token(request.headers.get(hdrs.AUTHORIZATION))
        return await self._identify(secret, self.address(request))

    async def understood(self, request: web.Request) -> Caller:
        """Return who asks, for what is open to all: a credential that is none is refused."""
        caller = await self.of(request)
        require_understood(caller)
        return caller

    def require_administrator(self, caller: Caller) -> None:
        """Raise NotAllowed unless the caller administers."""
        self.rules.require_administrator(caller)

    def action(self, caller: Caller, why: str, request_id: str) -> AdminAction:
        """Return what an administrator does; raises InvalidInput where the reason is none."""
        return AdminAction.of(caller.name, why, request_id)

    async def holder(self, secret: str, request: web.Request) -> Caller:
        """Return who asks with a secret that came in another way than as a header."""
        return await self._identify(secret, self.address(request))

    def address(self, request: web.Request) -> str:
        """Return the address that pays for the request.

        Where a proxy may hide its clients, the log says so once for each reason.
        """
        peer = request.transport.get_extra_info("peername") if request.transport else None
        host = peer[0] if isinstance(peer, tuple) else None
        forwarded = request.headers.getall(hdrs.X_FORWARDED_FOR, ())
        address, hidden = client_address(host, forwarded, self._trusted)
        if hidden is not None and hidden not in self._logged:
            self._logged.add(hidden)
            header = ", ".join(forwarded)[-_LOGGED_CHARACTERS:]
            _log.warning(
                "client_address_hidden",
                reason=hidden,
                peer=host,
                forwarded_for=header.encode("ascii", "backslashreplace").decode(),
                fix=HIDDEN[hidden],
            )
        return address
