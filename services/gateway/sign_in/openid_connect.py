"""OpenID Connect: discovery, the code for an ID token, and every check of that token.

Sources: OpenID Connect Core 1.0 (3.1.3.7) and Discovery 1.0, RFC 7636 (PKCE), RFC 9700.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
import structlog
from joserfc import jwk, jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jws import JWSRegistry
from yarl import URL

from services.gateway.sign_in.attempts import Attempt
from services.gateway.sign_in.provider_calls import ProviderCalls, ProviderFailed, sign_in_failed
from services.gateway.sign_in.rules import LONGEST_SUBJECT, Identity, Provider
from shared.runtime.errors import NotAllowed

_FRESH_SECONDS: Final = 3600.0
_AGAIN_SECONDS: Final = 5.0
"""A provider that failed is left alone for this long."""
_KEYS_AGAIN_SECONDS: Final = 60.0
"""An unknown key id makes us ask for the keys again, but no more often than this."""
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
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Discovered:
    """What a provider says of itself."""

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    secret_in_form: bool


class OpenIdConnect:
    """A provider that speaks OpenID Connect; raises ProviderFailed where it does not answer."""

    def __init__(self, provider: Provider, clock: Callable[[], float] = time.monotonic) -> None:
        self.provider = provider
        self._calls = ProviderCalls(provider)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._found: tuple[float, _Discovered] | None = None
        self._failed_until = 0.0
        self._keys: tuple[float, jwk.KeySet] | None = None

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
        address = (await self._discovered()).authorization
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"

    async def identity(self, code: str, attempt: Attempt, callback: str) -> Identity:
        """Return who signed in; raises NotAllowed where that cannot be believed."""
        provider, found = self.provider, await self._discovered()
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
            provider.has_claims(claims),
        )

    async def check(self) -> None:
        """Ask for what the provider says of itself and for its keys."""
        await self._fetch_keys(await self._discovered())

    async def _discovered(self) -> _Discovered:
        async with self._lock:
            now = self._clock()
            if self._found is not None and now - self._found[0] <= _FRESH_SECONDS:
                return self._found[1]
            if now < self._failed_until:  # a crowd waits for one of them only
                raise self._calls.failed("it did not answer a moment ago")
            try:
                self._found = (now, await self._discover())
            except ProviderFailed:
                self._failed_until = self._clock() + _AGAIN_SECONDS
                raise
            return self._found[1]

    async def _discover(self) -> _Discovered:
        calls, issuer = self._calls, self.provider.issuer
        said = await calls.get(str(URL(issuer) / ".well-known/openid-configuration"))
        if said.get("issuer") != issuer:
            raise calls.failed(f"it calls itself {str(said.get('issuer'))[:100]!r}, not {issuer!r}")
        methods = said.get("token_endpoint_auth_methods_supported", [_IN_HEADER])
        userinfo = said.get("userinfo_endpoint")
        return _Discovered(
            authorization=calls.require_address(said.get("authorization_endpoint")),
            token=calls.require_address(said.get("token_endpoint")),
            keys=calls.require_address(said.get("jwks_uri")),
            userinfo=calls.require_address(userinfo) if userinfo else None,
            secret_in_form=_IN_HEADER not in methods,
        )

    async def _claims(self, token: object, nonce: str) -> dict[str, Any]:
        """Return the claims of an ID token after every check."""
        if not isinstance(token, str):
            raise self._refused("no ID token came")
        try:
            claims = jwt.decode(token, await self._current_keys(), registry=_SIGNED).claims
        except InvalidKeyIdError:
            claims = await self._claims_with_new_keys(token)
        except (JoseError, ValueError) as error:
            raise self._refused(str(error)) from error
        return self._checked(claims, nonce)

    async def _claims_with_new_keys(self, token: str) -> dict[str, Any]:
        """Read a token whose key we do not know: the provider may have new ones."""
        try:
            keys = await self._current_keys(_KEYS_AGAIN_SECONDS)
            return jwt.decode(token, keys, registry=_SIGNED).claims
        except (JoseError, ValueError) as error:
            raise self._refused(str(error)) from error

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
        try:
            rules.validate(claims)
        except JoseError as error:
            raise self._refused(str(error)) from error
        audience, subject = claims["aud"], claims["sub"]
        if isinstance(audience, list) and len(audience) > 1 and "azp" not in claims:
            raise self._refused("it is for several, and names none of them as its reader")
        if claims.get("azp", client) != client:
            raise self._refused("it is for another client")
        if not isinstance(claims["nonce"], str) or len(subject) > LONGEST_SUBJECT:
            raise self._refused("its nonce or subject has another form")
        return claims

    async def _current_keys(self, fresh_seconds: float = _FRESH_SECONDS) -> jwk.KeySet:
        found = await self._discovered()
        async with self._lock:
            now = self._clock()
            if self._keys is None or now - self._keys[0] > fresh_seconds:
                self._keys = (now, await self._fetch_keys(found))
            return self._keys[1]

    async def _fetch_keys(self, found: _Discovered) -> jwk.KeySet:
        said = (await self._calls.get(found.keys)).get("keys")
        listed = said[:_MOST_KEYS] if isinstance(said, list) else []
        keys = [key for each in listed if (key := _key(each))]
        if not keys:
            raise self._calls.failed("it has no keys that sign")
        return jwk.KeySet(keys)

    def _refused(self, reason: str) -> NotAllowed:
        """Return the refusal of a token, whose reason the log tells."""
        _log.warning("id_token_refused", provider=self.provider.id, reason=reason[:200])
        return sign_in_failed(f"what {self.provider.name} sent is not valid.")


def _key(found: Mapping[str, Any]) -> jwk.Key | None:
    """Return a key that signs; None for others, which a provider may have too."""
    if not isinstance(found, dict) or found.get("kty") not in _KEY_TYPES:
        return None
    try:
        return jwk.import_key(found)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
