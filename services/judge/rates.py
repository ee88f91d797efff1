"""The rate that all replicas share: a token bucket in Postgres, taken in slices.

A replica takes about a second's worth at once and spends it without the database, so the cost per
call is the cost of one UPDATE divided by the calls of a slice.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from services.judge.verdict import TryLater
from shared.storage.database import TRANSIENT_ERRORS, Database, transient_errors
from shared.storage.queries import load_queries

_log = structlog.get_logger(__name__)
_SQL: Final = load_queries("services.judge", "budgets.sql")

SLICE_SECONDS: Final = 1.0
BURST_SECONDS: Final = 10.0
"""How much an idle account saves up: limits are given per minute, but enforced more finely."""
STALE_SECONDS: Final = 3.0
"""A slice that was not used up by then goes back before the next is taken."""
_UNLIMITED: Final = 1e12  # a rate that no clock can use up; keeps one query for all cases


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Limits per minute of the account `account`; None for no limit."""

    account: str
    requests_per_minute: float | None
    tokens_per_minute: float | None

    @property
    def any(self) -> bool:
        """Whether there is anything to keep."""
        return self.requests_per_minute is not None or self.tokens_per_minute is not None

    @property
    def rates(self) -> tuple[float, float]:
        """Requests and tokens per second."""
        return (_per_second(self.requests_per_minute), _per_second(self.tokens_per_minute))

    @property
    def capacities(self) -> tuple[float, float]:
        """Most requests and tokens that the bucket holds; at least one request."""
        requests, tokens = self.rates
        return max(1.0, requests * BURST_SECONDS), tokens * BURST_SECONDS


class CallGate(Protocol):
    """Admits calls at the account's rate."""

    async def admit(self, tokens: int) -> None:
        """Wait for one request of this many tokens; raises TryLater if that would take too long."""

    def settle(self, estimated: int, used: int) -> None:
        """Correct an admitted estimate by what was used."""


class Unlimited:
    """The gate of an account without limits."""

    async def admit(self, tokens: int) -> None:
        """Let the call pass."""

    def settle(self, estimated: int, used: int) -> None:
        """Nothing to correct."""


@dataclass(slots=True)
class SharedRate:
    """This replica's slice of the account's rate."""

    database: Database
    limits: RateLimits
    longest_wait: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    _requests: float = field(default=0.0, init=False)
    _tokens: float = field(default=0.0, init=False)
    _taken_at: float = field(default=-math.inf, init=False)
    _is_open: bool = field(default=False, init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def admit(self, tokens: int) -> None:
        """Wait for one request of this many tokens; raises TryLater if that takes too long."""
        # A call larger than the bucket passes when the bucket is full, and overdraws it.
        need = min(float(tokens), self.limits.capacities[1])
        deadline = self.clock() + self.longest_wait
        async with self._turn:  # first come, first served
            while not self._has(need):
                wait = await self._take(need)
                if self.clock() + wait > deadline:
                    reason = "the account's rate limit is used up"
                    raise TryLater(max(wait, 1.0), reason, counts=False)
                if wait:
                    await self.sleep(wait)
            self._requests -= 1
            self._tokens -= tokens

    def settle(self, estimated: int, used: int) -> None:
        """Correct an admitted estimate; a debt is paid with the next slice."""
        self._tokens += estimated - used

    async def close(self) -> None:
        """Give back what is left."""
        if self._is_open and (self._requests or self._tokens):
            back, self._requests, self._tokens = (self._requests, self._tokens), 0.0, 0.0
            try:
                await self.database.pool.execute(
                    _SQL["give_back"], self.limits.account, *back, *self.limits.capacities
                )
            except TRANSIENT_ERRORS as error:
                _log.warning("judge_rate_not_given_back", error=str(error))

    def _has(self, tokens: float) -> bool:
        fresh = self.clock() - self._taken_at < STALE_SECONDS
        return fresh and self._requests >= 1 and self._tokens >= tokens

    async def _take(self, need: float) -> float:
        """Exchange what is left for a new slice; returns the seconds to wait if there is none."""
        requests_rate, tokens_rate = self.limits.rates
        wanted = max(1.0, math.floor(requests_rate * SLICE_SECONDS))
        wanted_tokens = max(need, tokens_rate * SLICE_SECONDS)
        back = self._tokens
        async with transient_errors():
            if not self._is_open:
                await self.database.pool.execute(
                    _SQL["open_bucket"], self.limits.account, *self.limits.capacities
                )
                self._is_open = True
            row = await self.database.pool.fetchrow(
                _SQL["take_slice"],
                self.limits.account,
                wanted,
                wanted_tokens,
                requests_rate,
                tokens_rate,
                *self.limits.capacities,
                need,
                self._requests,
                back,
            )
        assert row is not None  # noqa: S101 - opened above
        self._requests = row["granted_requests"]
        # Calls that ended in between corrected their estimates: only the difference is added.
        self._tokens += row["granted_tokens"] - back
        self._taken_at = self.clock()
        return 0.0 if self._requests else float(row["wait"])


def _per_second(per_minute: float | None) -> float:
    return _UNLIMITED if per_minute is None else per_minute / 60
