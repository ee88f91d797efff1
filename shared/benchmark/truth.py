"""The truth of a sample, typed: what `struc_info` says, or else the reference answer (SPEC 1).

Every function raises `ValueError` with the field's path and what stands there when the truth is
malformed or non-finite. The ground truth loader calls `check` on each sample, so that later
readers (scorer, judge, diagnosis) never see a malformed one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from shared.benchmark.ground_truth import Sample
from shared.benchmark.parsing.cvs import COMPONENTS, parse_components
from shared.benchmark.parsing.dvc import CaptionSegment
from shared.benchmark.parsing.sa import SKILL_ASPECTS, parse_aspects
from shared.benchmark.parsing.stg import Box
from shared.benchmark.parsing.tal import Segment
from shared.benchmark.tasks import Task

_FIELD: Final = "struc_info"
_COORDINATES: Final = 4


def spans(sample: Sample) -> list[Segment]:
    """Return the true spans of a temporal grounding sample, all items' spans, in seconds."""
    found: list[Segment] = []
    for item, path in _items(sample.truth, _FIELD):
        listed = _member(item, "spans", path)
        for index, span in enumerate(_list(listed, f"{path}.spans")):
            found.append(Segment(*_times(span, f"{path}.spans[{index}]")))
    return found


def boxes(sample: Sample) -> list[tuple[str, Box]]:
    """Return the true boxes of a grounding sample as (seconds with one decimal, box), in order."""
    found: list[tuple[str, Box]] = []
    bare = isinstance(sample.truth, dict)
    for item, path in [(sample.truth, _FIELD)] if bare else _items(sample.truth, _FIELD):
        by_time, path = _box_dict(item, path)
        for key, box in by_time.items():
            found.append((_time_key(key, path), _box(box, f"{path}[{key!r}]")))
    return found


def captions(sample: Sample) -> list[CaptionSegment]:
    """Return the true captioned segments of a dense captioning sample, in seconds."""
    return [_caption_segment(item, path) for item, path in _caption_items(sample.truth, _FIELD)]


def component_scores(sample: Sample) -> dict[str, int]:
    """Return the true score of each component; without `struc_info`, the reference answer's."""
    listed = _scores(sample.truth, "cvs_scores", COMPONENTS)
    return parse_components(sample.reference) if listed is None else listed


def aspect_scores(sample: Sample) -> dict[str, int]:
    """Return the true score of each skill aspect; without `struc_info`, the reference answer's."""
    listed = _scores(sample.truth, "skill_scores", SKILL_ASPECTS)
    if listed is not None:
        return listed
    named = dict(parse_aspects(sample.reference))
    return {aspect: named[aspect] for aspect in SKILL_ASPECTS if aspect in named}


_READERS: Final[Mapping[Task, Callable[[Sample], object]]] = {
    Task.TAL: spans,
    Task.STG: boxes,
    Task.DENSE_CAPTIONING: captions,
    Task.CVS_ASSESSMENT: component_scores,
    Task.SKILL_ASSESSMENT: aspect_scores,
}


def check(sample: Sample) -> None:
    """Raise ValueError, naming the field, if the sample's truth is malformed."""
    reader = _READERS.get(sample.task)
    if reader:
        reader(sample)


def _scores(truth: object, member: str, names: tuple[str, ...]) -> dict[str, int] | None:
    """Return the scores under `member`, other keys ignored; None where there is no item."""
    items = list(_items(truth, _FIELD))
    if not items:
        return None
    scores: dict[str, int] = {}
    for item, path in items:
        field = f"{path}.{member}"
        listed = _mapping(_member(item, member, path), field)
        scores |= {
            name: _integer(listed[name], f"{field}[{name!r}]") for name in names if name in listed
        }
    return scores


def _caption_items(truth: object, path: str) -> Iterator[tuple[object, str]]:
    """Yield segments from any nesting of lists and `dc_segments` (SPEC 1 lists three)."""
    if isinstance(truth, dict):
        if "dc_segments" in truth:
            yield from _caption_items(truth["dc_segments"], f"{path}.dc_segments")
        else:
            yield truth, path
        return
    for item, inner in _items(truth, path):
        if isinstance(item, dict) and "dc_segments" not in item:
            yield item, inner
        else:
            yield from _caption_items(item, inner)


def _caption_segment(item: object, path: str) -> CaptionSegment:
    start, end = _times(item, path)
    caption = _member(item, "caption", path)
    if not isinstance(caption, str):
        raise _error(f"{path}.caption", "a string", caption)
    return CaptionSegment(start, end, caption)


def _times(item: object, path: str) -> tuple[float, float]:
    """Return start and end, in seconds."""
    start, end = _member(item, "start", path), _member(item, "end", path)
    return _number(start, f"{path}.start"), _number(end, f"{path}.end")


def _box_dict(item: object, path: str) -> tuple[dict[str, Any], str]:
    by_time = _mapping(item, path)
    if "bbox_dict" in by_time:
        path = f"{path}.bbox_dict"
        by_time = _mapping(by_time["bbox_dict"], path)
    return by_time, path


def _box(value: object, path: str) -> Box:
    listed = _list(value, path)
    if len(listed) != _COORDINATES:
        raise _error(path, "four numbers", value)
    x1, y1, x2, y2 = (_number(part, f"{path}[{index}]") for index, part in enumerate(listed))
    return x1, y1, x2, y2


def _time_key(key: str, path: str) -> str:
    """Return a time key as predictions are looked up: the float with one decimal."""
    try:
        seconds = float(key)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise _error(f"{path} key", "a finite number of seconds", key)
    return f"{seconds:.1f}"


def _items(value: object, path: str) -> Iterator[tuple[object, str]]:
    for index, item in enumerate(_list(value, path)):
        yield item, f"{path}[{index}]"


def _list(value: object, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise _error(path, "a list", value)
    return value


def _mapping(value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _error(path, "an object", value)
    return value


def _member(value: object, name: str, path: str) -> object:
    mapping = _mapping(value, path)
    if name not in mapping:
        raise ValueError(f"{path}.{name}: missing")
    return mapping[name]


def _number(value: object, path: str) -> float:
    if type(value) is float and math.isfinite(value):  # nearly all; this runs for every number
        return value
    try:
        number = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:  # an integer beyond the largest float
        number = math.inf
    if isinstance(value, bool) or not math.isfinite(number):
        raise _error(path, "a finite number", value)
    return number


def _integer(value: object, path: str) -> int:
    number = _number(value, path)
    if number != int(number):
        raise _error(path, "an integer", value)
    return int(number)


def _error(path: str, expected: str, found: object) -> ValueError:
    return ValueError(f"{path}: expected {expected}, found {str(found)[:60]!r}")
