"""Intervals hold the true value as often as they say: `benchmarks/coverage.py`, in a small form."""

from __future__ import annotations

from benchmarks.coverage import TEST_SETS, Figures, simulate
from tests.depth import deep

SIMULATIONS = 400
"""A share near 0.95 is then known to 0.02 (two standard errors)."""


def simulated(name: str, correlation: float) -> Figures:
    return simulate(next(each for each in TEST_SETS if each.name == name), correlation, SIMULATIONS)


@deep
def test_intervals_of_many_videos_cover_what_they_say_and_naive_ones_do_not() -> None:
    found = simulated("CVS, 79 videos", 0.5)
    assert 0.93 - 0.02 <= found.covered <= 0.97 + 0.02
    assert found.rejected <= 0.065 + 0.02
    assert found.naive < 0.75


@deep
def test_intervals_of_nine_videos_cover_less() -> None:
    found = simulated("skill, 9 videos", 0.2)
    assert 0.84 <= found.covered <= 0.93
    assert found.rejected > 0.065
