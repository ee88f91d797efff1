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
from services.gateway.web.browsers import cookie_name, form_token, is_form_of, is_from_here
from services.gateway.web.middleware import is_api

_ACCOUNT_COOKIE: Final = "medvid-account"
_FORM_HEADER: Final = "X-Form-Token"
_READS: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})
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
            await self._keys.used(key.id, digest)
        return Caller(address, key=key)

    async def of_browser(self, cookie: str, address: str) -> Caller | None:
        """Return the account that a browser is signed in to, None where it is to none."""
        key = await self._keys.of_browser(credentials.sha256(cookie))
        return None if key is None else Caller(address, key=key)


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
        address = self.address(request)
        if secret is None and self.rules.sign_in and (cookie := _own_cookie(request)):
            signed_in = await self._identify.of_browser(cookie, address)
            if signed_in is not None:
                return signed_in
        return await self._identify(secret, address)

    def form_token(self, request: web.Request, caller: Caller) -> str:
        """Return what scripts of a page show the API to act as its reader; '' without a session."""
        signed_in = caller.key is not None and hdrs.AUTHORIZATION not in request.headers
        return form_token(request.cookies.get(account_cookie(request), "")) if signed_in else ""

    async def of_session(self, cookie: str, request: web.Request) -> Caller | None:
        """Return the account that a cookie is signed in to, None where it is to none."""
        return await self._identify.of_browser(cookie, self.address(request))

    async def understood(self, request: web.Request) -> Caller:
        """Return who asks, for what is open to all: an unknown credential is refused."""
        caller = await self.of(request)
        require_understood(caller)
        return caller

    def require_administrator(self, caller: Caller) -> None:
        """Raise NotAllowed unless the caller administers."""
        self.rules.require_administrator(caller)

    def action(self, caller: Caller, why: str, request_id: str) -> AdminAction:
        """Return what an administrator does; raises InvalidInput without a valid reason."""
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


def account_cookie(request: web.Request) -> str:
    """Return the name of the cookie of who is signed in."""
    return cookie_name(request, _ACCOUNT_COOKIE)


def _own_cookie(request: web.Request) -> str | None:
    """Return the cookie of who is signed in, if it is our own page that asks.

    Browsers send it for any site. So the API takes it only from scripts that know the page's token,
    and where something is sent to a page the browser must say that it comes from here.
    """
    cookie = request.cookies.get(account_cookie(request))
    if not cookie:
        return None
    if is_api(request):
        ours = is_form_of(cookie, request.headers.get(_FORM_HEADER))
    else:
        says = hdrs.ORIGIN in request.headers or "Sec-Fetch-Site" in request.headers
        ours = request.method in _READS or (says and is_from_here(request))
    return cookie if ours else None
