"""Values made comparable across sources: a logistic around the median (SPEC 7)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Median and interquartile range of what others have; linear percentiles."""

    p50: float
    iqr: float

    def normalised(self, value: float) -> float:
        """Return 1 / (1 + exp(-k (value - p50) / IQR)) with k = 1; 0.5 where IQR is 0."""
        return 0.5 if self.iqr == 0 else _logistic((value - self.p50) / self.iqr)


def percentiles(values: Sequence[float]) -> Percentiles:
    """Return the percentiles of at least one value."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return Percentiles(float(middle), float(high - low))


def _logistic(x: float) -> float:
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    return math.exp(x) / (1 + math.exp(x))  # does not overflow
