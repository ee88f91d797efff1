"""What stops calls, of whom, and what lets them pass again."""

from __future__ import annotations

from uuid import uuid4

import pytest

from services.judge.breaker import Breaker
from services.judge.ports import BadReplies, CallFailed, Finding, ProviderDown
from services.judge.standing import Standing

HOSTILE, HONEST = uuid4(), uuid4()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def a_standing(clock: Clock) -> Standing:
    return Standing(Breaker(failures=3, seconds=10), clock)


def test_a_run_without_verdicts_is_stopped_and_no_other() -> None:
    clock = Clock()
    standing = a_standing(clock)
    for _ in range(3):
        standing.require_good(HOSTILE)
        standing.graded(HOSTILE, well=False)
        standing.graded(HONEST, well=True)
    with pytest.raises(BadReplies, match="3 pairs in a row"):
        standing.require_good(HOSTILE)
    standing.require_good(HONEST)
    standing.require_up()

    clock.now = 10  # on trial: the next without a verdict stops it again
    standing.require_good(HOSTILE)
    standing.graded(HOSTILE, well=False)
    with pytest.raises(BadReplies):
        standing.require_good(HOSTILE)


def test_a_verdict_in_between_ends_the_row() -> None:
    standing = a_standing(Clock())
    for well in (False, False, True, False, False):
        standing.graded(HOSTILE, well=well)
    standing.require_good(HOSTILE)


def test_what_others_found_out_holds_calls_back_and_lets_them_pass() -> None:
    clock = Clock()
    standing = a_standing(clock)
    down = Finding(at=1.0, down_seconds=60, reason="503")
    assert not standing.learn(down)
    with pytest.raises(ProviderDown, match="503"):
        standing.require_up()
    assert standing.learn(Finding(at=2.0, down_seconds=None))
    standing.require_up()
    assert not standing.learn(Finding(at=2.0, down_seconds=None))  # heard before


def test_old_news_do_not_close_a_breaker_that_opened_since() -> None:
    standing = a_standing(Clock())
    up = Finding(at=1.0, down_seconds=None)
    standing.learn(up)
    standing.failed(CallFailed("unusable", "401", "no such key"))
    assert not standing.learn(up)
    with pytest.raises(ProviderDown, match="no such key"):
        standing.require_up()


def test_after_an_outage_one_failure_holds_calls_back_again() -> None:
    clock = Clock()
    standing = a_standing(clock)
    standing.failed(CallFailed("unusable", "401", "no such key"))
    standing.learn(Finding(at=1.0, down_seconds=None))
    standing.require_up()
    standing.failed(CallFailed("failing", "503", "overloaded"))
    with pytest.raises(ProviderDown, match="overloaded"):
        standing.require_up()
