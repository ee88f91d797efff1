"""Signing in with a browser: to a provider and back, and whose session a cookie is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog

from medvid.benchmark.names import check_text
from services.gateway.accounts import credentials
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.guesses import Guesses
from services.gateway.sign_in.attempts import Attempt, Attempts
from services.gateway.sign_in.github import GitHub
from services.gateway.sign_in.openid_connect import OpenIdConnect
from services.gateway.sign_in.provider_calls import sign_in_failed
from services.gateway.sign_in.rules import Identity, Provider, Providers, who
from services.gateway.sign_in.store import (
    AccountRevoked,
    AttemptUsed,
    IdentityStore,
    NewSession,
    StoredSession,
)
from services.gateway.web import browsers
from services.gateway.web.urls import PAGES
from shared.runtime.errors import NotAllowed, NotFound

_LONGEST_NAME: Final = 100
_LONGEST_CODE: Final = 2_000
_log = structlog.get_logger(__name__)


class IdentityProvider(Protocol):
    """How a provider is spoken to. Each raises ProviderFailed where it does not answer."""

    @property
    def provider(self) -> Provider:
        """What is known of it."""

    async def address(self, attempt: Attempt, callback: str) -> str:
        """Return where a browser is sent to sign in."""

    async def identity(self, code: str, attempt: Attempt, callback: str) -> Identity:
        """Return who signed in; raises NotAllowed where that cannot be believed."""

    async def check(self) -> None:
        """Ask it what a sign-in needs."""


@dataclass(frozen=True, slots=True)
class AccountSession:
    """A browser that is signed in. `administrator` is who it is called where it administers."""

    stored: StoredSession
    form_token: str
    administrator: str | None
    administers_until: datetime

    @property
    def key_id(self) -> UUID:
        """The account."""
        return self.stored.identity.key_id


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was just opened: its cookie, and where the browser goes on."""

    cookie: str
    back: str


def speak(provider: Provider) -> IdentityProvider:
    """Return what speaks to a provider."""
    return GitHub(provider) if provider.kind == "github" else OpenIdConnect(provider)


class SignIn:
    """Opens, finds and ends sessions of people's accounts; raises NotFound where it is off."""

    def __init__(
        self,
        store: IdentityStore,
        providers: Providers,
        guesses: Guesses,
        *,
        seconds: float,
        admin_seconds: float,
    ) -> None:
        self.store = store
        self.providers = providers
        self._guesses = guesses
        self.seconds = seconds
        self._admin_seconds = timedelta(seconds=admin_seconds)
        self._spoken = {key: speak(each) for key, each in providers.by_id.items()}

    def require_on(self) -> None:
        """Raise NotFound where no provider is configured."""
        if not self.providers:
            raise NotFound(
                "nobody can sign in here: the operator has set up no identity provider.",
                fix="Use an API key.",
                code="sign_in_off",
            )

    async def begin(self, provider_id: str, back: str) -> tuple[str, Attempt]:
        """Return where a browser is sent, and the attempt that it keeps."""
        spoken, attempt = self._provider(provider_id), Attempt.begin(back)
        return await spoken.address(attempt, self._callback(provider_id)), attempt

    def attempt(
        self, provider_id: str, query: Mapping[str, str], attempts: Attempts
    ) -> Attempt | None:
        """Return which of a browser's attempts a provider answers; raises NotFound."""
        return attempts.of_state(self._provider(provider_id).provider, query.get("state", ""))

    async def end(
        self,
        provider_id: str,
        query: Mapping[str, str],
        attempt: Attempt | None,
        *,
        address: str,
        request_id: str,
    ) -> Opened:
        """Open the session of who comes back from a provider.

        Raises NotAllowed, ProviderFailed, QuotaExhausted after many wrong codes of an address.
        """
        spoken = self._provider(provider_id)
        provider = spoken.provider
        if attempt is None:
            raise sign_in_failed("this browser has not begun this sign-in, or too long ago.")
        issuer = query.get("iss", provider.issuer)  # RFC 9207
        if provider.kind == "oidc" and issuer != provider.issuer:
            raise sign_in_failed("another provider answered than was asked.")
        code = query.get("code", "")
        if "error" in query or not code or len(code) > _LONGEST_CODE:
            raise sign_in_failed(f"{provider.name} did not let you in, or you said no there.")
        await self._guesses.check(address)
        try:
            found = await spoken.identity(code, attempt, self._callback(provider_id))
        except NotAllowed:  # or codes that are made up would make us ask a provider for ever
            await self._guesses.wrong(address)
            raise
        return await self._open(_with_clean_name(found), attempt, request_id)

    async def session(self, cookie: str | None) -> AccountSession | None:
        """Return the session of a cookie, None where it has none that is valid."""
        if not cookie or not self.providers:
            return None
        stored = await self.store.session(credentials.sha256(cookie))
        if stored is None:
            return None
        until = min(stored.created_at + self._admin_seconds, stored.expires_at)
        name = self._administrator(stored) if datetime.now(UTC) < until else None
        return AccountSession(stored, browsers.form_token(cookie), name, until)

    def _administrator(self, stored: StoredSession) -> str | None:
        """Return what an administrator is called, as the operator's file is now; None of others."""
        identity = stored.identity
        provider = self.providers.of_issuer(identity.issuer)
        if not provider or not provider.administers(identity.subject, stored.met):
            return None
        return who(provider.id, identity.subject, identity.name)

    async def leave(self, cookie: str | None) -> None:
        """End the session of a cookie."""
        if cookie:
            await self.store.end_browser(credentials.sha256(cookie))

    async def _open(self, identity: Identity, attempt: Attempt, request_id: str) -> Opened:
        provider, cookie = identity.provider, browsers.new_session_token()
        if provider.only_administrators and not identity.administers:
            raise NotAllowed(
                f"only administrators sign in with {provider.name} here.",
                fix="Ask the maintainers.",
                code="administrator_required",
            )
        action = None
        if identity.administers:
            name = who(provider.id, identity.subject, identity.name)
            action = AdminAction.of(name, "signed in on the page", request_id)
        new = NewSession(credentials.sha256(cookie), attempt.sha256, "browser", self.seconds)
        try:
            known = await self.store.sign_in(identity, new, action)
        except AccountRevoked:
            raise NotAllowed(
                "the maintainers closed your account.", fix="Ask them.", code="revoked_key"
            ) from None
        except AttemptUsed:
            raise sign_in_failed("this sign-in has ended already.") from None
        _log.info("signed_in", provider=provider.id, key_id=str(known.key_id))
        return Opened(cookie, attempt.back)

    def _provider(self, provider_id: str) -> IdentityProvider:
        self.require_on()
        found = self._spoken.get(provider_id)
        if found is None:
            raise NotFound("there is no such identity provider here.", fix="Check the address.")
        return found

    def _callback(self, provider_id: str) -> str:
        return callback_address(self.providers, provider_id)


def callback_address(providers: Providers, provider_id: str) -> str:
    """Return the redirect URI that has to be registered at a provider."""
    return providers.site + PAGES["sign_in_callback"].format(provider=provider_id)


def _with_clean_name(identity: Identity) -> Identity:
    """Return an identity whose name is one visible line; the subject takes the place of others."""
    try:
        name = check_text(identity.name)
    except ValueError:
        name = ""
    if not name or len(name) > _LONGEST_NAME:
        name = ascii(identity.subject)[1:-1][:_LONGEST_NAME]
    return Identity(identity.provider, identity.subject, name, identity.met)
