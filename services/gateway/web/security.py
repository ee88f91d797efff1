"""Headers that tell browsers what our answers may do: nothing that they do not need."""

from __future__ import annotations

from typing import Final

API_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
}
_FRAMED: Final = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
)


def framed_headers(ancestors: str) -> dict[str, str]:
    """Return those of a page that other sites may show in a frame; '': none may."""
    return {**PAGE_HEADERS, "Content-Security-Policy": _FRAMED + (ancestors or "'none'")}


# Anyone's front-end may read the API; nobody's browser lends it its user's credentials.
READ_HEADERS: Final = {
    **API_HEADERS,
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "Deprecation, ETag, Link, Location, Retry-After, Sunset, X-Request-ID, X-Total-Count"
    ),
    "Cross-Origin-Resource-Policy": "cross-origin",
}
PREFLIGHT_HEADERS: Final = {
    **READ_HEADERS,
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, If-None-Match, Last-Event-ID, X-Request-ID",
    "Access-Control-Max-Age": "86400",
}
