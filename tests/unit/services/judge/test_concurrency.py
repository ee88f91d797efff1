"""AIMD: throttling and slowness shrink the limit, once a burst; good answers let it grow."""

from __future__ import annotations

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
    answers(limit, 0.2, 200)
    assert limit.interval == 0
