"""Differences between entries that were scored on the same ground truth (SPEC 6)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from medvid.benchmark.statistics.bootstrap import Estimate
from medvid.benchmark.statistics.intervals import FEW_VIDEOS, spread
from medvid.benchmark.sums import Array

Decision = Literal[
    "beyond chance", "within chance", "few videos: not decided", "equal", "not decided"
]
BEYOND_CHANCE: Final = 0.05
"""Below this Holm-adjusted p a difference counts as beyond chance."""
_DETECTABLE: Final = 2.80
"""Standard errors: 1.96 for 5 % two-sided and 0.84 for 80 % power."""


@dataclass(frozen=True, slots=True)
class Score:
    """One entry's value of a metric, and its replicates; None for an imported number."""

    value: float
    estimate: Estimate | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One entry less another in one metric; None is what the replicates do not tell.

    `p` is two-sided against no difference, `p_holm` adjusted for the number of metrics that have
    one. `few_videos` says that the figures rest on too few videos to decide anything; None without
    replicates.
    """

    difference: float
    se: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    few_videos: bool | None = None

    @property
    def decision(self) -> Decision:
        """The difference in words."""
        if self.few_videos:
            return "few videos: not decided"
        if self.p_holm is None:
            return "equal" if self.se == self.difference == 0 else "not decided"
        return "beyond chance" if self.is_beyond_chance else "within chance"

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the difference is decided: unlikely by chance, and not from few videos."""
        return self.p_holm is not None and self.p_holm < BEYOND_CHANCE and not self.few_videos


def compare(one: Mapping[str, Score], other: Mapping[str, Score]) -> dict[str, Difference]:
    """Return the differences in the metrics that both have, in the order of the first."""
    found = {key: difference(score, other[key]) for key, score in one.items() if key in other}
    adjusted = holm({key: each.p for key, each in found.items() if each.p is not None})
    return {key: replace(each, p_holm=adjusted.get(key)) for key, each in found.items()}


def difference(one: Score, other: Score) -> Difference:
    """Return the difference in one metric, whose p is not adjusted for others."""
    less = one.value - other.value
    if one.estimate is None or other.estimate is None:
        return Difference(less)
    few = min(one.estimate.clusters, other.estimate.clusters) < FEW_VIDEOS
    found = spread(one.estimate.replicates - other.estimate.replicates)
    if found is None:
        return Difference(less, few_videos=few)
    p = math.erfc(abs(less) / found.se / math.sqrt(2)) if found.se > 0 else None
    return Difference(less, found.se, found.low, found.high, p, few_videos=few)


def in_words(one: str, other: str, differences: Mapping[str, Difference]) -> str:
    """Return a comparison in a sentence: "A is ahead on 6 of 10 metrics, 3 of them beyond chance".

    The sentence begins with the entry that is ahead on more metrics, the first where both are on
    as many. Without replicates of both, chance is not judged, and it says so.
    """
    ahead = [each for each in differences.values() if each.difference > 0]
    behind = [each for each in differences.values() if each.difference < 0]
    if len(behind) > len(ahead):
        one, other, ahead, behind = other, one, behind, ahead
    if not ahead:
        return f"{one} and {other} are equal on {len(differences)} metrics."
    text = f"{one} is ahead on {len(ahead)} of {len(differences)} metrics"
    if all(each.few_videos is None for each in differences.values()):
        text += f"; {other} on {len(behind)}" if behind else ""
        return f"{text}. Chance cannot be judged: that takes the answers of both."
    text += _beyond(ahead)
    if behind:
        text += f"; {other} on {len(behind)}{_beyond(behind)}"
    few = sum(bool(each.few_videos) for each in differences.values())
    return text + (f". Few videos: {few} not decided." if few else ".")


def _beyond(differences: Sequence[Difference]) -> str:
    count = sum(each.is_beyond_chance for each in differences)
    return f", {count or 'none'} of them beyond chance" if differences else ""


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values adjusted for their number by Holm's step-down rule."""
    adjusted: dict[str, float] = {}
    highest = 0.0
    for smaller, key in enumerate(sorted(p_values, key=lambda key: p_values[key])):
        highest = max(highest, min(1.0, p_values[key] * (len(p_values) - smaller)))
        adjusted[key] = highest
    return adjusted


def minimum_detectable(replicates: Sequence[Array]) -> float | None:
    """Return the difference in one metric that would be found with 80 % power, 5 % two-sided.

    It is 2.80 times the median standard error of the paired differences among the entries, whose
    replicates are given; None where no two of them have one.
    """
    errors = _standard_errors(replicates)
    return _DETECTABLE * float(np.median(errors)) if len(errors) else None


def _standard_errors(replicates: Sequence[Array]) -> Array:
    """Return the standard error of each pair's difference.

    All pairs of entries without an undefined replicate come from one matrix of covariances.
    """
    whole = [each for each in replicates if not np.isnan(each).any()]
    partial = [each for each in replicates if np.isnan(each).any()]
    errors: list[float] = []
    if len(whole) > 1:
        covariances = np.atleast_2d(np.cov(np.stack(whole)))
        variances = np.diag(covariances)
        squares = variances[:, None] + variances - 2 * covariances
        errors += np.sqrt(np.maximum(squares[np.triu_indices(len(whole), 1)], 0.0)).tolist()
    for n, each in enumerate(partial):
        found = (spread(each - other) for other in (*whole, *partial[:n]))
        errors += [one.se for one in found if one is not None]
    return np.array(errors)
