"""When a call is sent again: only where that does no harm, ever more slowly, with jitter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from medvid.api.errors import LeaderboardError, Refused, Unreachable

_PASSING_STATUSES: Final = frozenset({408, 429, 502, 503, 504})
LASTING_CODES: Final = frozenset({"judge_not_configured", "no_ground_truth"})
"""Sent with 503, but waiting does not help."""


@dataclass(frozen=True, slots=True)
class Retries:
    """The policy: `attempts` in all; waits in seconds."""

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 20.0
    longest_retry_after: float = 60.0
    """Where the server asks for more, the caller decides."""

    def wait(
        self, error: LeaderboardError, attempt: int, random: Callable[[], float]
    ) -> float | None:
        """Return how long to wait after attempt number `attempt` (from 1), None to give up.

        `random` gives numbers from 0 to 1. Waits are spread over the whole span up to their limit,
        so that clients which failed together do not come back together.
        """
        if attempt >= self.attempts or not passing(error):
            return None
        limit = min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 1))
        named = error.retry_after if isinstance(error, Refused) else None
        if named is None:
            return limit * random()
        if named > self.longest_retry_after:
            return None
        return named + min(limit, 1.0) * random()


def passing(error: LeaderboardError) -> bool:
    """Return whether the same call may work in a while."""
    if isinstance(error, Refused):
        return error.status in _PASSING_STATUSES and error.code not in LASTING_CODES
    return isinstance(error, Unreachable)
