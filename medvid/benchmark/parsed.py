"""What the metrics read in a prediction, as plain values: its text and the question alone decide.

Nothing here depends on what is true of a sample, so its owner may see all of it (SPEC section 2
has the rules).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from medvid.benchmark.asked import is_label, labels_asked
from medvid.benchmark.parsing.cvs import parse_components
from medvid.benchmark.parsing.dvc import parse_captions
from medvid.benchmark.parsing.sa import parse_aspects
from medvid.benchmark.parsing.stg import parse_boxes
from medvid.benchmark.parsing.tal import parse_segments
from medvid.benchmark.styles import recognise
from medvid.benchmark.tasks import Task
from medvid.benchmark.test_set import TestItem

Value = list[object] | dict[str, object] | str | None


@dataclass(frozen=True, slots=True)
class Parsed:
    """What is read in one prediction.

    `value`: tal [[start, end], ...] in seconds; dense captions [[start, end, caption], ...]; stg
    {"seconds": box} or [box, ...]; cvs and skills {name: score}; next action the label, None where
    similarity decides; other captions the text. `is_read`: there is anything. `styles`: codes of
    ways of writing that are not read as they may be meant.
    """

    value: Value
    is_read: bool
    styles: tuple[str, ...]


def parse(text: str, item: TestItem) -> Parsed:
    """Return what is read in a prediction of a sample."""
    value = _READERS[item.task](text, item)
    # A next action that is no label is read by its similarity to the labels.
    is_read = bool(value) or (item.task is Task.NEXT_ACTION and bool(text.strip()))
    return Parsed(value, is_read, recognise(text, item.task))


def _segments(text: str, _item: TestItem) -> Value:
    return [list(segment) for segment in parse_segments(text) if segment.is_finite]


def _captions(text: str, _item: TestItem) -> Value:
    return [list(each) for each in parse_captions(text) if math.isfinite(each.start + each.end)]


def _boxes(text: str, _item: TestItem) -> Value:
    found = parse_boxes(text)
    if found.timed:
        return {time: list(box) for time, box in found.by_time.items()}
    return [list(box) for box in found.untimed]


def _label(text: str, item: TestItem) -> Value:
    known = is_label(text, labels_asked(item.source, item.question), item.source)
    return text.strip() if known else None


def _components(text: str, _item: TestItem) -> Value:
    return dict(parse_components(text))


def _aspects(text: str, _item: TestItem) -> Value:
    return dict(parse_aspects(text))


def _text(text: str, _item: TestItem) -> Value:
    return text.strip()


_READERS: Final[Mapping[Task, Callable[[str, TestItem], Value]]] = {
    Task.TAL: _segments,
    Task.STG: _boxes,
    Task.DENSE_CAPTIONING: _captions,
    Task.NEXT_ACTION: _label,
    Task.CVS_ASSESSMENT: _components,
    Task.SKILL_ASSESSMENT: _aspects,
    Task.VIDEO_SUMMARY: _text,
    Task.REGION_CAPTION: _text,
}
