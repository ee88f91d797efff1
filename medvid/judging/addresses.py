"""What an endpoint's base URL must be, and the fix where it is not."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

_CALLED: Final = "/chat/completions"


_QUERY: Final = (
    'put what follows the ? into MEDVID_JUDGE_QUERY, such as {"api-version": "2024-10-21"}'
)


def problem_of(url: str, *, query: str = _QUERY) -> str | None:
    """Return what is wrong with a base URL and what to do about it; None where nothing is.

    `query` is the fix for one with a query.
    """
    if not url or any(character.isspace() or not character.isprintable() for character in url):
        return "it must have no blanks: write it without them"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"it is no address ({error}): write it like https://api.openai.com/v1"
    if parts.scheme not in ("http", "https") or not host:
        return "it must begin with https:// (or http://) and a host: write it like https://HOST/v1"
    if parts.query or parts.fragment:
        return f"it must have no query: {query}"
    if parts.path.rstrip("/").endswith(_CALLED):
        return f"leave {_CALLED} off: the client adds it"
    return None
