"""How many calls to have open: additive increase, multiplicative decrease (AIMD).

Throttling (429) and a queue building up at the provider (latency) mean that we ask too much. A
failure (5xx) does not: fewer calls would not fix it, and the breaker handles it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

THROTTLED_FACTOR: Final = 0.7
SLOW_FACTOR: Final = 0.85
COOLDOWN_SECONDS: Final = 1.0
"""One burst of refusals has one cause: it shrinks the limit once."""

_SMOOTHING: Final = 0.1
_SLOW_RATIO: Final = 3.0
_SLOW_MARGIN_SECONDS: Final = 1.0
_BASELINE_DRIFT: Final = 1.001
"""The baseline follows faster answers at once and slower ones by this factor an answer."""


@dataclass(slots=True)
class AdaptiveLimit:
    """The number of calls allowed at once, between `minimum` and `maximum`; starts at `maximum`.

    Times are seconds of one monotonic clock.
    """

    maximum: int
    minimum: int = 1
    _limit: float = field(init=False)
    _smooth: float | None = field(default=None, init=False)
    _baseline: float | None = field(default=None, init=False)
    _shrunk_at: float | None = field(default=None, init=False)
    _recovering: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._limit = float(self.maximum)

    @property
    def limit(self) -> int:
        """How many calls may be open now."""
        return int(self._limit)

    def answered(self, latency: float, now: float) -> None:
        """Note a call that was answered; slow answers shrink the limit, others let it grow."""
        if self._is_slow(latency):
            self._shrink(SLOW_FACTOR, now)
        else:
            # One more for each round of `limit` answers; after an outage one for each answer.
            step = 1.0 if self._recovering else 1 / self._limit
            self._limit = min(self._limit + step, float(self.maximum))
            self._recovering = self._recovering and self._limit < self.maximum

    def restart(self) -> None:
        """Begin with one call, after an outage; each answer then allows one more."""
        self._limit = float(self.minimum)
        self._recovering = True

    def throttled(self, now: float) -> None:
        """Note a call that was refused for asking too much."""
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
