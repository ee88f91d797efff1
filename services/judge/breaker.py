"""The circuit breaker: after failures in a row calls stop; then one probe decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

LONGEST_FACTOR: Final = 2
"""A question to a provider that is down costs nothing: work shall go on soon after it is back."""
LONGEST_COSTLY_FACTOR: Final = 20
"""Where each try is paid for."""


@dataclass(slots=True)
class Breaker:
    """Closed: calls pass. Open: none does. Half-open: one at a time, whose end decides.

    Opens after `failures` in a row, for `seconds`, twice as long after each probe that failed, to a
    cap. Times are seconds of one monotonic clock.
    """

    failures: int
    seconds: float
    reason: str = field(default="", init=False)
    _in_row: int = field(default=0, init=False)
    _opened: int = field(default=0, init=False)
    _open_until: float | None = field(default=None, init=False)
    _probe_since: float | None = field(default=None, init=False)

    @property
    def is_open(self) -> bool:
        """Whether calls are held back (also while a probe is under way)."""
        return self._open_until is not None

    def retry_in(self, now: float) -> float | None:
        """Return None when a call may be made now, else after how many seconds to ask again.

        Where it is open and the time is up, the caller who gets None is the probe. It must report
        back; one that never does gives way to another after `seconds`.
        """
        if self._open_until is None:
            return None
        if self.admits(now):
            self._probe_since = now
            return None
        if now < self._open_until or self._probe_since is None:
            return self._open_until - now
        return self.seconds - (now - self._probe_since)

    def admits(self, now: float) -> bool:
        """Tell whether a call may be made now; where it is open, as the probe."""
        if self._open_until is None:
            return True
        probed = self._probe_since is not None and now - self._probe_since < self.seconds
        return now >= self._open_until and not probed

    def seconds_left(self, now: float) -> float:
        """Return for how long no call may be made at all; 0 when it is closed or may be probed."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)

    def trust(self) -> None:
        """Let calls pass on trial: one failure opens it again, for twice as long."""
        if self._open_until is not None:
            self._open_until = self._probe_since = None
            self._in_row = self.failures - 1

    def succeeded(self) -> None:
        """Note an answer, whatever it says: the provider works."""
        self._in_row = self._opened = 0
        self._open_until = self._probe_since = None
        self.reason = ""

    def failed(self, reason: str, now: float) -> None:
        """Note a failure of the provider."""
        self._in_row += 1
        if self._probe_since is not None or self._in_row >= self.failures:
            self.trip(reason, now)

    def hold(self, reason: str, seconds: float, now: float) -> None:
        """Open for so long, as another replica found out; it does not count as a failure here."""
        self.reason = reason
        self._open_until = now + seconds
        self._probe_since = None

    def trip(self, reason: str, now: float, *, costly: bool = False) -> None:
        """Open at once: no further call can succeed as things are."""
        self.reason = reason
        if self._open_until is not None and now < self._open_until:
            return  # calls that were open when it opened tell nothing new
        factor = min(2**self._opened, LONGEST_COSTLY_FACTOR if costly else LONGEST_FACTOR)
        self._open_until = now + self.seconds * factor
        self._opened = min(self._opened + 1, LONGEST_COSTLY_FACTOR)
        self._probe_since = None
