"""DVC_F1: dense video captioning, the segments' times (SPEC 2, DVC_F1)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from medvid.benchmark import truth
from medvid.benchmark.parsing.dvc import CaptionSegment, parse_captions
from medvid.benchmark.results import (
    AnsweredSample,
    ByScoring,
    Outcome,
    Record,
    TaskScore,
    means_of_records,
    metric_score,
)
from medvid.benchmark.sums import (
    Array,
    Contributions,
    Sums,
    Values,
    ratio,
    side_by_side,
    weighted_mean,
)

THRESHOLDS: Final = (0.3, 0.5, 0.7)
_UNION_OFFSET: Final = 1e-8
"""Frames; the evaluator's guard against division by zero."""
_FEW_PAIRS: Final = 400
"""Up to here plain Python beats numpy's fixed cost per call; both give the same floats."""

Frames = tuple[float, float]
"""Start and end in whole frames, in order; floats, because times may be huge."""


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Mean precision and recall over the thresholds, of one record."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean, 0 where both are 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total > 0 else 0.0


def score(answers: Sequence[AnsweredSample]) -> TaskScore:
    """Score the segments of dense captions.

    Compat is the mean over records where both sides have a segment, per source, weighted by all
    the source's records: a missing prediction, like an empty one, leaves its record out of the
    mean and in the weight. Strict counts it 0.
    """
    outcomes: list[Outcome] = []
    records: dict[int, Record] = {}
    for answer in answers:
        true = truth.captions(answer.sample)
        parsed = parse_captions(answer.text)
        agreement = agree(
            _frames(flatten(true), answer.sample.fps),
            _frames(flatten(parsed), answer.sample.fps),
        )
        f1 = agreement.f1 if agreement else None
        strict = (f1 or 0.0) if true else None
        records[answer.sample.index] = _record(parsed, agreement, strict)
        outcomes.append(Outcome(answer.sample, f1, strict, agreement is not None, bool(true)))
    contributions: ByScoring = {**means_of_records(outcomes), "compat": _weighted(outcomes)}
    metrics = {"dvc_f1": metric_score(contributions, outcomes)}
    return TaskScore(metrics, records, {"dvc_f1": contributions})


def _weighted(outcomes: Sequence[Outcome]) -> Contributions:
    """Return the contributions to compat: columns are 1, F1 and 1 where both sides have any."""
    rows = (
        (
            outcome.sample.index,
            outcome.sample.source,
            (1.0, 0.0, 0.0) if outcome.compat is None else (1.0, outcome.compat, 1.0),
        )
        for outcome in outcomes
    )
    return Contributions.of(rows, width=3, formula=_mean_over_sources, counted=slice(0, 1))


def _mean_over_sources(sums: Sums) -> Values:
    """Return the means over sources weighted by their records.

    A source where nothing is scorable counts 0, with its weight.
    """
    by_source: dict[str, Array] = {}
    for source, found in sums.by_source.items():
        value = np.nan_to_num(ratio(found[:, 1], found[:, 2]), nan=0.0)
        by_source[source] = np.where(found[:, 0] > 0, value, np.nan)
    draws = len(sums.whole)
    weights = side_by_side({key: found[:, 0] for key, found in sums.by_source.items()}, draws)
    return Values(weighted_mean(side_by_side(by_source, draws), weights), by_source)


def flatten(segments: Sequence[CaptionSegment]) -> list[tuple[float, float]]:
    """Return the times of a prediction's or a truth's segments; overlapping ones are cut.

    If any starts before the one just before it ends, all are cut at every boundary and each piece
    goes to the longest segment covering it. The times of the pieces, which are all that counts
    here, are those of the intervals that any segment covers. A sweep over the boundaries finds
    them without comparing pieces with segments.
    """
    times = sorted((segment.start, segment.end) for segment in segments)
    if not any(following[0] < before[1] for before, following in itertools.pairwise(times)):
        return times
    change: dict[float, int] = {}
    for start, end in times:
        covers = int(start < end)
        change[start] = change.get(start, 0) + covers
        change[end] = change.get(end, 0) - covers
    pieces: list[tuple[float, float]] = []
    covering = 0
    for boundary, following in itertools.pairwise(sorted(change)):
        covering += change[boundary]
        if covering > 0:
            pieces.append((boundary, following))
    return pieces


