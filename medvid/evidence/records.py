"""From what records add to a metric's sums, and back: contributions as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medvid.benchmark.caption_pairs import CaptionPair, JudgingPlan, MatchedPair
from medvid.benchmark.scorecard import score
from medvid.benchmark.statistics.bootstrap import Estimate, Resampling, draw, estimates
from medvid.benchmark.sums import Array, Contributions
from medvid.benchmark.tasks import ASPECTS, JUDGE_METRIC_KEYS, Scoring
from medvid.evidence.canonical import BadEvidence
from medvid.evidence.sealed import SealedRecords, SealedVerdicts, ValueParts
from medvid.judging.aggregate import contributions as judged_contributions
from medvid.judging.verdicts import Verdict

_NOTHING = dict.fromkeys(JUDGE_METRIC_KEYS, ())


def records_of(
    rounds: Sequence[Contributions], clusters: NDArray[np.int64], videos: Mapping[str, int]
) -> dict[str, Any]:
    """Return a value's contributions as JSON, one set for each time that the judge was asked.

    `clusters` and `videos` are what `videos_of` returns of the ground truth.
    """
    return {
        "videos": dict(videos),
        "rounds": [
            {
                "samples": each.samples.tolist(),
                "sources": list(each.sources),
                "videos": clusters[each.samples].tolist(),
                "rows": each.rows.tolist(),
            }
            for each in rounds
        ],
    }


@cache
def _empty(metric: str, scoring: Scoring) -> Contributions:
    """Return a metric's contributions of no record: they have its formula."""
    if metric in JUDGE_METRIC_KEYS:
        nothing = JudgingPlan((), _NOTHING, {key: {} for key in JUDGE_METRIC_KEYS})
        return judged_contributions(nothing, {}, ())[metric]
    return score([], [], None).contributions[metric][scoring]


def contributions_from(records: SealedRecords, metric: str, scoring: Scoring) -> Contributions:
    """Return the contributions that records are of; raises BadEvidence."""
    empty = _empty(metric, scoring)
    width = empty.rows.shape[1]
    if metric in ("cvs_acc", "sa_acc"):  # as many columns as the truth has components
        width = len(records.rows[0]) if records.rows else width
    count = len(records.samples)
    if {len(records.sources), len(records.videos), len(records.rows)} != {count}:
        raise BadEvidence(f"{metric}: the columns of its records differ in length.")
    if any(len(row) != width for row in records.rows):
        raise BadEvidence(f"{metric}: a record has not {width} columns.")
    rows = np.array(records.rows, np.float64).reshape(count, width)
    counted = empty.counted
    if metric in ("cvs_acc", "sa_acc"):
        counted = slice(1 + (width - 1) // 2, None)
    samples = np.array(records.samples, np.int64)
    return Contributions(samples, records.sources, rows, empty.formula, counted)


def redrawn(value: ValueParts, contributions: Sequence[Contributions]) -> Estimate:
    """Return a value's replicates anew, from what its records add; raises BadEvidence."""
    found = [
        _redrawn(value, records, each)
        for records, each in zip(value.rounds, contributions, strict=True)
    ]
    return Estimate(
        np.mean([each.replicates for each in found], axis=0), max(each.clusters for each in found)
    )


def _redrawn(value: ValueParts, records: SealedRecords, contributions: Contributions) -> Estimate:
    for source, video in zip(records.sources, records.videos, strict=True):
        if video >= value.videos.get(source, 0):
            raise BadEvidence(f"{value.metric}: {source!r} has no video {video}.")
    # Numbered anew: a sample's index only has to lead to its video.
    rows = np.arange(len(records.samples))
    renumbered = Contributions(
        rows, contributions.sources, contributions.rows, contributions.formula,
        contributions.counted,
    )  # fmt: skip
    clusters = np.array(records.videos, np.int64)
    version = value.ground_truth_version
    weights = {
        source: _weights(version, source, value.videos[source])
        for source in sorted(set(records.sources))
    }
    resampling = Resampling(version, clusters, weights)
    return estimates({value.metric: renumbered}, resampling)[value.metric].whole


@lru_cache(maxsize=64)
def _weights(version: str, source: str, videos: int) -> Array:
    """Return the draws of one source, which all values of a board share."""
    return draw(version, np.empty(0, np.int64), {source: videos}).weights[source]


def verdicts_of(plan: JudgingPlan, rounds: Sequence[Mapping[int, Verdict]]) -> dict[str, Any]:
    """Return a run's verdicts as JSON, with the pairs whose texts they judge."""
    return {
        "texts": len(plan.texts),
        "pairs": {
            metric: [(each.text, each.source, each.sample, each.threshold) for each in pairs]
            for metric, pairs in plan.pairs.items()
        },
        "rounds": [
            {str(text): [own[aspect] for aspect in ASPECTS] for text, own in each.items()}
            for each in rounds
        ],
    }


def from_verdicts(found: SealedVerdicts) -> list[dict[str, Contributions]]:
    """Return what verdicts add to each judged metric, by round; raises BadEvidence."""
    pairs: dict[str, tuple[MatchedPair, ...]] = {
        metric: tuple(
            MatchedPair(text, source, sample, threshold)
            for text, source, sample, threshold in listed
        )
        for metric, listed in found.pairs.items()
    }
    plan = JudgingPlan(
        (CaptionPair("", ""),) * found.texts, _NOTHING | pairs, {key: {} for key in pairs}
    )
    try:
        return [judged_contributions(plan, _verdicts(each), ()) for each in found.rounds]
    except (KeyError, ValueError, IndexError) as error:
        raise BadEvidence(f"verdicts fit no pairs: {error!r}.") from None


def _verdicts(scores: Mapping[str, Iterable[int]]) -> dict[int, Verdict]:
    return {int(text): dict(zip(ASPECTS, own, strict=True)) for text, own in scores.items()}
