"""How many calls to have open: additive increase, multiplicative decrease (AIMD).

It begins with two calls, as nothing is known of the account's rate, and one may hang. Throttling
(429) and a queue building up at the provider (latency) mean that we ask too much. A failure (5xx)
does not: fewer calls would not fix it, and the breaker handles it. Nor does an answer that is as
slow when nothing else was asked: that is the provider's latency now, and the limit grows again.

Fewer calls at once do not keep to a rate, as all that waited would start together. So after a
refusal that says when to ask again, and where even one call at a time is too much, calls keep a
distance. It is learned from how many got through between two bursts of refusals, and shrinks with
each answer, faster the longer nothing is refused. Where answers tell what is left of the rate,
calls keep its distance before one is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

THROTTLED_FACTOR: Final = 0.7
SLOW_FACTOR: Final = 0.85
COOLDOWN_SECONDS: Final = 1.0
"""One burst of refusals has one cause: it shrinks the limit once."""

FIRST_CALLS: Final = 2
FIRST_INTERVAL_SECONDS: Final = 0.25
LONGEST_INTERVAL_SECONDS: Final = 20.0
SHORTEST_INTERVAL_SECONDS: Final = 0.002
"""A learned distance below this is dropped: no account's limit is that fast."""
CLOSER_FACTOR: Final = 0.997
"""Of the distance between calls: its nth power at the nth answer after a refusal."""
_SPARE: Final = 1.25
"""Above the distance at which calls just get through: an account at its limit has nothing saved."""

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
    _alone_since: float | None = field(default=None, init=False)
    """Since when it is at its minimum, after it shrank."""
    _recovering: bool = field(default=False, init=False)
    _refused_at: float | None = field(default=None, init=False)
    """When the last burst of refusals began."""
    _passed: int = field(default=0, init=False)
    """Answers to calls that started since."""

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
        if not self._is_of_burst(now - latency):
            self._passed += 1
            closer = self._interval * CLOSER_FACTOR**self._passed
            self._interval = closer if closer > SHORTEST_INTERVAL_SECONDS else 0.0
        if self._is_slow(latency, now):
            self._shrink(SLOW_FACTOR, now)
        else:
            # One more for each round of `limit` answers; from the start one for each answer.
            step = 1.0 if self._recovering else 1 / self._limit
            self._limit = min(self._limit + step, float(self.maximum))
            self._recovering = self._recovering and self._limit < self.maximum
            if self.limit > self.minimum:
                self._alone_since = None

    def restart(self) -> None:
        """Begin with one call, also after an outage; each answer then allows one more."""
        self._limit = float(self.minimum)
        self._alone_since = None
        self._recovering = True

    def allowed(self, calls: float, interval: float) -> None:
        """Note how many calls are left, and that one every `interval` s does not reduce them."""
        if calls <= 2 * self._limit:  # those that are open, and the next
            self._interval = max(self._interval, min(interval, LONGEST_INTERVAL_SECONDS))

    def throttled(self, now: float, wait: float | None = None, latency: float = 0.0) -> None:
        """Note a call that asked too much; `wait`: after how many seconds one may be made.

        Refusals of calls that started before the first of a burst belong to it.
        """
        is_news = not self._is_of_burst(now - latency)
        if is_news and (wait is not None or self._interval or self.limit == self.minimum):
            self._interval = self._distance(now, wait)
        if is_news:
            self._refused_at, self._passed = now, 0
        self._shrink(THROTTLED_FACTOR, now)

    def _is_of_burst(self, started: float) -> bool:
        return self._refused_at is not None and started < self._refused_at

    def _distance(self, now: float, wait: float | None) -> float:
        """Return the distance at which calls would have got through since the last burst."""
        apart = max(2 * self._interval, FIRST_INTERVAL_SECONDS)
        if wait is not None:
            if self._passed:
                apart = max(2 * self._interval, wait)
            # The account earned what got through, and by the end of the wait one more.
            earned = wait if self._refused_at is None else now + wait - self._refused_at
            apart = max(self._interval, min(apart, _SPARE * earned / (self._passed + 1)))
        return min(apart, LONGEST_INTERVAL_SECONDS)

    def _is_slow(self, latency: float, now: float) -> bool:
        if self._smooth is None or self._baseline is None:
            self._smooth = self._baseline = latency
        self._smooth += _SMOOTHING * (latency - self._smooth)
        self._baseline = min(latency, self._baseline * _BASELINE_DRIFT)
        if self._alone_since is not None and now - latency >= self._alone_since:
            self._baseline = latency
        allowed = max(_SLOW_RATIO * self._baseline, self._baseline + _SLOW_MARGIN_SECONDS)
        return self._smooth > allowed

    def _shrink(self, factor: float, now: float) -> None:
        if self._shrunk_at is not None and now - self._shrunk_at < COOLDOWN_SECONDS:
            return
        self._shrunk_at = now
        self._recovering = False
        self._limit = max(self._limit * factor, float(self.minimum))
        if self.limit == self.minimum and self._alone_since is None:
            self._alone_since = now
