"""What one prediction holds of the structure its sample expects; for the diagnosis, not scores."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple

from shared.benchmark import truth
from shared.benchmark.ground_truth import Sample
from shared.benchmark.parsing.cvs import parse_components
from shared.benchmark.parsing.dvc import parse_captions
from shared.benchmark.parsing.sa import parse_aspects
from shared.benchmark.parsing.stg import parse_boxes
from shared.benchmark.parsing.tal import parse_segments
from shared.benchmark.tasks import Task
from shared.benchmark.test_set import TestItem

FRAMES_RATIO: Final = 5.0
"""Times this often the last true time cannot be seconds that a model misjudged."""
LONG_TEXT_CHARACTERS: Final = 200
"""Shorter captions often end without a full stop; longer ones hardly do, unless cut off."""

READ_CHARACTERS: Final = 16_384
"""No sample's structure takes as much text; what follows is repetition and not worth reading."""

UNITS: Final[Mapping[Task, str]] = {
    Task.TAL: "segments",
    Task.STG: "boxes",
    Task.DENSE_CAPTIONING: "segments",
    Task.NEXT_ACTION: "texts",
    Task.CVS_ASSESSMENT: "components",
    Task.VIDEO_SUMMARY: "texts",
    Task.REGION_CAPTION: "texts",
    Task.SKILL_ASSESSMENT: "aspects",
}

_OPEN_ENDED: Final = re.compile(r"(?:\d\s*-|\bto|[,:\[(])$")
"""How a list of times or scores ends when it was cut off: a number is still to come."""
_SENTENCE_ENDS: Final = frozenset(".!?)]\"'*…。")


class Reading(NamedTuple):
    """One prediction's structure. `required` and `covered` are None without the truth.

    `cut_off`: it ends inside a structure, or what it holds is a beginning of what is expected.
    `wrong_scale`: boxes within 0-1, or times in frames.
    """

    emitted: int
    required: int | None = None
    covered: int | None = None
    cut_off: bool = False
    wrong_scale: bool = False


def read(text: str, item: TestItem, sample: Sample | None) -> Reading:
    """Return what the first `READ_CHARACTERS` of `text` hold for a sample.

    `sample` is None where there is no truth.
    """
    reading = _READERS[item.task](text[:READ_CHARACTERS].rstrip(), item, sample)
    return reading if len(text) <= READ_CHARACTERS else reading._replace(cut_off=False)


def _read_segments(text: str, item: TestItem, sample: Sample | None) -> Reading:
    segments = [segment for segment in parse_segments(text) if segment.is_finite]
    times = [max(segment) for segment in segments]
    true_ends = [max(span) for span in truth.spans(sample)] if sample else None
    return _times_reading(times, true_ends, item, bool(_OPEN_ENDED.search(text[-40:])))


def _read_captions(text: str, item: TestItem, sample: Sample | None) -> Reading:
    times = [max(segment.start, segment.end) for segment in parse_captions(text)]
    true_ends = [max(s.start, s.end) for s in truth.captions(sample)] if sample else None
    last_line = text[text.rfind("\n") + 1 :]
    cut_off = bool(times) and (
        bool(_OPEN_ENDED.search(last_line[-40:])) or last_line.replace(".", "").isdigit()
    )
    return _times_reading(times, true_ends, item, cut_off)


def _times_reading(
    times: list[float], true_ends: list[float] | None, item: TestItem, cut_off: bool
) -> Reading:
    latest = max(times, default=0.0)
    if true_ends is None:
        clip = item.clip_seconds or math.inf
        return Reading(len(times), cut_off=cut_off, wrong_scale=latest > clip)
    longest = max(true_ends, default=0.0)
    return Reading(
        len(times),
        len(true_ends),
        min(len(times), len(true_ends)),
        cut_off,
        wrong_scale=longest > 0 and latest > FRAMES_RATIO * longest,
    )


def _read_boxes(text: str, _item: TestItem, sample: Sample | None) -> Reading:
    boxes = parse_boxes(text)
    valid = list(boxes.valid_by_time.values()) if boxes.timed else list(boxes.untimed)
    normalised = bool(valid) and all(0 <= number <= 1 for box in valid for number in box)
    normalised = normalised and any(number > 0 for box in valid for number in box)
    ends_inside = text.rfind("[") > text.rfind("]")
    if sample is None:
        return Reading(len(valid), cut_off=ends_inside, wrong_scale=normalised)
    keys = [key for key, _ in truth.boxes(sample)]
    present = boxes.at(keys, replaced=False)
    covered = sum(key in present for key in keys)
    beginning = 0 < covered < len(keys) and _is_prefix(keys, present)
    return Reading(len(valid), len(keys), covered, ends_inside or beginning, normalised)


def _is_prefix(keys: list[str], present: Collection[str]) -> bool:
    """Whether the keys present are the first of the keys expected, and none is behind them."""
    missing = [key not in present for key in keys]
    return missing == sorted(missing) and max(map(float, present)) < float(keys[-1])


def _read_components(text: str, _item: TestItem, sample: Sample | None) -> Reading:
    return _named(parse_components(text), truth.component_scores(sample) if sample else None)


def _read_aspects(text: str, _item: TestItem, sample: Sample | None) -> Reading:
    return _named(dict(parse_aspects(text)), truth.aspect_scores(sample) if sample else None)


def _named(found: Collection[str], expected: Collection[str] | None) -> Reading:
    if expected is None:
        return Reading(len(found))
    covered = sum(name in found for name in expected)
    names = list(expected)
    beginning = 0 < covered < len(names) and all(name in found for name in names[:covered])
    return Reading(len(found), len(names), covered, beginning)


def _read_text(text: str, _item: TestItem, _sample: Sample | None) -> Reading:
    emitted = int(bool(text))
    cut_off = len(text) >= LONG_TEXT_CHARACTERS and text[-1] not in _SENTENCE_ENDS
    return Reading(emitted, 1, emitted, cut_off)


_READERS: Final[Mapping[Task, Callable[[str, TestItem, Sample | None], Reading]]] = {
    Task.TAL: _read_segments,
    Task.STG: _read_boxes,
    Task.DENSE_CAPTIONING: _read_captions,
    Task.NEXT_ACTION: _read_text,
    Task.CVS_ASSESSMENT: _read_components,
    Task.VIDEO_SUMMARY: _read_text,
    Task.REGION_CAPTION: _read_text,
    Task.SKILL_ASSESSMENT: _read_aspects,
}
