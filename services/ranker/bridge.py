"""The bridge between two judges: the values and verdicts of one beside the other's. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np

from medvid.benchmark.disclosure import rounded
from medvid.benchmark.statistics.intervals import spread
from medvid.benchmark.sums import Array
from medvid.benchmark.tasks import ASPECTS, JUDGE_METRIC_KEYS

Agreement = Mapping[str, Sequence[Sequence[int]]]
"""By metric: sum of a pair's scores by the old judge, by the new one, and how many such pairs."""
_FEWEST_ENTRIES: Final = 3
"""Of fewer a correlation says nothing."""


@dataclass(frozen=True, slots=True)
class JudgedTwice:
    """A value by both judges, with replicates over the same draws; None where one has none."""

    entry_id: UUID
    model_name: str
    metric: str
    before: float
    after: float
    replicates_before: Array | None = None
    replicates_after: Array | None = None


def bridge(values: Sequence[JudgedTwice], agreements: Sequence[Agreement]) -> dict[str, object]:
    """Return the bridge as JSON has it.

    `metrics`: the mean of the paired differences (new less old) over entries with its interval, and
    correlations of entries' values and of pairs' verdicts; `entries`: each entry's own differences.
    """
    return {
        "metrics": {
            metric: _metric(own, [each.get(metric, []) for each in agreements])
            for metric in JUDGE_METRIC_KEYS
            if (own := [value for value in values if value.metric == metric])
        },
        "entries": _entries(values),
    }


def _metric(
    values: Sequence[JudgedTwice], agreements: Sequence[Sequence[Sequence[int]]]
) -> dict[str, object]:
    before = np.array([value.before for value in values])
    after = np.array([value.after for value in values])
    drawn = [_drawn(value) for value in values]
    whole = [each for each in drawn if each is not None]
    # Videos are drawn alike for all entries, so the mean of their differences is drawn with them.
    mean = np.mean(whole, axis=0) if len(whole) == len(values) else None
    old, new = _pairs(agreements)
    enough = len(values) >= _FEWEST_ENTRIES
    return {
        "entries": len(values),
        **_difference(float((after - before).mean()), mean),
        "pearson": _pearson(before, after) if enough else None,
        "spearman": _pearson(_places(before), _places(after)) if enough else None,
        "pairs": len(old),
        "pairs_difference": rounded(float((new - old).mean()) / len(ASPECTS)) if len(old) else None,
        "pairs_pearson": _pearson(old, new),
        "pairs_spearman": _pearson(_places(old), _places(new)),
    }


def _entries(values: Sequence[JudgedTwice]) -> list[dict[str, object]]:
    found: dict[UUID, dict[str, object]] = {}
    for value in values:
        entry = found.setdefault(
            value.entry_id,
            {"entry_id": str(value.entry_id), "model_name": value.model_name, "metrics": {}},
        )
        metrics = entry["metrics"]
        assert isinstance(metrics, dict)  # noqa: S101 - made above
        metrics[value.metric] = _difference(value.after - value.before, _drawn(value))
    return sorted(found.values(), key=lambda entry: str(entry["model_name"]))


def _drawn(value: JudgedTwice) -> Array | None:
    if value.replicates_before is None or value.replicates_after is None:
        return None
    return value.replicates_after - value.replicates_before


def _difference(difference: float, drawn: Array | None) -> dict[str, float | None]:
    found = spread(drawn) if drawn is not None else None
    return {
        "difference": rounded(difference),
        "se": rounded(found.se) if found else None,
        "low": rounded(found.low) if found else None,
        "high": rounded(found.high) if found else None,
    }


def _pairs(agreements: Sequence[Sequence[Sequence[int]]]) -> tuple[Array, Array]:
    rows = np.array([row for each in agreements for row in each], np.int64).reshape(-1, 3)
    return (
        np.repeat(rows[:, 0], rows[:, 2]).astype(np.float64),
        np.repeat(rows[:, 1], rows[:, 2]).astype(np.float64),
    )


def _places(values: Array) -> Array:
    """Return ranks from 1 on; equal values share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - counts + 1 + last) / 2.0)[which]


def _pearson(one: Array, other: Array) -> float | None:
    """Return the correlation; None where one of them does not vary."""
    if len(one) < 2 or not np.ptp(one) or not np.ptp(other):
        return None
    one, other = one - one.mean(), other - other.mean()
    norm = math.sqrt(float(one @ one) * float(other @ other))
    return rounded(float(one @ other) / norm) if norm else None
