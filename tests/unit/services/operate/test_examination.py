"""What the doctor says of the day on which the judge's model ends."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from services.operate.examination import ending

TODAY = date(2026, 5, 1)


@pytest.mark.parametrize(
    ("left", "state", "says"),
    [
        (-1, "failed", "ended on 2026-04-30"),
        (0, "failed", "in 0 days"),
        (30, "failed", "in 30 days"),
        (31, "warning", "in 31 days"),
        (60, "warning", "in 60 days"),
    ],
)
def test_a_model_that_ends_needs_a_successor(left: int, state: str, says: str) -> None:
    found = ending("a-model", TODAY + timedelta(days=left), TODAY)
    assert found is not None
    assert found.state == state
    assert says in found.says
    assert "successor" in (found.fix or "")


def test_a_far_end_is_no_finding() -> None:
    assert ending("a-model", TODAY + timedelta(days=61), TODAY) is None
