"""Agreement of judges and humans: Krippendorff's alpha, kappa, rank correlation, intervals.

All in numpy, which the server has: an interval takes thousands of values over resampled pairs, and
they are one matrix product here. The packages krippendorff and scikit-learn compute one value a
call, and are 200 MB to install; tests compare with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEVELS: Final = 5
"""Scores are whole numbers from 1 to 5."""
DRAWS: Final = 2_000
_SEED: Final = 20_251
_TAILS: Final = (0.025, 0.975)
_NO_SPREAD: Final = 1e-12

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AgreementInterval:
    """A value with its 95 % interval; None where it is not defined (no variance)."""

    value: float | None
    low: float | None
    high: float | None


@lru_cache(maxsize=4)
def resampled(pairs: int, draws: int = DRAWS, seed: int = _SEED) -> Floats:
    """Return how often each pair counts: once each in the first row, then a bootstrap draw a row.

    Pairs are drawn, not single scores: the five scores of a pair hang together. The same seed for
    the same numbers gives the same draws, so that a report can be repeated; they are drawn once for
    all aspects and tasks, and are not to be changed.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(pairs, np.full(pairs, 1 / pairs), size=draws)
    weights = np.vstack([np.ones(pairs), drawn])
    weights.setflags(write=False)
    return weights


def interval(values: Floats) -> AgreementInterval:
    """Return the first value with the 95 % interval of the others."""
    first, others = values[0], values[1:]
    if not np.isfinite(first) or not np.isfinite(others).all():
        return AgreementInterval(float(first) if np.isfinite(first) else None, None, None)
    low, high = np.quantile(others, _TAILS)
    return AgreementInterval(float(first), float(low), float(high))


def coincidences(scores: Sequence[Sequence[int]]) -> Floats:
    """Return the coincidence table of one unit: the pairs of scores that its raters gave.

    Shape (25,), rows and columns are the scores 1 to 5; zeros where fewer than two raters scored it
    (Krippendorff, Content Analysis, 2004, ch. 11). `scores` has a list of scores a unit; the tables
    of several units are added.
    """
    counts = np.array(
        [np.bincount(np.array(unit) - 1, minlength=LEVELS) for unit in scores], float
    ).reshape(-1, LEVELS)
    return coincidences_of(counts)


def coincidences_of(counts: Floats) -> Floats:
    """Return the same of units by how many of their raters gave each score, (units, 5)."""
    given = counts.sum(axis=1)
    several = given > 1
    counts, weights = counts[several], 1 / (given[several] - 1)
    table: Floats = (counts * weights[:, None]).T @ counts
    table -= np.diag(weights @ counts)
    return table.reshape(-1)


def alphas(tables: Floats, weights: Floats) -> Floats:
    """Return Krippendorff's ordinal alpha for each row of weights; nan where it is not defined.

    `tables` has a coincidence table a pair (n, 25), `weights` how often a pair counts (draws, n).
    """
    observed = (weights @ tables).reshape(-1, LEVELS, LEVELS)
    margins = observed.sum(axis=2)
    total = margins.sum(axis=1)
    distance = _ordinal(margins)
    disagreement = (observed * distance).sum(axis=(1, 2))
    expected = np.einsum("di,dj,dij->d", margins, margins, distance)
    with np.errstate(divide="ignore", invalid="ignore"):
        values: Floats = 1 - (total - 1) * disagreement / expected
    values[~np.isfinite(values)] = np.nan
    return values


def _ordinal(margins: Floats) -> Floats:
    """Return the squared ordinal distance of any two scores: how many scores lie between them."""
    below = np.cumsum(margins, axis=1) - margins / 2
    distance: Floats = (below[:, :, None] - below[:, None, :]) ** 2
    return distance


def means(values: Floats, weights: Floats) -> Floats:
    """Return the weighted means of a value a pair."""
    result: Floats = weights @ values / weights.sum(axis=1)
    return result


def rank_correlations(one: Floats, other: Floats, weights: Floats) -> Floats:
    """Return Spearman's correlation for each row of weights; nan without variance.

    Ranks are those among all pairs, also within a draw.
    """
    x, y = _ranks(one), _ranks(other)
    mean_x, mean_y = means(x, weights), means(y, weights)
    covariance = means(x * y, weights) - mean_x * mean_y
    spread = (means(x * x, weights) - mean_x**2) * (means(y * y, weights) - mean_y**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        values: Floats = np.where(spread > _NO_SPREAD, covariance / np.sqrt(spread), np.nan)
    return values


def _ranks(values: Floats) -> Floats:
    """Return ranks from 0 to 1; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    shared: Floats = (np.cumsum(counts) - (counts - 1) / 2) / len(values)
    return shared[place]


def quadratic_kappa(one: Sequence[int], other: Sequence[int]) -> float | None:
    """Return Cohen's kappa with quadratic weights; None where it is not defined."""
    x, y = np.array(one, dtype=float), np.array(other, dtype=float)
    # The mean of (x - y)² over all pairs of one's and the other's scores.
    expected = np.mean(x * x) + np.mean(y * y) - 2 * np.mean(x) * np.mean(y)
    return float(1 - np.mean((x - y) ** 2) / expected) if expected > _NO_SPREAD else None
