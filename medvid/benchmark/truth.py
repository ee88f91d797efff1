"""The truth of a sample, typed: what `struc_info` says, or else the reference answer (SPEC 1).

Every function raises `ValueError` with the field's path and what stands there when the truth is
malformed or non-finite. The ground truth loader calls `check` on each sample, so that later
readers (scorer, judge, diagnosis) never see a malformed one.

Only temporal grounding reads all items of `struc_info`. The other tasks read the first, as the
published evaluator does; what follows it is not even checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.parsing.cvs import COMPONENTS, parse_components
from medvid.benchmark.parsing.dvc import CaptionSegment
from medvid.benchmark.parsing.sa import SKILL_ASPECTS, parse_aspects
from medvid.benchmark.parsing.stg import Box
from medvid.benchmark.parsing.tal import Segment
from medvid.benchmark.tasks import Task

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
    by_time, path = _box_dict(sample)
    return [(_time_key(key, path), _box(box, f"{path}[{key!r}]")) for key, box in by_time.items()]


def box_keys(sample: Sample) -> list[str]:
    """Return the keys of the true boxes as the file spells them, in order.

    `[[…]]` boxes take these, though boxes are looked up by the keys that `boxes` gives: so under
    the key `4`, which is not `4.0`, none is found.
    """
    return list(_box_dict(sample)[0])


def captions(sample: Sample) -> list[CaptionSegment]:
    """Return the true captioned segments of a dense captioning sample, in seconds.

    A segment without a caption, or with null, is left out; an empty text is a caption.
    """
    return [
        _caption_segment(item, path)
        for item, path in _caption_items(sample.truth)
        if _mapping(item, path).get("caption") is not None
    ]


def component_scores(sample: Sample) -> dict[str, int]:
    """Return the true score of each component; where none is listed, the reference answer's."""
    listed, path = _listed_scores(sample.truth, "cvs_scores")
    scores = _integers(listed, COMPONENTS, path)
    return scores or parse_components(sample.reference)


def aspect_scores(sample: Sample) -> dict[str, int]:
    """Return the true score of each skill aspect; where no score is listed, the reference answer's.

    A list that holds other aspects only is a list: then nothing is true.
    """
    listed, path = _listed_scores(sample.truth, "skill_scores")
    if listed:
        return _integers(listed, SKILL_ASPECTS, path)
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


def _listed_scores(truth: object, member: str) -> tuple[dict[str, Any], str]:
    """Return what the first item has under `member`, and its path; nothing where it is missing."""
    for item, path in _items(truth, _FIELD):
        field = f"{path}.{member}"
        listed = _mapping(item, path).get(member)
        return ({} if listed is None else _mapping(listed, field)), field
    return {}, _FIELD


def _integers(listed: Mapping[str, Any], names: tuple[str, ...], path: str) -> dict[str, int]:
    """Return the scores of `names`; other keys are ignored."""
    return {name: _integer(listed[name], f"{path}[{name!r}]") for name in names if name in listed}


def _caption_items(truth: object) -> Iterator[tuple[object, str]]:
    """Yield the segments of each of the three forms; the first item tells which form it is."""
    listed, path = truth, _FIELD
    if isinstance(listed, list) and listed:
        first = listed[0]
        if isinstance(first, list) or (isinstance(first, dict) and "dc_segments" in first):
            listed, path = first, f"{path}[0]"
    if isinstance(listed, dict) and "dc_segments" in listed:
        listed, path = listed["dc_segments"], f"{path}.dc_segments"
    return _items(listed, path)


def _caption_segment(item: object, path: str) -> CaptionSegment:
    start, end = (
        _number(_from_text(_member(item, name, path)), f"{path}.{name}")
        for name in ("start", "end")
    )
    caption = _member(item, "caption", path)
    if not isinstance(caption, str):
        raise _error(f"{path}.caption", "a string", caption)
    return CaptionSegment(start, end, caption)


def _times(item: object, path: str) -> tuple[float, float]:
    """Return start and end, in seconds."""
    start, end = _member(item, "start", path), _member(item, "end", path)
    return _number(start, f"{path}.start"), _number(end, f"{path}.end")


def _from_text(value: object) -> object:
    """Return the number that a text spells; what is no number stays a text, and is refused."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _box_dict(sample: Sample) -> tuple[dict[str, Any], str]:
    """Return the boxes by time of a bare dict or of the first item, and their path."""
    item, path = sample.truth, _FIELD
    if not isinstance(item, dict):
        item, path = next(_items(item, path), ({}, path))
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
