"""What stops calls, of whom, and what lets them pass again."""

from __future__ import annotations

from uuid import uuid4

import pytest

from medvid.judging.calls import CallFailed
from services.judge.breaker import Breaker
from services.judge.provider_health import ProviderHealth
from services.judge.verdict import BadReplies, ProviderDown, ProviderState

HOSTILE, HONEST = uuid4(), uuid4()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def a_provider(clock: Clock) -> ProviderHealth:
    return ProviderHealth(Breaker(failures=3, seconds=10), clock)


def test_a_run_without_verdicts_is_stopped_and_no_other() -> None:
    clock = Clock()
    health = a_provider(clock)
    for _ in range(3):
        health.require_good(HOSTILE)
        health.judged(HOSTILE, well=False)
        health.judged(HONEST, well=True)
    with pytest.raises(BadReplies, match="3 pairs in a row"):
        health.require_good(HOSTILE)
    health.require_good(HONEST)
    health.require_up()

    clock.now = 10  # on trial: the next without a verdict stops it again
    health.require_good(HOSTILE)
    health.judged(HOSTILE, well=False)
    with pytest.raises(BadReplies):
        health.require_good(HOSTILE)


def test_a_verdict_in_between_ends_the_row() -> None:
    health = a_provider(Clock())
    for well in (False, False, True, False, False):
        health.judged(HOSTILE, well=well)
    health.require_good(HOSTILE)


def test_what_others_found_out_holds_calls_back_and_lets_them_pass() -> None:
    clock = Clock()
    health = a_provider(clock)
    down = ProviderState(at=1.0, down_seconds=60, reason="503")
    assert not health.learn(down)
    with pytest.raises(ProviderDown, match="503"):
        health.require_up()
    assert health.learn(ProviderState(at=2.0, down_seconds=None))
    health.require_up()
    assert not health.learn(ProviderState(at=2.0, down_seconds=None))  # heard before


def test_old_news_do_not_close_a_breaker_that_opened_since() -> None:
    health = a_provider(Clock())
    up = ProviderState(at=1.0, down_seconds=None)
    health.learn(up)
    health.failed(CallFailed("unusable", "401", "no such key"))
    assert not health.learn(up)
    with pytest.raises(ProviderDown, match="no such key"):
        health.require_up()


def test_after_an_outage_one_failure_holds_calls_back_again() -> None:
    clock = Clock()
    health = a_provider(clock)
    health.failed(CallFailed("unusable", "401", "no such key"))
    health.learn(ProviderState(at=1.0, down_seconds=None))
    health.require_up()
    health.failed(CallFailed("failing", "503", "overloaded"))
    with pytest.raises(ProviderDown, match="overloaded"):
        health.require_up()
