"""How many calls to have open: additive increase, multiplicative decrease (AIMD).

It begins with two calls, as nothing is known of the account's rate, and one may hang. Where even
one call at a time is too much, calls keep a distance that grows with each refusal and shrinks
with each answer. Throttling (429) and a queue building up at the provider (latency) mean that we
ask too much. A failure (5xx) does not: fewer calls would not fix it, and the breaker handles it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

THROTTLED_FACTOR: Final = 0.7
SLOW_FACTOR: Final = 0.85
COOLDOWN_SECONDS: Final = 1.0
"""One burst of refusals has one cause: it shrinks the limit once."""

FIRST_CALLS: Final = 2
FIRST_INTERVAL_SECONDS: Final = 0.25
LONGEST_INTERVAL_SECONDS: Final = 20.0
SHORTEST_INTERVAL_SECONDS: Final = 0.05
CLOSER_FACTOR: Final = 0.9
"""Of the distance between calls, at each answer."""

_SMOOTHING: Final = 0.1
_SLOW_RATIO: Final = 3.0
_SLOW_MARGIN_SECONDS: Final = 1.0
_BASELINE_DRIFT: Final = 1.001
"""The baseline follows faster answers at once and slower ones by this factor an answer."""


@dataclass(slots=True)
class AdaptiveLimit:
    """The number of calls allowed at once, between `minimum` and `maximum`; starts with two.

    Times are seconds of one monotonic clock.
    """

    maximum: int
    minimum: int = 1
    _limit: float = field(init=False)
    _interval: float = field(default=0.0, init=False)
    _smooth: float | None = field(default=None, init=False)
    _baseline: float | None = field(default=None, init=False)
    _shrunk_at: float | None = field(default=None, init=False)
    _recovering: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.restart()
        self._limit = float(min(FIRST_CALLS, self.maximum))

    @property
    def interval(self) -> float:
        """How many seconds to leave between the starts of two calls."""
        return self._interval

    @property
    def limit(self) -> int:
        """How many calls may be open now."""
        return int(self._limit)

    def answered(self, latency: float, now: float) -> None:
        """Note a call that was answered; slow answers shrink the limit, others let it grow."""
        if self._is_slow(latency):
            self._shrink(SLOW_FACTOR, now)
        elif self._interval:
            closer = self._interval * CLOSER_FACTOR
            self._interval = closer if closer > SHORTEST_INTERVAL_SECONDS else 0.0
        else:
            # One more for each round of `limit` answers; from the start one for each answer.
            step = 1.0 if self._recovering else 1 / self._limit
            self._limit = min(self._limit + step, float(self.maximum))
            self._recovering = self._recovering and self._limit < self.maximum

    def restart(self) -> None:
        """Begin with one call, also after an outage; each answer then allows one more."""
        self._limit = float(self.minimum)
        self._recovering = True

    def throttled(self, now: float, wait: float = math.inf) -> None:
        """Note a call that asked too much; `wait`: the seconds that the provider asks for.

        Calls are never further apart than that.
        """
        if self.limit == self.minimum:
            apart = max(2 * self._interval, FIRST_INTERVAL_SECONDS)
            self._interval = min(apart, LONGEST_INTERVAL_SECONDS, wait)
        self._shrink(THROTTLED_FACTOR, now)

    def _is_slow(self, latency: float) -> bool:
        if self._smooth is None or self._baseline is None:
            self._smooth = self._baseline = latency
        self._smooth += _SMOOTHING * (latency - self._smooth)
        self._baseline = min(latency, self._baseline * _BASELINE_DRIFT)
        allowed = max(_SLOW_RATIO * self._baseline, self._baseline + _SLOW_MARGIN_SECONDS)
        return self._smooth > allowed

    def _shrink(self, factor: float, now: float) -> None:
        if self._shrunk_at is not None and now - self._shrunk_at < COOLDOWN_SECONDS:
            return
        self._shrunk_at = now
        self._recovering = False
        self._limit = max(self._limit * factor, float(self.minimum))
