"""Two entries compared metric by metric: differences, and whether chance explains them.

Differences are of the values that are shown, so that they say no more than these do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from medvid.benchmark.disclosure import DECIMALS, FEWEST_VIDEOS, rounded, withheld
from medvid.benchmark.statistics.bootstrap import Estimate
from medvid.benchmark.statistics.comparisons import Difference, Score, compare, in_words
from medvid.benchmark.tasks import JUDGE_METRIC_KEYS, METRIC_KEYS, PUBLISHED, Scoring
from medvid.benchmark.versions import STATISTICS_VERSION
from medvid.models.comparisons import EntryComparison, MetricDifference, NotCompared
from shared.storage.replicates import replicates_from

_VERSIONS = ("ground_truth_version", "metric_version", "judge_version")

Row = Mapping[str, Any]
"""A score of an entry with its replicates in the scoring, if it has any."""


def comparison(
    a: UUID,
    b: UUID,
    scoring: Scoring,
    rows: Sequence[Row],
    minimum_detectable: Mapping[str, float | None],
) -> EntryComparison:
    """Return how two entries differ; `rows` are the scores of both.

    A metric whose replicates are of different ground truths or code has its difference alone; one
    whose values come from different judges has none.
    """
    one, other = (
        {row["metric"]: row for row in rows if row["entry_id"] == each and _value(row) is not None}
        for each in (a, b)
    )
    both = [key for key in METRIC_KEYS if key in one and key in other]
    unlike = {key: _unlike(one[key], other[key]) for key in both if _judges_differ(one, other, key)}
    shared = [key for key in both if key not in unlike]
    drawn = {key for key in shared if _is_paired(one[key], other[key])}
    found = compare(
        *({key: _score(each[key], key in drawn) for key in shared} for each in (one, other))
    )
    truths = {one[key]["ground_truth_version"] for key in drawn}
    return EntryComparison(
        a=a,
        b=b,
        scoring=scoring,
        ground_truth_version=truths.pop() if len(truths) == 1 else None,
        statistics_version=STATISTICS_VERSION if drawn else None,
        metrics={key: _shown(found[key], _clusters(one[key], other[key])) for key in shared},
        not_compared=unlike,
        minimum_detectable={key: minimum_detectable.get(key) for key in METRIC_KEYS},
    )


def words(one: str, other: str, found: EntryComparison) -> str:
    """Return a comparison of two models in a sentence."""
    return in_words(
        one, other, {key: Difference(**each.model_dump()) for key, each in found.metrics.items()}
    )


def decision(found: MetricDifference) -> str:
    """Return what a difference is in words."""
    return Difference(**found.model_dump()).decision


def _series(row: Row) -> str:
    return row["judge_version"] or PUBLISHED


def _judges_differ(one: Mapping[str, Row], other: Mapping[str, Row], metric: str) -> bool:
    return metric in JUDGE_METRIC_KEYS and _series(one[metric]) != _series(other[metric])


def _unlike(one: Row, other: Row) -> NotCompared:
    return NotCompared(a=_series(one), b=_series(other))


def _value(row: Row) -> float | None:
    if withheld(row["metric"], row["answered"], row["expected"]):
        return None
    return rounded(row["value"])


def _is_paired(one: Row, other: Row) -> bool:
    has_both = one["replicates"] is not None and other["replicates"] is not None
    return has_both and all(one[version] == other[version] for version in _VERSIONS)


def _score(row: Row, is_drawn: bool) -> Score:
    value = _value(row)
    assert value is not None  # noqa: S101 - left out otherwise
    if not is_drawn:
        return Score(value, None)
    return Score(value, Estimate(replicates_from(row["replicates"]), _clusters(row)))


def _clusters(*rows: Row) -> int:
    """Return the fewest videos that a score rests on; 0 where one has no replicates."""
    return min(orjson.loads(row["interval"])["clusters"] if row["interval"] else 0 for row in rows)


def _shown(found: Difference, clusters: int) -> MetricDifference:
    if found.few_videos is None or clusters < FEWEST_VIDEOS:
        return MetricDifference(
            difference=round(found.difference, DECIMALS) + 0.0, few_videos=found.few_videos
        )
    return MetricDifference(
        difference=round(found.difference, DECIMALS) + 0.0,
        se=rounded(found.se),
        low=rounded(found.low),
        high=rounded(found.high),
        p=rounded(found.p),
        p_holm=rounded(found.p_holm),
        few_videos=found.few_videos,
    )
