"""Agreement in numpy is what krippendorff, scikit-learn and scipy compute."""

from __future__ import annotations

import math
import warnings

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.judging.agreement import (
    alphas,
    coincidences,
    interval,
    quadratic_kappa,
    rank_correlations,
    resampled,
)
from tests.depth import deep, examples

SCORE = st.integers(1, 5)
UNITS = st.lists(st.lists(SCORE, min_size=1, max_size=4), min_size=2, max_size=30)
TWO = st.lists(st.tuples(SCORE, SCORE), min_size=2, max_size=40)


@settings(max_examples=examples(200), deadline=None)
@given(units=UNITS)
def test_alpha_is_that_of_the_package_with_missing_ratings_too(units: list[list[int]]) -> None:
    weights = np.ones((1, len(units)))
    (found,) = alphas(np.array([coincidences([unit]) for unit in units]), weights)
    ratings = np.array([unit + [math.nan] * (4 - len(unit)) for unit in units]).T
    paired = [score for unit in units if len(unit) > 1 for score in unit]
    if len(set(paired)) < 2:
        assert math.isnan(found)
        return
    assert found == pytest.approx(krippendorff.alpha(ratings, level_of_measurement="ordinal"))


@settings(max_examples=examples(100), deadline=None)
@given(units=UNITS, data=st.data())
def test_a_unit_that_counts_twice_is_there_twice(
    units: list[list[int]], data: st.DataObject
) -> None:
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(units), max_size=len(units)))
    tables = np.array([coincidences([unit]) for unit in units])
    (weighted,) = alphas(tables, np.array([counts], dtype=float))
    again = np.repeat(tables, counts, axis=0)
    (repeated,) = alphas(again, np.ones((1, len(again)))) if len(again) else (math.nan,)
    assert weighted == pytest.approx(repeated, nan_ok=True)


@deep
@settings(max_examples=examples(100), deadline=None)
@given(pairs=TWO)
def test_kappa_and_rank_correlation_are_those_of_the_packages(pairs: list[tuple[int, int]]) -> None:
    from scipy.stats import spearmanr
    from sklearn.metrics import cohen_kappa_score  # to import it takes four seconds

    one, other = (list(scores) for scores in zip(*pairs, strict=True))
    (rank,) = rank_correlations(
        np.array(one, float), np.array(other, float), np.ones((1, len(one)))
    )
    kappa = quadratic_kappa(one, other)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = cohen_kappa_score(one, other, weights="quadratic", labels=[1, 2, 3, 4, 5])
    assert (math.nan if kappa is None else kappa) == pytest.approx(expected, nan_ok=True)
    if len(set(one)) > 1 and len(set(other)) > 1:
        assert rank == pytest.approx(spearmanr(one, other).statistic)
    else:
        assert math.isnan(rank)


def test_kappa_and_rank_correlation_of_one_pair_of_raters() -> None:
    """The numbers are those of scikit-learn and scipy."""
    one, other = [1, 2, 3, 4, 5, 2, 4, 1], [1, 3, 3, 5, 5, 2, 2, 2]
    (rank,) = rank_correlations(np.array(one, float), np.array(other, float), np.ones((1, 8)))
    assert quadratic_kappa(one, other) == pytest.approx(0.770492, abs=1e-6)
    assert rank == pytest.approx(0.742270, abs=1e-6)


def test_an_interval_holds_the_truth_in_about_95_of_100_draws() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        values = rng.normal(3, 1, size=150)
        found = interval(resampled(150, 500) @ values / 150)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 3 <= found.high
    assert 0.90 <= held / 200 <= 0.99
