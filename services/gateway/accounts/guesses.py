"""Limits how often an address may be wrong about a secret that could be the administrators' key."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from services.gateway.web.addresses import sharing
from services.gateway.web.errors import QuotaExhausted
from shared.runtime.metrics import KEY_GUESSES
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "guesses.sql")
USUAL: Final = 10
_MOST_ADDRESSES: Final = 1_000
_SECONDS: Final = 300.0
_log = structlog.get_logger(__name__)
_REFUSED, _WRONG = (KEY_GUESSES.labels(outcome) for outcome in ("refused", "wrong"))
"""Exported from the start: a counter that appears with its first burst never rises by it."""


@dataclass(frozen=True, slots=True)
class SharedGuesses:
    """Wrong keys sent to all gateways. Raises Transient when the database does not answer."""

    database: Database

    async def wait(self, shares: Sequence[tuple[str, int]], seconds: float) -> float:
        """Return in how many seconds all of the accounts may try again; 0 for now.

        `shares` says how often each may be wrong within `seconds`.
        """
        names, limits = [name for name, _ in shares], [most for _, most in shares]
        async with transient_errors():
            found = await self.database.pool.fetchval(_SQL["guesses_wait"], names, limits, seconds)
        return float(found or 0)

    async def add(self, names: Sequence[str]) -> None:
        """Count a wrong key for each of the accounts."""
        async with transient_errors():
            await self.database.pool.execute(_SQL["guesses_add"], list(names))

    async def prune(self) -> None:
        """Delete what no limit looks at any more."""
        async with transient_errors():
            await self.database.pool.execute(_SQL["guesses_forget"])


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
                "too many wrong keys or codes came from your address.",
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
