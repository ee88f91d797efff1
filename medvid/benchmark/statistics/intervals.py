"""Standard errors and 95 % intervals, from replicates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from medvid.benchmark.statistics.bootstrap import Estimate
from medvid.benchmark.sums import Array

FEW_VIDEOS: Final = 15
"""An interval from fewer videos covers less than it says, and carries a flag."""
PERCENTILES: Final = (2.5, 97.5)
_MOST_UNDEFINED: Final = 0.05
_ROUNDING: Final = 1e-12
"""Replicates that differ by less differ by rounding alone: their standard error is 0."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The public part of a value's replicates.

    `se`, `low` and `high` are None where too few replicates are defined.

    `clusters` counts the videos that the value rests on, `undefined` the replicates without a
    value.
    """

    se: float | None
    low: float | None
    high: float | None
    clusters: int
    undefined: int
    few_videos: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard error and 95 % interval, in the value's own unit."""

    se: float
    low: float
    high: float


def spread(replicates: Array) -> Spread | None:
    """Return the spread of the defined replicates; None where more than 5 % are undefined."""
    defined = replicates[~np.isnan(replicates)]
    if len(replicates) - len(defined) > _MOST_UNDEFINED * len(replicates):
        return None
    low, high = np.percentile(defined, PERCENTILES)
    is_constant = np.ptp(defined) <= _ROUNDING * max(1.0, float(np.abs(defined).max()))
    se = 0.0 if is_constant else float(np.std(defined, ddof=1))
    return Spread(se, float(low), float(high))


def interval(estimate: Estimate) -> Interval:
    """Return the interval of a value."""
    found = spread(estimate.replicates)
    return Interval(
        se=found.se if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        clusters=estimate.clusters,
        undefined=int(np.isnan(estimate.replicates).sum()),
        few_videos=estimate.clusters < FEW_VIDEOS,
    )
