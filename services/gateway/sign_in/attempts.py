"""A sign-in that a browser has begun: what its provider is sent, and what has to come back.

All of it follows from one random secret in a cookie, so nothing is stored of sign-ins that nobody
ends, and any gateway can end them. Nothing in the cookie is trusted: it is compared with what comes
back, and where it leads to is checked again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final, Self

from services.gateway.sign_in.rules import LONGEST_RETURN, Provider

_SECRET_BYTES: Final = 32
_MOST: Final = 4
"""Attempts that a browser keeps: each tab may have its own."""
_LONGEST: Final = _MOST * 2 * LONGEST_RETURN
_BETWEEN: Final = "~"
SECONDS: Final = 600
"""How long a browser keeps an attempt."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A browser's attempt to sign in, which goes on at the page `back`."""

    secret: str
    back: str

    @classmethod
    def begin(cls, back: str) -> Self:
        """Return a fresh one."""
        return cls(secrets.token_urlsafe(_SECRET_BYTES), back)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the attempt in a part of a cookie, None where the part is not valid."""
        secret, _, back = text.partition(".")
        try:
            return cls(secret, _unpacked(back).decode()) if secret else None
        except (binascii.Error, UnicodeDecodeError):
            return None

    @property
    def text(self) -> str:
        """What the browser keeps of it."""
        return f"{self.secret}.{_packed(self.back.encode())}"

    @property
    def sha256(self) -> bytes:
        """What is stored of it once it has opened a session, so that it opens no second one."""
        return hashlib.sha256(self.secret.encode()).digest()

    # The provider is part of each: what one hands back is worth nothing at another's address.

    def state(self, provider: Provider) -> str:
        """Return what the provider has to hand back unchanged."""
        return self._derived("state", provider)

    def nonce(self, provider: Provider) -> str:
        """Return what an ID token has to name."""
        return self._derived("nonce", provider)

    def verifier(self, provider: Provider) -> str:
        """Return the proof that a code comes from who asked for it (PKCE, RFC 7636)."""
        return self._derived("verifier", provider)

    def challenge(self, provider: Provider) -> str:
        """Return the verifier's hash, which the provider is sent first (S256)."""
        return _packed(hashlib.sha256(self.verifier(provider).encode()).digest())

    def is_state(self, provider: Provider, given: str) -> bool:
        """Tell whether a state is this attempt's, in a time that tells nothing."""
        expected = self.state(provider).encode()
        return hmac.compare_digest(expected, given.encode(errors="surrogatepass"))

    def _derived(self, what: str, provider: Provider) -> str:
        message = f"{what} {provider.id}".encode()
        return _packed(hmac.digest(self.secret.encode(), message, "sha256"))


@dataclass(frozen=True, slots=True)
class Attempts:
    """Those that a browser has begun and not ended, newest first."""

    kept: tuple[Attempt, ...] = ()

    @classmethod
    def read(cls, cookie: str | None) -> Self:
        """Return those of a cookie."""
        if not cookie or len(cookie) > _LONGEST or not cookie.isascii():
            return cls()
        found = (Attempt.read(part) for part in cookie.split(_BETWEEN)[:_MOST])
        return cls(tuple(each for each in found if each))

    @property
    def cookie(self) -> str:
        """What the browser keeps; '' where there are none."""
        return _BETWEEN.join(each.text for each in self.kept)

    def begun(self, attempt: Attempt) -> Self:
        """Return them with a new one; the oldest goes where there are too many."""
        return type(self)((attempt, *self.kept)[:_MOST])

    def ended(self, attempt: Attempt) -> Self:
        """Return them without one that has ended."""
        return type(self)(tuple(each for each in self.kept if each != attempt))

    def of_state(self, provider: Provider, state: str) -> Attempt | None:
        """Return the one that a provider hands back, None where it is not one of them."""
        return next((each for each in self.kept if each.is_state(provider, state)), None)


def _packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _unpacked(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
