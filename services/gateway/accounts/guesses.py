"""Limits how often an address may be wrong about a secret that could be the administrators' key."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from services.gateway.accounts.browser_sessions import Failures
from services.gateway.web.addresses import sharing
from services.gateway.web.errors import QuotaExhausted
from shared.runtime.metrics import KEY_GUESSES

USUAL: Final = 10
_SECONDS: Final = 300.0
_log = structlog.get_logger(__name__)
_REFUSED, _WRONG = (KEY_GUESSES.labels(outcome) for outcome in ("refused", "wrong"))
"""Exported from the start: a counter that appears with its first burst never rises by it."""


class SharedGuesses(Protocol):
    """What all gateways were sent. Raises Transient when it cannot answer now."""

    async def wait(self, shares: Sequence[tuple[str, int]], seconds: float) -> float:
        """Return in how many seconds all of the accounts may try again; 0 for now.

        `shares` says how often each may be wrong within `seconds`.
        """

    async def add(self, names: Sequence[str]) -> None:
        """Count a wrong key for each of the accounts."""


class Guesses:
    """Counts wrong keys by address and by the networks around it: in this process, and in all.

    The process's own count comes first. It is had without waiting, so that no crowd of guesses gets
    past it at once, and an address that waits by it costs the shared count nothing.

    While an address has to wait its right keys are not looked at either, or waiting would keep
    nobody from guessing on.
    """

    def __init__(
        self,
        most: int = USUAL,
        clock: Callable[[], float] = time.monotonic,
        shared: SharedGuesses | None = None,
    ) -> None:
        self._most = most
        self._clock = clock
        self._shared = shared
        self._failures: dict[int, Failures] = {}

    async def check(self, address: str) -> None:
        """Raise QuotaExhausted where an address was wrong too often."""
        wait = max(failures.wait(name) for name, failures in self._counted(address))
        if wait <= 0 and self._shared is not None:
            wait = await self._shared.wait(sharing(address, self._most), _SECONDS)
        if wait > 0:
            _REFUSED.inc()
            raise QuotaExhausted(
                "too many wrong keys came from your address.",
                fix=f"Try again in {wait:.0f} s.",
                code="too_many_guesses",
                retry_after=wait,
            )

    async def wrong(self, address: str) -> None:
        """Count a wrong key, and say in the log where it came from.

        Raises QuotaExhausted where others of the address were as fast, which used up the last try.
        """
        counted = self._counted(address)
        if any(failures.wait(name) > 0 for name, failures in counted):
            await self.check(address)
        for name, failures in counted:
            failures.add(name)
        _WRONG.inc()
        _log.warning("key_is_wrong", address=address)
        if self._shared is not None:
            await self._shared.add([name for name, _ in counted])

    def _counted(self, address: str) -> list[tuple[str, Failures]]:
        return [
            (name, self._failures.setdefault(most, Failures(most, _SECONDS, self._clock)))
            for name, most in sharing(address, self._most)
        ]
