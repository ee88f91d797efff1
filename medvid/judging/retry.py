"""When to try a failed call again: exponential waits with full jitter, and Retry-After."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_LARGEST_EXPONENT: Final = 30


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `attempts` calls; waits of up to `base` s, doubling, never over `longest` s."""

    attempts: int
    base: float
    longest: float

    def wait(
        self, failed: int, retry_after: float | None, random: Callable[[], float]
    ) -> float | None:
        """Return the seconds to wait after the `failed`th failure, or None to give up for now.

        Full jitter: anywhere from 0 to the exponential bound, so that rivals spread out. What the
        server asks for is kept and never shortened; up to a tenth is added, for the same reason.
        Give up when the attempts are used or the server asks for more than `longest`.
        """
        if failed >= self.attempts:
            return None
        if retry_after is not None:
            return None if retry_after > self.longest else retry_after * (1 + random() / 10)
        bound = self.base * 2.0 ** min(failed - 1, _LARGEST_EXPONENT)
        return min(bound, self.longest) * random()


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, in seconds or as an HTTP date; None where it says nothing."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value, now)
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _seconds_until(date: str, now: datetime) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return math.nan
    if moment.tzinfo is None:  # "-0000": a UTC time from nowhere in particular
        moment = moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()