def agree(true: Sequence[Frames], predicted: Sequence[Frames]) -> PrecisionRecall | None:
    """Return precision and recall, None where either side has no segment.

    A segment counts as covered where its tIoU with any segment of the other side is strictly
    above the threshold.
    """
    if not true or not predicted:
        return None
    best_predicted, best_true = _best_overlaps(predicted, true)
    return PrecisionRecall(_share_above(best_predicted), _share_above(best_true))


def _share_above(best: Sequence[float]) -> float:
    shares = (sum(value > threshold for value in best) / len(best) for threshold in THRESHOLDS)
    return math.fsum(shares) / len(THRESHOLDS)


def _best_overlaps(
    predicted: Sequence[Frames], true: Sequence[Frames]
) -> tuple[Sequence[float], Sequence[float]]:
    """Return the highest tIoU of each predicted and of each true segment."""
    best_predicted, best_true = [0.0] * len(predicted), [0.0] * len(true)
    if len(predicted) * len(true) <= _FEW_PAIRS:
        for row, (start, end) in enumerate(predicted):
            for column, (true_start, true_end) in enumerate(true):
                if start >= true_end or end <= true_start:
                    continue
                value = _tiou(start, end, true_start, true_end)
                if value > best_predicted[row]:
                    best_predicted[row] = value
                if value > best_true[column]:
                    best_true[column] = value
        return best_predicted, best_true
    starts, ends = np.array(predicted).T
    best = np.zeros(len(predicted))
    for column, span in enumerate(true):
        values = _tiou_row(span, starts, ends)
        best_true[column] = float(values.max())
        np.maximum(best, values, out=best)
    return best.tolist(), best_true


def _tiou(start: float, end: float, true_start: float, true_end: float) -> float:
    """Return the tIoU of two segments that meet."""
    intersection = min(end, true_end) - max(start, true_start)
    hull = max(end, true_end) - min(start, true_start)
    union = min(hull, (end - start) + (true_end - true_start))
    return intersection / (union + _UNION_OFFSET)


def _tiou_row(
    span: Frames,
    starts: np.ndarray[tuple[int], np.dtype[np.float64]],
    ends: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return `_tiou` of one span with many segments, with the same float operations."""
    intersection = np.maximum(np.minimum(ends, span[1]) - np.maximum(starts, span[0]), 0.0)
    hull = np.maximum(ends, span[1]) - np.minimum(starts, span[0])
    with np.errstate(over="ignore"):  # the sum of two huge lengths; the hull is less and decides
        union = np.minimum(hull, (ends - starts) + (span[1] - span[0]))
    values: np.ndarray[tuple[int], np.dtype[np.float64]] = intersection / (union + _UNION_OFFSET)
    return values


def _frames(times: Sequence[tuple[float, float]], fps: float) -> list[Frames]:
    """Return times as frames, cut to whole ones, endpoints in order; overflowing ones left out."""
    frames: list[Frames] = []
    for start, end in times:
        first, last = start * fps, end * fps
        if math.isfinite(first) and math.isfinite(last):
            first, last = float(math.trunc(first)), float(math.trunc(last))
            frames.append((first, last) if first <= last else (last, first))
    return frames


def _record(
    parsed: Sequence[CaptionSegment], agreement: PrecisionRecall | None, strict: float | None
) -> Record:
    values: dict[str, object] = {"scored": agreement is not None}
    if agreement:
        values |= {
            "precision": agreement.precision,
            "recall": agreement.recall,
            "f1": agreement.f1,
        }
    if strict is not None:
        values["strict_f1"] = strict
    values["parsed"] = [list(segment) for segment in parsed]
    return values
