"""What keeps a signed-in browser an administrator's: a form's token, and where it comes from."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

_TOKEN_BYTES: Final = 32
_MOST_ADDRESSES: Final = 1_000


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


class Failures:
    """Counts what went wrong by address, and says when it was too much; keeps little of it."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._times: OrderedDict[str, list[float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Return in how many seconds this address may try again; 0 for now."""
        times = self._recent(address)
        return times[0] + self._seconds - self._clock() if len(times) >= self._most else 0.0

    def add(self, address: str) -> None:
        """Count one."""
        self._times[address] = [*self._recent(address), self._clock()][-self._most :]
        self._times.move_to_end(address)
        while len(self._times) > _MOST_ADDRESSES:
            self._times.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = self._clock() - self._seconds
        return [time for time in self._times.get(address, []) if time > since]
