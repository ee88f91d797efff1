"""TAG_mIoU@0.3 and @0.5: temporal action localization (SPEC 2, TAL)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np

from medvid.benchmark import truth
from medvid.benchmark.parsing.tal import Segment, parse_segments
from medvid.benchmark.results import (
    AnsweredSample,
    Outcome,
    Record,
    TaskScore,
    means_of_records,
    metric_score,
)

THRESHOLDS: Final = {"tag_miou_03": 0.3, "tag_miou_05": 0.5}
_FEW_PAIRS: Final = 400
"""Up to here plain Python beats numpy's fixed cost per call; both give the same floats."""


@dataclass(frozen=True, slots=True)
class Matching:
    """The greedy matching of one record at one threshold."""

    matched: Sequence[float]
    predicted: int
    true: int

    @property
    def mean_iou(self) -> float:
        """Mean IoU of the matched pairs, 0 if none."""
        return math.fsum(self.matched) / len(self.matched) if self.matched else 0.0

    @property
    def strict(self) -> float:
        """Sum of matched IoU over what was due or given, whichever is more."""
        due = max(self.true, self.predicted)
        return math.fsum(self.matched) / due if due else 0.0


def score(answers: Sequence[AnsweredSample]) -> TaskScore:
    """Score temporal grounding: compat over all TAL records, strict over those with a true span.

    A missing prediction counts as an empty one: it names no segment, so its value is 0 in both.
    """
    outcomes: dict[str, list[Outcome]] = {key: [] for key in THRESHOLDS}
    records: dict[int, Record] = {}
    for answer in answers:
        spans = truth.spans(answer.sample)
        parsed = parse_segments(answer.text)
        finite = [segment for segment in parsed if isfinite(segment[0]) and isfinite(segment[1])]
        compat = match(_scaled(spans, answer.sample.fps), _scaled(parsed, answer.sample.fps))
        strict = match(spans, finite)
        records[answer.sample.index] = _record(parsed, compat, strict)
        for key in THRESHOLDS:
            outcomes[key].append(
                Outcome(
                    sample=answer.sample,
                    compat=compat[key].mean_iou,
                    strict=strict[key].strict if spans else None,
                    answered=bool(finite and spans),
                    expected=bool(spans),
                )
            )
    contributions = {key: means_of_records(outcomes[key]) for key in THRESHOLDS}
    metrics = {key: metric_score(contributions[key], outcomes[key]) for key in THRESHOLDS}
    return TaskScore(metrics, records, contributions)


def match(spans: Sequence[Segment], predicted: Sequence[Segment]) -> dict[str, Matching]:
    """Match spans, in order, each to the free predicted segment of highest IoU.

    The pair counts and the segment is taken only where the IoU reaches the threshold; first on
    ties. Non-finite segments have IoU 0 with everything.
    """
    few = len(spans) * len(predicted) <= _FEW_PAIRS
    found = _match_few(spans, predicted) if few else _match_many(spans, predicted)
    return {key: Matching(found[key], len(predicted), len(spans)) for key in THRESHOLDS}


def _match_few(spans: Sequence[Segment], predicted: Sequence[Segment]) -> dict[str, list[float]]:
    """Return the IoU of each matched pair at each threshold, in plain Python."""
    finite_ones = [(i, *segment) for i, segment in enumerate(predicted) if segment.is_finite]
    rows = [_few_ious(span, finite_ones) for span in spans]
    return {key: _greedy(rows, threshold) for key, threshold in THRESHOLDS.items()}


def _greedy(rows: Sequence[dict[int, float]], threshold: float) -> list[float]:
    """Match row by row; `rows` hold the positive IoU by segment, in order of segment."""
    taken: set[int] = set()
    matched: list[float] = []
    for row in rows:
        best, best_iou = -1, 0.0
        for segment, iou in row.items():
            if iou > best_iou and segment not in taken:
                best, best_iou = segment, iou
        if best >= 0 and best_iou >= threshold:
            taken.add(best)
            matched.append(best_iou)
    return matched


def _few_ious(span: Segment, predicted: Sequence[tuple[int, float, float]]) -> dict[int, float]:
    """Return one row: overlap over hull where there is an overlap."""
    row: dict[int, float] = {}
    if not span.is_finite:
        return row
    span_start, span_end = span
    for index, start, end in predicted:
        overlap = min(span_end, end) - max(span_start, start)
        if overlap > 0:
            row[index] = overlap / (max(span_end, end) - min(span_start, start))
    return row


def _match_many(spans: Sequence[Segment], predicted: Sequence[Segment]) -> dict[str, list[float]]:
    """Return the same as `_match_few`, a span at a time with numpy and the same operations."""
    flat = np.fromiter(itertools.chain.from_iterable(predicted), np.float64, 2 * len(predicted))
    finite = np.isfinite(flat[::2]) & np.isfinite(flat[1::2])
    starts, ends = flat[::2][finite], flat[1::2][finite]
    free = {key: np.ones(len(starts), dtype=np.bool_) for key in THRESHOLDS}
    matched: dict[str, list[float]] = {key: [] for key in THRESHOLDS}
    if not len(starts):
        return matched
    for start, end in (span for span in spans if span.is_finite):
        overlap = np.minimum(end, ends) - np.maximum(start, starts)
        hull = np.maximum(end, ends) - np.minimum(start, starts)
        ious = np.zeros(len(starts))
        np.divide(overlap, hull, out=ious, where=overlap > 0)
        for key, threshold in THRESHOLDS.items():
            left = np.where(free[key], ious, 0.0)
            best = int(left.argmax())
            if left[best] >= threshold:
                free[key][best] = False
                matched[key].append(float(left[best]))
    return matched


def _scaled(segments: Sequence[Segment], fps: float) -> list[Segment]:
    """Return segments in frames, as floats and unrounded."""
    return [Segment(start * fps, end * fps) for start, end in segments]


def _record(
    parsed: Sequence[Segment], compat: dict[str, Matching], strict: dict[str, Matching]
) -> Record:
    values: dict[str, object] = {}
    for key, threshold in THRESHOLDS.items():
        found = compat[key]
        values[f"miou@{threshold}"] = found.mean_iou
        values[f"recall@{threshold}"] = len(found.matched) / found.true if found.true else 0.0
        values[f"precision@{threshold}"] = (
            len(found.matched) / found.predicted if found.predicted else 0.0
        )
    values["parsed"] = [
        [start, end] if isfinite(start + end) else [_or_null(start), _or_null(end)]
        for start, end in parsed
    ]
    values["strict"] = {
        f"miou@{threshold}": strict[key].strict for key, threshold in THRESHOLDS.items()
    }
    return values


def _or_null(time: float) -> float | None:
    return time if isfinite(time) else None
