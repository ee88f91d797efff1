"""The breaker: opens after failures in a row, lets one probe through, and waits ever longer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.judge.breaker import LONGEST_COSTLY_FACTOR, LONGEST_FACTOR, Breaker


def opened(now: float = 0) -> Breaker:
    breaker = Breaker(failures=3, seconds=10)
    for _ in range(3):
        breaker.failed("503", now)
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(failures=3, seconds=10)
    for _ in range(20):
        breaker.failed("503", 0)
        breaker.failed("503", 0)
        breaker.succeeded()
    assert breaker.retry_in(0) is None
    assert opened().retry_in(0) == 10
    assert opened().reason == "503"


def test_when_the_time_is_up_one_probe_passes() -> None:
    breaker = opened()
    assert breaker.retry_in(4) == 6
    assert breaker.retry_in(10) is None
    assert breaker.retry_in(11) == 9
    assert breaker.is_open


def test_a_probe_that_succeeds_closes_it() -> None:
    breaker = opened()
    assert breaker.retry_in(10) is None
    breaker.succeeded()
    assert not breaker.is_open
    assert breaker.reason == ""
    assert [breaker.retry_in(10) for _ in range(5)] == [None] * 5


def test_a_probe_that_fails_opens_it_for_twice_as_long_to_a_cap() -> None:
    breaker, now = opened(), 0.0
    pauses = []
    for _ in range(8):
        pauses.append(breaker.retry_in(now) or 0)
        now += pauses[-1]
        assert breaker.retry_in(now) is None
        breaker.failed("still 503", now)
    assert pauses == [10, 20, *[10 * LONGEST_FACTOR] * 6]
    assert breaker.reason == "still 503"


def test_a_probe_that_never_reports_gives_way() -> None:
    breaker = opened()
    assert breaker.retry_in(10) is None
    assert breaker.retry_in(19) == 1
    assert breaker.retry_in(20) is None


def test_what_no_retry_mends_opens_it_at_once() -> None:
    breaker = Breaker(failures=100, seconds=10)
    breaker.trip("401: wrong key", 0)
    assert breaker.retry_in(0) == 10
    assert breaker.reason == "401: wrong key"


def test_failures_of_calls_that_were_open_before_do_not_lengthen_it() -> None:
    breaker = opened()
    for _ in range(50):
        breaker.failed("503", 1)
    assert breaker.retry_in(1) == 9


@given(st.lists(st.tuples(st.sampled_from("sftr"), st.floats(0, 30)), max_size=200))
def test_it_never_blocks_for_longer_than_its_cap(events: list[tuple[str, float]]) -> None:
    breaker, now = Breaker(failures=3, seconds=10), 0.0
    for event, passed in events:
        now += passed
        if event == "s":
            breaker.succeeded()
        elif event == "f":
            breaker.failed("503", now)
        elif event == "t":
            breaker.trip("401", now)
        wait = breaker.retry_in(now)
        assert wait is None or 0 < wait <= 10 * LONGEST_FACTOR + 1e-6
    assert breaker.retry_in(now + 10 * LONGEST_FACTOR + 1e-6) is None


def test_where_tries_cost_money_the_pauses_grow_longer() -> None:
    breaker, now = Breaker(1, 10), 0.0
    pauses = []
    for _ in range(8):
        breaker.trip("another model", now, costly=True)
        pauses.append(breaker.seconds_left(now))
        now += pauses[-1]
    assert pauses == [10, 20, 40, 80, 160, *[10 * LONGEST_COSTLY_FACTOR] * 3]
