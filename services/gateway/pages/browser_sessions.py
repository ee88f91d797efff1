"""What keeps a signed-in browser an administrator's: a form's token, and where it comes from."""

from __future__ import annotations

import hmac
import secrets
from typing import Final
from urllib.parse import urlsplit

_TOKEN_BYTES: Final = 32


def new_session_token() -> str:
    """Return the value of a fresh cookie."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def form_token(cookie: str) -> str:
    """Return what every form of a browser with this cookie carries; no other site can know it."""
    return hmac.digest(cookie.encode(errors="surrogatepass"), b"form", "sha256").hex()


def is_form_of(cookie: str | None, token: str | None) -> bool:
    """Tell whether a form's token belongs to the cookie, in a time that tells nothing."""
    if not cookie or not token:
        return False
    return hmac.compare_digest(form_token(cookie).encode(), token.encode(errors="surrogatepass"))


def same_origin(host: str, origin: str | None, fetch_site: str | None) -> bool:
    """Tell whether a browser says that a form comes from our own pages; silence passes.

    `origin` and `fetch_site` are its Origin and Sec-Fetch-Site headers.
    """
    if fetch_site is not None and fetch_site != "same-origin":
        return False
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
