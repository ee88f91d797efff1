"""What lists of models say of a model's end, in the shapes that providers give it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from medvid.judging.ends import announced_end, days_left, earlier, end_of

END = date(2027, 1, 14)


@pytest.mark.parametrize(
    "model",
    [
        {"shutdown_date": "2027-01-14"},
        {"shutdown_date": "2027-01-14T23:00:00Z"},
        {"shutdown_date": "2027-01-15T01:00:00+02:00"},
        {"shutdown_date": 1799884800},
        {"shutdown_date": 1799884800000},
        {"deprecation": "2027-01-14T12:00:00Z"},
        {"deprecation": {"fine_tune": 1, "inference": 1799884800}},
        {"deprecation": {"shutdown_date": "2027-01-14"}},
        {"shutdown_date": None, "deprecated_at": "2027-01-14"},
        {"shutdown_date": "2027-01-14", "deprecated_at": "2026-07-14"},
    ],
)
def test_the_end_is_read_in_every_shape(model: dict[str, Any]) -> None:
    assert announced_end(model) == END


@pytest.mark.parametrize(
    "value",
    [None, "", "soon", True, False, 0, -1, 1e300, float("nan"), float("inf"), 10**400, [], {},
     {"shutdown_date": {"at": []}}],
)  # fmt: skip
def test_what_is_no_day_says_nothing(value: object) -> None:
    assert announced_end({"shutdown_date": value}) is None
    assert announced_end(value) is None


def test_a_model_is_found_by_both_of_its_names() -> None:
    assert end_of({"models/a": END, "b": None}, "a") == END
    assert end_of({"a": END}, "a") == END
    assert end_of({"b": END}, "a") is None


def test_the_earlier_day_counts() -> None:
    assert earlier((None, END, date(2027, 2, 1))) == END
    assert earlier((None, None)) is None
    assert days_left(END, date(2027, 1, 15)) == -1
