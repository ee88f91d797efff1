"""What keeps a signed-in browser its owner's: cookies, a form's token, where a form is from."""

from __future__ import annotations

import hmac
import secrets
from typing import Final, Literal
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from services.gateway.web.site import site
from services.gateway.web.urls import ROOT, url
from shared.runtime.errors import NotAllowed

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


def is_from_here(request: web.Request) -> bool:
    """Tell whether a request comes from our own pages by its headers; silence passes."""
    origin, site = request.headers.get(hdrs.ORIGIN), request.headers.get("Sec-Fetch-Site")
    return same_origin(request.host, origin, site)


def require_own_form(request: web.Request, expected: str | None, token: object) -> None:
    """Raise NotAllowed unless a form has the token that is expected and comes from our own page."""
    given = token.encode(errors="surrogatepass") if isinstance(token, str) else b""
    ours = expected is not None and hmac.compare_digest(expected.encode(), given)
    if not ours or not is_from_here(request):
        raise NotAllowed(
            "this form was not made for this browser, or is too old.",
            fix="Go back to the page, load it anew and try again.",
            code="foreign_form",
        )


def signed_out() -> NotAllowed:
    """Return the refusal of a form whose session has ended."""
    return NotAllowed(
        "you are not signed in any more.", fix="Sign in and do it again.", code="token_required"
    )


def cookie_name(request: web.Request, name: str) -> str:
    """Return a cookie's name; over https one that a browser takes from a safe answer only.

    Below a path the host has other sites, to which a `__Host-` cookie would be sent as well.
    """
    if not _is_https(request):
        return name
    return f"__Host-{name}" if url("official") == ROOT else f"__Secure-{name}"


def set_cookie(
    response: web.StreamResponse,
    request: web.Request,
    name: str,
    value: str,
    *,
    page: str,
    seconds: int,
    samesite: Literal["Strict", "Lax"],
) -> None:
    """Give a browser a cookie for the pages below `page`; with 0 seconds take it away."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=ROOT if name.startswith("__Host-") else url(page),
        secure=_is_https(request),
        httponly=True,
        samesite=samesite,
    )


def _is_https(request: web.Request) -> bool:
    # Not every proxy says it. A forged header makes the sender's own cookie stricter, nothing else.
    said = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    public = site().origin.removesuffix(":443") == f"https://{request.host.removesuffix(':443')}"
    return request.secure or said == "https" or public
