"""STG_mIoU: spatiotemporal grounding (SPEC 2, STG)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from medvid.benchmark import truth
from medvid.benchmark.parsing.stg import Box, ParsedBoxes, parse_boxes
from medvid.benchmark.results import (
    AnsweredSample,
    Outcome,
    Record,
    TaskScore,
    means_of_records,
    metric_score,
)

_ZERO: Final[Box] = (0.0, 0.0, 0.0, 0.0)
_UNION_FLOOR: Final = 1e-6
"""Square pixels; the evaluator's guard against division by zero."""


def score(answers: Sequence[AnsweredSample]) -> TaskScore:
    """Score grounding: the mean over records that have a true box, in compat and in strict.

    A missing prediction counts as an empty one: it has no box, so its value is 0 in both.
    """
    outcomes: list[Outcome] = []
    records: dict[int, Record] = {}
    for answer in answers:
        true = truth.boxes(answer.sample)
        parsed = parse_boxes(answer.text)
        spelled, keys = truth.box_keys(answer.sample), [key for key, _ in true]
        compat = _mean_iou(true, _with_repetition(keys, parsed.at(spelled, replaced=True)))
        strict = _mean_iou(true, _as_given(keys, parsed.at(spelled, replaced=False)))
        records[answer.sample.index] = _record(parsed, compat, strict)
        outcomes.append(
            Outcome(
                sample=answer.sample,
                compat=compat,
                strict=strict,
                answered=bool(true and (parsed.by_time or parsed.untimed)),
                expected=bool(true),
            )
        )
    contributions = means_of_records(outcomes)
    metrics = {"stg_miou": metric_score(contributions, outcomes)}
    return TaskScore(metrics, records, {"stg_miou": contributions})


def _with_repetition(keys: Sequence[str], boxes: Mapping[str, Box]) -> list[Box]:
    """Return a box a key; a missing or all-zero one repeats the previous key's (compat)."""
    chosen: list[Box] = []
    previous = _ZERO
    for key in keys:
        box = boxes.get(key, _ZERO)
        previous = previous if box == _ZERO else box
        chosen.append(previous)
    return chosen


def _as_given(keys: Sequence[str], boxes: Mapping[str, Box]) -> list[Box]:
    """Return a box a key; a missing one and one with unordered corners are empty (strict)."""
    chosen = (boxes.get(key, _ZERO) for key in keys)
    return [box if box[0] < box[2] and box[1] < box[3] else _ZERO for box in chosen]


def _mean_iou(true: Sequence[tuple[str, Box]], predicted: Sequence[Box]) -> float | None:
    if not true:
        return None
    values = [box_iou(box, other) for (_, box), other in zip(true, predicted, strict=True)]
    return math.fsum(values) / len(values)


def box_iou(one: Box, other: Box) -> float:
    """Intersection over union, the union at least 1e-6; 0 where areas overflow."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    intersection = width * height
    union = max(_area(one) + _area(other) - intersection, _UNION_FLOOR)
    iou = intersection / union
    return iou if math.isfinite(iou) else 0.0


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _record(parsed: ParsedBoxes, compat: float | None, strict: float | None) -> Record:
    boxes: object = (
        {key: list(box) for key, box in parsed.by_time.items()}
        if parsed.timed
        else [list(box) for box in parsed.untimed]
    )
    if compat is None:
        return {"parsed": boxes, "scored": False}
    return {"parsed": boxes, "iou": compat, "strict": strict, "scored": True}
