"""OpenID Connect: discovery, the code for an ID token, and every check of that token.

Sources: OpenID Connect Core 1.0 (3.1.3.7) and Discovery 1.0, RFC 7636 (PKCE), RFC 9700.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import structlog
from joserfc import jwk, jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jws import JWSRegistry
from yarl import URL

from services.gateway.sign_in.attempts import Attempt
from services.gateway.sign_in.provider_calls import ProviderCalls, ProviderFailed, sign_in_failed
from services.gateway.sign_in.rules import Identity, Provider, is_subject
from shared.runtime.errors import NotAllowed

_FRESH_SECONDS: Final = 3600.0
_AGAIN_SECONDS: Final = 5.0
"""A provider that failed is left alone for this long."""
_KEYS_AGAIN_SECONDS: Final = 60.0
"""A token of no key that we know makes us ask for the keys again, but no more often than this."""
_LEEWAY: Final = 60
_MOST_KEYS: Final = 50
# Signatures of the provider alone. No 'none', and none that our own secret or a public key makes.
_SIGNED: Final = JWSRegistry(
    algorithms=["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
                "EdDSA", "Ed25519"],
    strict_check_header=False,
)  # fmt: skip
_IN_HEADER: Final = "client_secret_basic"
_KEY_TYPES: Final = frozenset({"RSA", "EC", "OKP"})
_UNREADABLE: Final = (JoseError, ValueError, TypeError, KeyError, RecursionError)
"""What joserfc raises for tokens and keys of every other form."""
_log = structlog.get_logger(__name__)
Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class _Discovered:
    """What a provider says of itself."""

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    secret_in_form: bool


class _Kept(Generic[Said]):
    """What a provider said last. A crowd that asks waits for one call, and for none that failed."""

    def __init__(
        self, ask: Callable[[], Awaitable[Said]], calls: ProviderCalls, clock: Callable[[], float]
    ) -> None:
        self._ask = ask
        self._calls = calls
        self._clock = clock
        self._lock = asyncio.Lock()
        self._said: tuple[float, Said] | None = None
        self._failed_until = 0.0

    async def get(self, fresh_seconds: float = _FRESH_SECONDS) -> Said:
        """Return it, no older than this; raises ProviderFailed."""
        async with self._lock:
            now = self._clock()
            if self._said is not None and now - self._said[0] <= fresh_seconds:
                return self._said[1]
            if now < self._failed_until:
                raise self._calls.failed("it did not answer a moment ago")
            try:
                self._said = (now, await self._ask())
            except ProviderFailed:
                self._failed_until = self._clock() + _AGAIN_SECONDS
                raise
            return self._said[1]


class OpenIdConnect:
    """A provider that speaks OpenID Connect; raises ProviderFailed where it does not answer."""

    def __init__(self, provider: Provider, clock: Callable[[], float] = time.monotonic) -> None:
        self.provider = provider
        self._calls = ProviderCalls(provider)
        self._discovered = _Kept(self._discover, self._calls, clock)
        self._keys = _Kept(self._fetch_keys, self._calls, clock)

    async def address(self, attempt: Attempt, callback: str) -> str:
        """Return where a browser is sent to sign in."""
        query = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": callback,
            "scope": self.provider.scopes,
            "state": attempt.state(self.provider),
            "nonce": attempt.nonce(self.provider),
            "code_challenge": attempt.challenge(self.provider),
            "code_challenge_method": "S256",
        }
        address = (await self._discovered.get()).authorization
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"

    async def identity(self, code: str, attempt: Attempt, callback: str) -> Identity:
        """Return who signed in; raises NotAllowed where that cannot be believed."""
        provider, found = self.provider, await self._discovered.get()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback,
            "code_verifier": attempt.verifier(provider),
        }
        headers = {}
        if found.secret_in_form:
            form |= {"client_id": provider.client_id, "client_secret": provider.client_secret}
        else:  # RFC 6749, 2.3.1: both are encoded as in a form first
            pair = quote(provider.client_id, safe=""), quote(provider.client_secret, safe="")
            headers["Authorization"] = aiohttp.encode_basic_auth(*pair)
        tokens = await self._calls.exchange(found.token, form, headers)
        claims = await self._claims(tokens.get("id_token"), attempt.nonce(provider))
        wanted = {provider.name_claim, *provider.administrator_claims}
        if found.userinfo and not wanted <= claims.keys():
            more = await self._calls.get(found.userinfo, str(tokens.get("access_token", "")))
            if more.get("sub") != claims["sub"]:
                raise self._refused("userinfo is of another subject")
            claims = {**more, **claims}
        name = claims.get(provider.name_claim)
        return Identity(
            provider,
            claims["sub"],
            name if isinstance(name, str) else claims["sub"],
            provider.met(claims),
        )

    async def check(self) -> None:
        """Ask for what the provider says of itself and for its keys."""
        await self._fetch_keys()

    async def _discover(self) -> _Discovered:
        calls, issuer = self._calls, self.provider.issuer
        said = await calls.get(str(URL(issuer) / ".well-known/openid-configuration"))
        if said.get("issuer") != issuer:
            raise calls.failed(f"it calls itself {str(said.get('issuer'))[:100]!r}, not {issuer!r}")
        methods = said.get("token_endpoint_auth_methods_supported")
        userinfo = said.get("userinfo_endpoint")
        return _Discovered(
            authorization=calls.require_address(said.get("authorization_endpoint")),
            token=calls.require_address(said.get("token_endpoint")),
            keys=calls.require_address(said.get("jwks_uri")),
            userinfo=calls.require_address(userinfo) if userinfo else None,
            secret_in_form=isinstance(methods, list) and _IN_HEADER not in methods,
        )

    async def _claims(self, token: object, nonce: str) -> dict[str, Any]:
        """Return the claims of an ID token after every check."""
        if not isinstance(token, str):
            raise self._refused("no ID token came")
        try:
            return self._checked(await self._signed_claims(token), nonce)
        except _UNREADABLE as error:
            raise self._refused(str(error)) from error

    async def _signed_claims(self, token: str) -> dict[str, Any]:
        keys = await self._keys.get()
        try:
            return jwt.decode(token, keys, registry=_SIGNED).claims
        except (InvalidKeyIdError, BadSignatureError):  # the provider may have new keys
            keys = await self._keys.get(_KEYS_AGAIN_SECONDS)
            return jwt.decode(token, keys, registry=_SIGNED).claims

    def _checked(self, claims: dict[str, Any], nonce: str) -> dict[str, Any]:
        client = self.provider.client_id
        rules = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": self.provider.issuer},
            aud={"essential": True, "value": client},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        rules.validate(claims)
        audience, subject = claims["aud"], claims["sub"]
        if isinstance(audience, list) and len(audience) > 1 and "azp" not in claims:
            raise self._refused("it is for several, and names none of them as its reader")
        if claims.get("azp", client) != client:
            raise self._refused("it is for another client")
        if not isinstance(claims["nonce"], str) or not is_subject(subject):
            raise self._refused("its nonce or subject has another form")
        return claims

    async def _fetch_keys(self) -> jwk.KeySet:
        said = (await self._calls.get((await self._discovered.get()).keys)).get("keys")
        listed = said[:_MOST_KEYS] if isinstance(said, list) else []
        keys = [key for each in listed if (key := _key(each))]
        if not keys:
            raise self._calls.failed("it has no keys that sign")
        return jwk.KeySet(keys)

    def _refused(self, reason: str) -> NotAllowed:
        """Return the refusal of a token, whose reason the log tells."""
        _log.warning("id_token_refused", provider=self.provider.id, reason=reason[:200])
        return sign_in_failed(f"what {self.provider.name} sent is not valid.")


def _key(found: Any) -> jwk.Key | None:
    """Return a key that signs; None for others, which a provider may have too."""
    try:
        return jwk.import_key(found) if found["kty"] in _KEY_TYPES else None
    except _UNREADABLE:
        return None
