"""Which caption pairs a submission's judge metrics and similarities rest on (SPEC 3).

A pair's texts may recur, at several thresholds and in several records; each distinct (prediction,
reference) is judged once per file, and every pair keeps its own weight in the means.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from medvid.benchmark import truth
from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.parsing.dvc import CaptionSegment, parse_captions
from medvid.benchmark.tasks import JUDGE_METRIC_KEYS, Task

DVC_THRESHOLDS: Final = (0.3, 0.5, 0.7)
_METRIC_OF_TASK: Final = {
    Task.VIDEO_SUMMARY: "vs_llm",
    Task.REGION_CAPTION: "rc_llm",
    Task.DENSE_CAPTIONING: "dvc_llm",
}
_FEW_PAIRS: Final = 400
"""Up to here plain Python beats numpy's fixed cost per call; both give the same floats."""


_HEAVIEST: Final = 0.1
"""The share of a mean that one sample may be, for the mean to rest on all of its samples."""


class CaptionPair(NamedTuple):
    """Two texts to compare, exactly as they stand: nothing is stripped."""

    prediction: str
    reference: str


class MatchedPair(NamedTuple):
    """One pair in one mean: of a sample (its index), and for DVC at a threshold."""

    text: int
    """Index into `JudgingPlan.texts`."""
    source: str
    sample: int
    threshold: float | None


@dataclass(frozen=True, slots=True)
class JudgingPlan:
    """The distinct texts to judge, and by metric the pairs and the number of records by source."""

    texts: tuple[CaptionPair, ...]
    pairs: Mapping[str, tuple[MatchedPair, ...]]
    records: Mapping[str, Mapping[str, int]]


def resting_on(pairs: Sequence[MatchedPair]) -> int:
    """Return how many samples the mean of one source's pairs rests on.

    A dense caption may repeat a segment as often as it likes, or be the only one that is matched at
    a threshold. So where one sample is more than a tenth of the mean over thresholds, it rests on
    as many samples as would weigh like that one.
    """
    by_threshold = Counter(pair.threshold for pair in pairs)
    weights: dict[int, float] = {}
    for pair in pairs:
        share = 1 / (len(by_threshold) * by_threshold[pair.threshold])
        weights[pair.sample] = weights.get(pair.sample, 0.0) + share
    heaviest = max(weights.values(), default=0.0)
    return len(weights) if heaviest <= _HEAVIEST else min(len(weights), int(1 / heaviest))


def plan(samples: Sequence[Sample], predictions: Iterable[str | None]) -> JudgingPlan:
    """Pair predictions, in the order of the whole test set, with what they are judged against.

    A missing prediction (None) makes no pair, like an empty one; its record keeps its weight in
    `dvc_llm`.
    """
    texts: dict[CaptionPair, int] = {}
    pairs: dict[str, list[MatchedPair]] = {key: [] for key in JUDGE_METRIC_KEYS}
    records: dict[str, dict[str, int]] = {key: {} for key in JUDGE_METRIC_KEYS}
    for sample, prediction in zip(samples, predictions, strict=True):
        metric = _METRIC_OF_TASK.get(sample.task)
        if metric is None:
            continue
        records[metric][sample.source] = records[metric].get(sample.source, 0) + 1
        for pair, threshold in _pairs_of(sample, prediction or ""):
            text = texts.setdefault(pair, len(texts))
            pairs[metric].append(MatchedPair(text, sample.source, sample.index, threshold))
    return JudgingPlan(tuple(texts), {key: tuple(found) for key, found in pairs.items()}, records)


def _pairs_of(sample: Sample, prediction: str) -> Iterator[tuple[CaptionPair, float | None]]:
    if sample.task is Task.DENSE_CAPTIONING:
        yield from match_captions(parse_captions(prediction), truth.captions(sample))
    elif prediction and sample.reference:
        yield CaptionPair(prediction, sample.reference), None


def match_captions(
    predicted: Sequence[CaptionSegment], true: Sequence[CaptionSegment]
) -> Iterator[tuple[CaptionPair, float]]:
    """Yield the pairs of one dense captioning record, by predicted segment, then threshold.

    Every predicted segment, not flattened and in seconds, pairs with the true segment of highest
    tIoU, first on ties, at each threshold that this tIoU reaches.
    """
    if not true:
        return
    for segment, (best, tiou) in zip(predicted, _best_matches(predicted, true), strict=True):
        for threshold in DVC_THRESHOLDS:
            if tiou >= threshold:
                yield CaptionPair(segment.caption, true[best].caption), threshold


def _best_matches(
    predicted: Sequence[CaptionSegment], true: Sequence[CaptionSegment]
) -> Iterator[tuple[int, float]]:
    """Yield index and tIoU of the best true segment of each predicted one."""
    if len(predicted) * len(true) <= _FEW_PAIRS:
        for segment in predicted:
            values = [_tiou(segment, other) for other in true]
            highest = max(values)
            yield values.index(highest), highest
        return
    starts = np.array([segment.start for segment in true])
    ends = np.array([segment.end for segment in true])
    for segment in predicted:
        row = _tiou_row(segment, starts, ends)
        best = int(row.argmax())
        yield best, float(row[best])


def _tiou(one: CaptionSegment, other: CaptionSegment) -> float:
    """Intersection over the sum of lengths less the intersection; 0 where they do not meet."""
    intersection = min(one.end, other.end) - max(one.start, other.start)
    if intersection <= 0:
        return 0.0
    return intersection / ((one.end - one.start) + (other.end - other.start) - intersection)


def _tiou_row(
    segment: CaptionSegment,
    starts: np.ndarray[tuple[int], np.dtype[np.float64]],
    ends: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return `_tiou` of one segment with many, with the same float operations."""
    intersection = np.minimum(ends, segment.end) - np.maximum(starts, segment.start)
    meets = intersection > 0
    with np.errstate(over="ignore"):  # two lengths near the largest float: the quotient is 0
        lengths = (segment.end - segment.start) + (ends - starts) - intersection
    values = np.zeros(len(starts))
    np.divide(intersection, lengths, out=values, where=meets)
    return values
