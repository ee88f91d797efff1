"""The health of the provider as this replica sees it: when calls stop, and when they begin again.

What stops calls. The provider fails, refuses us, or throttles everything for minutes (the
breaker): no call passes, of any run. Nothing it answers can count (another model, rejections before
its first answer, rejections that are all alike): the same. One run gets replies that are no
verdicts, again and again: only that run stops, since captions may be the cause, and no upload may
stop the judge for others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from medvid.judging.calls import CallFailed
from services.judge.breaker import Breaker
from services.judge.verdict import BadReplies, ProviderDown, ProviderState

_RUNS_REMEMBERED: Final = 1000
ALIKE: Final = 5
THROTTLED_SECONDS: Final = 120.0
_IDS: Final = re.compile(r"\w*\d[\w-]*|\s+")
"""What differs from one rejection to the next: numbers, and ids, which have digits."""


@dataclass(slots=True)
class ProviderHealth:
    """What this replica knows of the provider; `clock` is the breaker's, in seconds."""

    breaker: Breaker
    clock: Callable[[], float]
    answers: int = field(default=0, init=False)
    """Calls that were answered."""
    _has_answered: bool = field(default=False, init=False)
    _has_counted: bool = field(default=False, init=False)
    _alike: tuple[str, set[bytes]] = field(default_factory=lambda: ("", set()), init=False)
    """What the last rejections said, and of which captions."""
    _throttled_since: float | None = field(default=None, init=False)
    _throttled: int = field(default=0, init=False)
    """Calls in a row that were throttled."""
    _in_vain: int = field(default=0, init=False)
    """Calls in a row of which nothing can count: rejected, or answered by another model."""
    _bad: dict[UUID, int] = field(default_factory=dict, init=False)
    """Pairs in a row, by run, whose replies were no verdicts."""
    _stopped: dict[UUID, float] = field(default_factory=dict, init=False)
    """Runs that are stopped, and until when."""
    _learnt: float | None = field(default=None, init=False)

    def require_up(self) -> None:
        """Raise ProviderDown while calls are held back; a half-open one passes as the probe."""
        seconds = self.breaker.retry_in(self.clock())
        if seconds is not None:
            raise ProviderDown(self.breaker.reason, seconds=seconds) from None

    def stop_if_down(self) -> None:
        """Raise ProviderDown after a call that opened the breaker, or found it open."""
        if self.breaker.is_open:
            seconds = self.breaker.seconds_left(self.clock())
            raise ProviderDown(self.breaker.reason, seconds=seconds) from None

    def require_good(self, run_id: UUID) -> None:
        """Raise BadReplies while a run is stopped."""
        until = self._stopped.get(run_id)
        if until is None:
            return
        if self.clock() < until:
            raise BadReplies(f"{self.breaker.failures} pairs in a row got no verdict")
        del self._stopped[run_id]

    def learn(self, state: ProviderState) -> bool:
        """Take over what another replica found out; True where calls are let pass on trial."""
        is_new = self._learnt != state.at
        self._learnt = state.at
        if not is_new:
            return False
        if state.down_seconds is not None:
            if not self.breaker.is_open:
                self.breaker.hold(state.reason, state.down_seconds, self.clock())
            return False
        was_open = self.breaker.is_open
        self.breaker.trust()
        return was_open

    def failed(self, failure: CallFailed, caption: bytes = b"") -> None:
        """Note a call without an answer, of this pair of captions."""
        now = self.clock()
        if failure.kind == "failing":
            self.breaker.failed(failure.detail, now)
        elif failure.kind == "unusable":
            self.breaker.trip(failure.detail, now, costly=True)
        elif failure.kind == "throttled":
            self._throttle(failure, now)
        elif failure.kind in ("rejected", "no_schema", "unfit"):
            if failure.kind != "unfit":  # which an upload can be, all of it, while others fit
                self._note_alike(failure.detail, caption)
            if not self._has_answered:
                # Once it has answered, a single rejection is about the captions.
                self._note_in_vain(failure.detail)

    def answered(self, *, in_vain: str | None) -> None:
        """Note an answer; `in_vain` says why nothing in it can count."""
        self._throttled_since, self._throttled = None, 0
        self.answers += 1
        if in_vain is not None:
            self._note_in_vain(in_vain)
            if not self._has_counted:
                # Another model from the start: the first answer says it all.
                self.breaker.trip(in_vain, self.clock(), costly=True)
                return
        else:
            self._has_answered = True
            self._has_counted = True
            self._in_vain = 0
        if self._in_vain < self.breaker.failures:
            self.breaker.succeeded()

    def judged(self, run_id: UUID, *, well: bool) -> None:
        """Note whether a pair's reply was a verdict; after some in a row that were not, stop."""
        if well:
            self._bad.pop(run_id, None)
            self._alike = ("", set())
            return
        bad = self._bad.pop(run_id, 0) + 1
        if len(self._bad) >= _RUNS_REMEMBERED:
            self._bad.pop(next(iter(self._bad)))
        self._bad[run_id] = bad
        if bad >= self.breaker.failures:
            # After the pause a single bad pair stops the run again.
            self._bad[run_id] = self.breaker.failures - 1
            self._stopped[run_id] = self.clock() + self.breaker.seconds

    def _note_in_vain(self, reason: str) -> None:
        """Stop after some in a row: the settings are wrong rather than these captions."""
        self._in_vain += 1
        if self._in_vain >= self.breaker.failures:
            self.breaker.trip(reason, self.clock(), costly=True)

    def _note_alike(self, detail: str, caption: bytes) -> None:
        """Stop after some rejections in a row that differ in numbers and ids only.

        Of as many captions, with no verdict between: a setting is wrong, whatever it is.
        """
        words = _IDS.sub("#", detail)
        known, captions = self._alike
        captions = captions if words == known else set()
        captions.add(caption)
        self._alike = (words, captions)
        if len(captions) >= ALIKE:
            reason = f"{len(captions)} pairs in a row were refused alike, so by a setting: {detail}"
            self.breaker.trip(reason, self.clock(), costly=True)

    def _throttle(self, failure: CallFailed, now: float) -> None:
        """Stop where the account takes no call for minutes: nobody would know why it stands."""
        if self._throttled_since is None:
            self._throttled_since = now
        self._throttled += 1
        ends = now + (failure.retry_after or 0.0)
        if self._throttled >= ALIKE and ends - self._throttled_since >= THROTTLED_SECONDS:
            reason = f"the provider takes no call for minutes: {failure.detail}"
            self.breaker.trip(reason, now, costly=True)
