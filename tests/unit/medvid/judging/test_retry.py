"""Retries: full jitter within exponential bounds; what a server asks for is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.judging.retry import RetryPolicy, parse_retry_after

NOW: Final = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
POLICY: Final = RetryPolicy(attempts=5, base=0.5, longest=20)
DRAWS: Final = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 10_000), DRAWS)
def test_waits_lie_between_nothing_and_the_bound(failed: int, drawn: float) -> None:
    wait = RetryPolicy(attempts=100_000, base=0.5, longest=20).wait(failed, None, lambda: drawn)
    assert wait is not None
    assert 0 <= wait <= min(20, 0.5 * 2.0 ** min(failed - 1, 10))


def test_the_bound_doubles_to_the_longest_wait() -> None:
    policy = RetryPolicy(attempts=100, base=0.5, longest=20)
    bounds = [policy.wait(failed, None, lambda: 1.0) for failed in range(1, 9)]
    assert bounds == [0.5, 1, 2, 4, 8, 16, 20, 20]


@given(st.integers(1, 20), st.none() | st.floats(0, 100), DRAWS)
def test_attempts_are_capped(failed: int, asked: float | None, drawn: float) -> None:
    wait = POLICY.wait(failed, asked, lambda: drawn)
    if failed >= POLICY.attempts:
        assert wait is None


@given(st.floats(0, 100), DRAWS)
def test_what_the_server_asks_for_is_never_shortened(asked: float, drawn: float) -> None:
    wait = POLICY.wait(1, asked, lambda: drawn)
    if asked > POLICY.longest:
        assert wait is None
    else:
        assert wait is not None
        assert asked <= wait <= asked * 1.1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("20", 20),
        ("0.05", 0.05),
        (" 3 ", 3),
        ("-1", 0),
        ("1e3", 1000),
        ("nan", None),
        ("inf", None),
        ("-inf", None),
        ("", None),
        ("soon", None),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30),
        ("Sat, 21 Nov 2026 13:00:30 +0100", 30),
        ("Sat, 21 Nov 2026 12:00:30 -0000", 30),
        ("Saturday, 21-Nov-26 12:00:30 GMT", 30),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("Sat, 99 Nov 2026 12:00:30 GMT", None),
        ("Sat, 21 Nov 99999 12:00:30 GMT", None),
    ],
)
def test_retry_after_comes_in_seconds_or_as_a_date(
    value: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.text(max_size=40))
def test_no_header_is_an_error(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0
