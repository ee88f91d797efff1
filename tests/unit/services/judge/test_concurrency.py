"""AIMD: throttling and slowness shrink the limit, once a burst; good answers let it grow."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.judge.concurrency import COOLDOWN_SECONDS, AdaptiveLimit


def answers(limit: AdaptiveLimit, latency: float, count: int, now: float = 0) -> None:
    for _ in range(count):
        limit.answered(latency, now)


def warm(maximum: int = 16) -> AdaptiveLimit:
    """A limit that good answers have let grow to its maximum."""
    limit = AdaptiveLimit(maximum)
    answers(limit, 0.2, 2 * maximum)
    return limit


def test_it_starts_with_two_and_stays_at_the_maximum_while_all_is_well() -> None:
    limit = AdaptiveLimit(16)
    assert limit.limit == 2
    answers(limit, 0.2, 500)
    assert limit.limit == 16


def test_throttling_shrinks_once_for_a_burst() -> None:
    limit = warm()
    for now in (0.0, 0.1, 0.5, 0.99):
        limit.throttled(now)
    assert limit.limit == 11
    limit.throttled(COOLDOWN_SECONDS)
    assert limit.limit == 7


def test_it_never_falls_below_the_minimum() -> None:
    limit = AdaptiveLimit(16, minimum=2)
    for burst in range(100):
        limit.throttled(burst * COOLDOWN_SECONDS)
    assert limit.limit == 2


def test_a_round_of_good_answers_adds_one() -> None:
    limit = warm()
    limit.throttled(0)
    answers(limit, 0.2, 12)
    assert limit.limit == 12
    answers(limit, 0.2, 1000)
    assert limit.limit == 16


def test_a_queue_at_the_provider_shrinks_it() -> None:
    limit = AdaptiveLimit(16)
    answers(limit, 0.2, 50)
    for now in range(30):
        limit.answered(5.0, float(now))
    assert limit.limit < 8


def test_one_slow_answer_among_many_does_not_matter() -> None:
    limit = AdaptiveLimit(16)
    answers(limit, 0.2, 50)
    limit.answered(5.0, 1)
    answers(limit, 0.2, 50, now=2)
    assert limit.limit == 16


def test_small_differences_of_fast_answers_do_not_matter() -> None:
    limit = AdaptiveLimit(16)
    answers(limit, 0.001, 50)
    answers(limit, 0.5, 200)
    assert limit.limit == 16


def test_a_provider_that_is_slower_for_good_becomes_the_baseline() -> None:
    limit = AdaptiveLimit(16)
    answers(limit, 0.5, 50)
    for now in range(4000):
        limit.answered(3.0, float(now))
    assert limit.limit == 16


@pytest.mark.parametrize(("before", "after"), [(2.0, 8.0), (0.2, 60.0)])
def test_latency_that_is_not_ours_slows_nobody_down_for_long(before: float, after: float) -> None:
    """One call alone is as slow: so fewer of them would help nobody."""
    limit = AdaptiveLimit(16)
    open_calls = [(before, before)] * 2
    for seconds in (before, after, before):
        for _ in range(250):
            now, latency = heappop(open_calls)
            limit.answered(latency, now)
            while len(open_calls) < limit.limit:
                heappush(open_calls, (now + seconds, seconds))
        assert limit.limit == 16, seconds


@given(
    st.integers(1, 64),
    st.lists(st.tuples(st.booleans(), st.floats(0, 60), st.floats(0, 5)), max_size=200),
)
def test_it_stays_within_its_bounds(maximum: int, events: list[tuple[bool, float, float]]) -> None:
    limit = AdaptiveLimit(maximum)
    now = 0.0
    for throttled, latency, passed in events:
        now += passed
        if throttled:
            limit.throttled(now)
        else:
            limit.answered(latency, now)
        assert 1 <= limit.limit <= maximum


def test_after_an_outage_it_begins_with_one_and_doubles_with_each_round() -> None:
    limit = AdaptiveLimit(16)
    limit.restart()
    sizes = [limit.limit]
    for _ in range(4):
        for _ in range(limit.limit):
            limit.answered(0.1, now=0)
        sizes.append(limit.limit)
    assert sizes == [1, 2, 4, 8, 16]
    limit.throttled(now=0)
    assert limit.limit == 11


def test_an_unknown_rate_is_found_and_few_calls_are_refused() -> None:
    """One call at a time is ten times too many here: 30 a minute, each of 0.2 s."""
    limit, rate = AdaptiveLimit(16), 0.5
    now = next_start = 0.0
    tokens, refused, answered = 1.0, 0, 0
    while now < 3600:
        start = max(now, next_start)
        next_start = start + limit.interval
        tokens = min(1.0, tokens + (start - now) * rate)
        now = start
        if tokens >= 1:
            tokens, answered = tokens - 1, answered + 1
            limit.answered(0.2, now)
            spent = 0.2
        else:
            refused += 1
            limit.throttled(now)
            spent = 0.05
        tokens = min(1.0, tokens + spent * rate)
        now += spent
    assert refused < 0.2 * answered
    assert answered > 0.6 * 3600 * rate


def test_the_distance_between_calls_is_forgotten_once_all_is_well() -> None:
    limit = AdaptiveLimit(16)
    for burst in range(3):
        limit.throttled(burst * COOLDOWN_SECONDS)
    assert limit.interval > 0
    answers(limit, 0.2, 200, now=3)
    assert limit.interval == 0


@dataclass
class Account:
    """Earns `rate` calls a second up to `most`, or `most` at once when a window of it is over."""

    rate: float
    most: float
    left: float
    in_windows: bool = False
    at: float = 0.0

    def ask(self, now: float) -> float | None:
        """Take a call, or return in how many seconds one may be made."""
        window = self.most / self.rate
        if not self.in_windows:
            self.left = min(self.most, self.left + (now - self.at) * self.rate)
        elif now // window > self.at // window:
            self.left = self.most
        self.at = now
        if self.left >= 1 - 1e-9:
            self.left -= 1
            return None
        return window - now % window if self.in_windows else (1 - self.left) / self.rate

    def allowance(self) -> tuple[float, float]:
        return self.left, 1 / self.rate


def served(
    account: Account, limit: AdaptiveLimit, pairs: int, latency: float, *, tells: bool = False
) -> tuple[int, float]:
    """Judge so many pairs on a clock of its own; returns how many calls were refused, and how long
    it took. Refusals take a twentieth of a second.
    """
    now = next_start = 0.0
    refused = answered = 0
    calls: list[tuple[float, float, float]] = []
    while answered < pairs:
        start = max(now, next_start)
        if len(calls) < limit.limit and not (calls and calls[0][0] <= start):
            now, next_start = start, start + limit.interval
            wait = account.ask(now)
            took = latency if wait is None else 0.05
            heappush(calls, (now + took, took, wait or 0.0))
            continue
        now, took, asked = heappop(calls)
        if not asked:
            answered += 1
            limit.answered(took, now)
            if tells:
                limit.allowed(*account.allowance())
        else:
            refused += 1
            limit.throttled(now, asked, took)
            next_start = max(next_start, now + asked)
    return refused, now


@pytest.mark.parametrize("latency", [0.01, 0.05, 0.2, 1.0, 5.0])
@pytest.mark.parametrize("rate", [1.0, 10.0, 40.0])
def test_a_rate_that_refusals_tell_is_learned_at_any_limit(rate: float, latency: float) -> None:
    """The account has some calls left at first, which are used at once."""
    account = Account(rate, most=60 * rate, left=20 * rate)
    refused, seconds = served(account, AdaptiveLimit(16), 2000, latency)
    assert refused < 0.12 * 2000
    possible = max((2000 - 20 * rate) / rate, 2000 * latency / 16)
    assert seconds < 1.25 * possible + 10 * latency


@pytest.mark.parametrize("latency", [0.01, 0.2, 1.0])
def test_a_window_that_is_used_up_is_waited_for(latency: float) -> None:
    account = Account(rate=10, most=600, left=600, in_windows=True)
    refused, seconds = served(account, AdaptiveLimit(16), 2400, latency)
    assert refused < 0.05 * 2400
    assert seconds < 2400 / 10 * 1.25


@pytest.mark.parametrize("latency", [0.01, 0.2, 1.0])
def test_a_rate_that_answers_tell_is_kept_to_without_a_refusal(latency: float) -> None:
    account = Account(rate=10, most=600, left=200)
    refused, seconds = served(account, AdaptiveLimit(16), 2000, latency, tells=True)
    assert refused == 0
    assert seconds < 1.25 * (2000 - 200) / 10


def test_one_refusal_holds_nobody_up_for_long() -> None:
    limit = warm()
    limit.throttled(10, wait=5)
    answers(limit, 0.2, 30, now=20)
    assert limit.interval < 0.1


def test_refusals_of_calls_that_started_before_the_first_are_one_burst() -> None:
    limit = warm()
    limit.throttled(10, 1.0, 0.5)
    apart = limit.interval
    assert apart > 0
    for now in (10.1, 10.2, 10.4):
        limit.throttled(now, 1.0, 0.5)
    assert limit.interval == apart
    limit.throttled(11.2, 1.0, 0.1)
    assert limit.interval > apart
