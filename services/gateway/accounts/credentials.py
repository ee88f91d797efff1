"""Owner tokens, API and idempotency keys, request fingerprints. No secret is stored in clear."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Final

from shared.runtime.errors import InvalidInput

SALT_BYTES: Final = 32
_TOKEN_PREFIX: Final = "mvb_"  # noqa: S105 - lets secret scanners recognise a leaked token
KEY_PREFIX: Final = "mvk_"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_BEARER: Final = re.compile(r"bearer +([\x21-\x7e]{1,200}) *", re.IGNORECASE)


def new_token() -> str:
    """Return a fresh random owner token."""
    return _TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_key() -> str:
    """Return a fresh random API key."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def new_salt() -> bytes:
    """Return a fresh salt for `token_for`."""
    return secrets.token_bytes(SALT_BYTES)


def token_for(idempotency_key: str, salt: bytes) -> str:
    """Return the token of a request with an idempotency key.

    A repeat can be answered with the same token although only its hash and the salt are stored.
    """
    digest = hmac.digest(salt, idempotency_key.encode(), "sha256")
    return _TOKEN_PREFIX + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def webhook_secret_for(idempotency_key: str, salt: bytes) -> bytes:
    """Return the webhook secret of a request with an idempotency key, so that a repeat gets it."""
    return hmac.digest(salt, b"webhook/" + idempotency_key.encode(), "sha256")


def sha256(secret: str) -> bytes:
    """Return what is stored in place of a token or a key; both are long, so no slow hash.

    A cookie or a form may bring lone surrogates: they are hashed like any other wrong secret.
    """
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def matches(token: str, stored_sha256: bytes) -> bool:
    """Compare in a time that tells nothing."""
    return hmac.compare_digest(sha256(token), stored_sha256)


def is_ours(secret: str) -> bool:
    """Tell whether a secret has the form of an owner token or an API key."""
    return secret.startswith((_TOKEN_PREFIX, KEY_PREFIX))


def is_owner_token(secret: str) -> bool:
    """Tell whether a secret has the form of an owner token."""
    return secret.startswith(_TOKEN_PREFIX)


def check_idempotency_key(header: str) -> str:
    """Return the key, or raise InvalidInput."""
    if _KEY.fullmatch(header) is None:
        raise InvalidInput(
            "the Idempotency-Key is not 1 to 255 visible ASCII characters.",
            fix="Use a fresh random value, such as a UUID, for each new submission.",
            code="invalid_idempotency_key",
        )
    return header


def bearer_token(header: str | None) -> str | None:
    """Return the token of an Authorization header; None without one; raises InvalidInput."""
    if header is None:
        return None
    found = _BEARER.fullmatch(header)
    if found is None:
        raise InvalidInput(
            "the Authorization header is not 'Bearer TOKEN'.",
            fix="Send an owner token (mvb_...) or an API key (mvk_...) as "
            "'Authorization: Bearer ...', or no such header.",
            code="invalid_authorization",
        )
    return found[1]


def fingerprint(fields: Mapping[str, str], file_sha256: bytes) -> bytes:
    """Return what makes two requests the same: every field and the file's bytes."""
    digest = hashlib.sha256(file_sha256)
    for name, value in sorted(fields.items()):
        for part in (name.encode(), value.encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
