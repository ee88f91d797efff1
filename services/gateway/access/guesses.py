"""Limits how often an address may be wrong about a secret that could be the administrators' key."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

from services.gateway.domain.addresses import sharing
from services.gateway.domain.browser_sessions import Failures
from services.gateway.domain.quotas import QuotaExhausted
from shared.runtime.metrics import KEY_GUESSES

USUAL: Final = 10
_SECONDS: Final = 300.0
_log = structlog.get_logger(__name__)
_REFUSED, _WRONG = (KEY_GUESSES.labels(outcome) for outcome in ("refused", "wrong"))
"""Exported from the start: a counter that appears with its first burst never rises by it."""


class Guesses:
    """Counts wrong keys in this process, by address and by the networks around it.

    While an address has to wait its right keys are not looked at either, or waiting would keep
    nobody from guessing on.
    """

    def __init__(self, most: int = USUAL, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._failures: dict[int, Failures] = {}

    def check(self, address: str) -> None:
        """Raise QuotaExhausted where an address was wrong too often."""
        wait = max(failures.wait(name) for name, failures in self._counted(address))
        if wait > 0:
            _REFUSED.inc()
            raise QuotaExhausted(
                "too many wrong keys came from your address.",
                fix=f"Try again in {wait:.0f} s.",
                code="too_many_guesses",
                retry_after=wait,
            )

    def wrong(self, address: str) -> None:
        """Count a wrong key, and say in the log where it came from."""
        for name, failures in self._counted(address):
            failures.add(name)
        _WRONG.inc()
        _log.warning("key_is_wrong", address=address)

    def _counted(self, address: str) -> list[tuple[str, Failures]]:
        return [
            (name, self._failures.setdefault(most, Failures(most, _SECONDS, self._clock)))
            for name, most in sharing(address, self._most)
        ]
