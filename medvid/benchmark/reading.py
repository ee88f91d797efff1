"""What one prediction holds of the structure its sample expects; for the diagnosis, not scores."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

from medvid.benchmark import truth
from medvid.benchmark.asked import asked_times
from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.parsing.cvs import COMPONENTS, parse_components
from medvid.benchmark.parsing.dvc import CaptionSegment, parse_captions
from medvid.benchmark.parsing.sa import SKILL_ASPECTS, parse_aspects
from medvid.benchmark.parsing.stg import Box, ParsedBoxes, parse_boxes
from medvid.benchmark.parsing.tal import parse_segments
from medvid.benchmark.report import Code
from medvid.benchmark.styles.recognition import FRACTION, REFUSAL, is_placeholder, is_template
from medvid.benchmark.tasks import Task
from medvid.benchmark.test_set import TestItem

FRAMES_RATIO: Final = 5.0
"""Times this often the last true time cannot be seconds that a model misjudged."""
CLIP_RATIO: Final = 2.0
"""The same for the clip's length, which is only estimated for some clips."""
MANY_SEGMENTS: Final = 10
"""Fewer are no repetition, however many there should be."""
MANY_RATIO: Final = 3
"""Segments this often as many as the truth has."""
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

_PLAIN_SEGMENTS: Final = re.compile(
    r"(?:\d++(?:\.\d++)?+-\d++(?:\.\d++)?+(?:, )?+)++(?: seconds?+)?+\.?+"
)
_PLAIN_HEADER: Final = re.compile(r"\d++(?:\.\d++)?+-\d++(?:\.\d++)?+\s|\*\*Start Time:\*\* \d")
_OPEN_SEGMENT: Final = re.compile(r"(?:\d(?:\s*-|\s+to)|,\s*\d+(?:\.\d*)?)\Z")
"""How a list of times ends inside one: a number is still to come."""
_OPEN_BOX: Final = re.compile(r"[\]\s,;.]*\d[\d.]*\s*(?:s|se|sec|seco|secon|seconds?|seconds:)?\s*")
_OPEN_HEADER: Final = re.compile(
    r"\d+(?:\.\d*)?(?:-(?:\d+(?:\.\d*)?(?:\s+(?:s|se|sec|seco|secon|second|seconds|seconds?:)?)?)?)?"
)
_SENTENCE_ENDS: Final = frozenset(".!?)]\"'*…。")
_NAME_CHARACTERS: Final = 40
_TAIL: Final = 60


class Reading(NamedTuple):
    """One prediction's structure.

    `required` is what its sample asks for and `covered` how much of that is there; without a truth
    the question says what is asked for, as far as it can. `cut_off`: it ends inside a component.
    `plain`: it is read as it is written beyond doubt. `codes`: warnings that apply to it.
    `extent`: how far its boxes reach to the right and down.
    """

    emitted: int
    required: int | None = None
    covered: int | None = None
    cut_off: bool = False
    plain: bool = False
    codes: tuple[str, ...] = ()
    extent: tuple[float, float] | None = None


def read(text: str, item: TestItem, sample: Sample | None) -> Reading:
    """Return what the first `READ_CHARACTERS` of `text` hold for a sample.

    `sample` is None where there is no truth.
    """
    reading = _READERS[item.task](text[:READ_CHARACTERS].rstrip(), item, sample)
    return reading if len(text) <= READ_CHARACTERS else reading._replace(cut_off=False)


def _read_segments(text: str, item: TestItem, sample: Sample | None) -> Reading:
    segments = [segment for segment in parse_segments(text) if segment.is_finite]
    plain = bool(_PLAIN_SEGMENTS.fullmatch(text))
    true_ends = [max(span) for span in truth.spans(sample)] if sample else None
    cut_off = bool(segments) and not plain and bool(_OPEN_SEGMENT.search(text[-_TAIL:]))
    inverted, times = 0, []
    for start, end in segments:
        if end > start:
            times.append(end)
        else:
            inverted += 1
            times.append(start)
    return _times_reading(times, true_ends, item, inverted, cut_off=cut_off, plain=plain)


def _read_captions(text: str, item: TestItem, sample: Sample | None) -> Reading:
    segments = parse_captions(text)
    true_ends = [max(s.start, s.end) for s in truth.captions(sample)] if sample else None
    plain = (
        len(segments) == text.count("\n") + 1
        and "<" not in text
        and text.count(" seconds:") <= len(segments)
        and bool(_PLAIN_HEADER.match(text))
        and not is_template(segments[0].caption)
    )
    last_line = text[text.rfind("\n") + 1 :]
    cut_off = bool(segments) and (
        (len(last_line) <= _TAIL and bool(_OPEN_HEADER.fullmatch(last_line)))
        or _last_is_cut(segments)
    )
    inverted, times = 0, []
    for start, end, _ in segments:
        if end > start:
            times.append(end)
        else:
            inverted += 1
            times.append(start)
    return _times_reading(times, true_ends, item, inverted, cut_off=cut_off, plain=plain)


def _last_is_cut(segments: Sequence[CaptionSegment]) -> bool:
    """Whether all captions but the last end like sentences."""
    return (
        len(segments) > 1
        and segments[-1].caption.rstrip("`* ")[-1:] not in _SENTENCE_ENDS
        and all(segment.caption[-1:] in _SENTENCE_ENDS for segment in segments[:-1])
    )


def _times_reading(
    times: list[float],
    true_ends: list[float] | None,
    item: TestItem,
    inverted: int,
    *,
    cut_off: bool,
    plain: bool,
) -> Reading:
    latest = max(times, default=0.0)
    if true_ends is None:
        clip = item.clip_seconds or math.inf
        beyond, too_many = latest > CLIP_RATIO * clip, len(times) > max(clip, MANY_SEGMENTS)
        required, covered = 1, min(len(times), 1)
    else:
        longest = max(true_ends, default=0.0)
        beyond = longest > 0 and latest > FRAMES_RATIO * longest
        required, covered = len(true_ends), min(len(times), len(true_ends))
        too_many = len(times) > max(MANY_RATIO * required, MANY_SEGMENTS)
    codes = (
        *((Code.TIMES_IN_FRAMES,) if beyond else ()),
        *((Code.TOO_MANY_SEGMENTS,) if too_many else ()),
        *((Code.INVERTED_SEGMENTS,) if 2 * inverted > len(times) else ()),
    )
    return Reading(len(times), required, covered, cut_off, plain, codes)


def _read_boxes(text: str, item: TestItem, sample: Sample | None) -> Reading:
    boxes = parse_boxes(text)
    valid = list(boxes.valid_by_time.values()) if boxes.timed else list(boxes.untimed)
    close = text.rfind("]")
    ends_inside = text.rfind("[") > close or (
        bool(valid) and len(text) - close <= _TAIL and bool(_OPEN_BOX.fullmatch(text, close))
    )
    plain = boxes.timed and len(valid) == text.count("[") == text.count(":") and "<" not in text
    extent, codes = _looks_of(valid)
    asked = asked_times(item.question)
    if sample is None:
        required, covered = _boxes_asked(boxes, valid, asked)
    else:
        true = truth.boxes(sample)
        keys = [key for key, _ in true]
        present = boxes.at(keys if boxes.timed else truth.box_keys(sample), replaced=False)
        required, covered = len(keys), sum(key in present for key in keys)
        if covered and _is_xywh(present, true):
            codes.append(Code.XYWH_BOXES)
    if boxes.valid_by_time and not covered == required == len(valid):
        times = [float(time) for time in boxes.valid_by_time]
        if (required and not covered) or (asked and _beside(min(times), max(times), asked)):
            codes.append(Code.BOX_TIMES)
    plain = plain and Code.BOX_TIMES not in codes
    return Reading(len(valid), required, covered, ends_inside, plain, tuple(codes), extent)


def _looks_of(valid: list[Box]) -> tuple[tuple[float, float], list[str]]:
    """Return how far boxes reach in both directions, and what looks wrong about them."""
    width = height = least = 0.0
    unordered = False
    for x1, y1, x2, y2 in valid:
        if x1 < x2 and y1 < y2:
            left, top, right, bottom = x1, y1, x2, y2
        else:
            left, top, right, bottom = min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
            unordered = unordered or bool(x1 or y1 or x2 or y2)
        if right > width:
            width = right
        if bottom > height:
            height = bottom
        if left < least or top < least:
            least = min(left, top)
    codes: list[str] = [Code.UNORDERED_BOXES] if unordered else []
    if least == 0 < max(width, height) <= 1:
        codes.append(Code.NORMALISED_BOXES)
    return (width, height), codes


def _beside(earliest: float, latest: float, asked: tuple[float, float]) -> bool:
    """Whether boxes stand outside the asked range, or neither at its first nor its last time."""
    first, last = asked
    if earliest < first - _NEAR or latest > last + _NEAR:
        return True
    return abs(earliest - first) > _NEAR and abs(latest - last) > _NEAR


_NEAR: Final = 0.05
"""Boxes are looked up at one decimal."""


def _boxes_asked(
    boxes: ParsedBoxes, valid: list[Box], asked: tuple[float, float] | None
) -> tuple[int, int]:
    """Return how many of the first and the last asked time there are, and are answered."""
    if asked is None:
        return 1, min(len(valid), 1)
    moments = sorted(set(asked))
    if not boxes.timed:
        return len(moments), min(len(valid), len(moments))
    return len(moments), sum(str(moment) in boxes.valid_by_time for moment in moments)


def _is_xywh(present: Mapping[str, Box], true: list[tuple[str, Box]]) -> bool:
    """Whether predicted boxes fit their true ones much better as x, y, width, height."""
    first = next((present[key], box) for key, box in true if key in present)
    if _iou(*first) > _FITS:
        return False
    pairs = [(present[key], box) for key, box in true if key in present]
    as_corners = sum(_iou(found, true) for found, true in pairs)
    as_sizes = sum(_iou((x, y, x + w, y + h), true) for (x, y, w, h), true in pairs)
    return as_sizes > _FITS * len(pairs) and as_sizes > 2 * as_corners


_FITS: Final = 0.45
"""A box that overlaps the true one by more than this was read as the model meant it."""


def _iou(one: Box, other: Box) -> float:
    (a1, b1, a2, b2), (c1, d1, c2, d2) = one, other
    width, height = min(a2, c2) - max(a1, c1), min(b2, d2) - max(b1, d1)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a2 - a1) * (b2 - b1) + (c2 - c1) * (d2 - d1) - shared)


def _read_components(text: str, _item: TestItem, sample: Sample | None) -> Reading:
    names = [component.replace("_", " ") for component in COMPONENTS]
    found = parse_components(text)
    expected = truth.component_scores(sample) if sample else COMPONENTS
    plain = len(found) == len(COMPONENTS) and "<" not in text and not FRACTION.search(text)
    cut_off = not plain and _is_open(text.lower(), names)
    beyond = any(score > _MOST_OF_A_COMPONENT for score in found.values())
    return _named(found, expected, plain=plain, cut_off=cut_off, beyond=beyond)


def _read_aspects(text: str, _item: TestItem, sample: Sample | None) -> Reading:
    found = dict(parse_aspects(text))
    known = [name for name in SKILL_ASPECTS if name in found]
    expected = truth.aspect_scores(sample) if sample else SKILL_ASPECTS
    plain = len(known) == len(SKILL_ASPECTS) and "<" not in text
    cut_off = not plain and _is_open(text, list(SKILL_ASPECTS))
    beyond = not all(1 <= found[name] <= _MOST_OF_AN_ASPECT for name in known)
    return _named(known, expected, plain=plain, cut_off=cut_off, beyond=beyond)


_MOST_OF_A_COMPONENT: Final = 2
_MOST_OF_AN_ASPECT: Final = 5


def _is_open(text: str, names: list[str]) -> bool:
    """Whether a text ends inside a name, or before its score."""
    _, comma, last = text[-_NAME_CHARACTERS:].rpartition(",")
    last = last.strip()
    if not comma or not last or not any(map(str.isdigit, text)):
        return False
    name, colon, score = last.partition(":")
    if not colon:
        return any(known.startswith(last) for known in names)
    score = score.strip()
    return name in names and (not score or score[-1] == "/" or ("/5" in text and score.isdigit()))


def _named(
    found: Collection[str],
    expected: Collection[str],
    *,
    plain: bool,
    cut_off: bool,
    beyond: bool,
) -> Reading:
    covered = sum(name in found for name in expected)
    codes = (Code.OTHER_SCALE,) if beyond else ()
    return Reading(len(found), len(expected), covered, cut_off, plain, codes)


def _read_text(text: str, _item: TestItem, _sample: Sample | None) -> Reading:
    emitted = int(bool(text))
    cut_off = len(text) >= LONG_TEXT_CHARACTERS and text[-1] not in _SENTENCE_ENDS
    plain = text[:1].isalpha() and not (
        "<" in text
        or "```" in text
        or "\\boxed" in text
        or text[:12].lower().startswith(_SUSPECT)
        or (text[:12].lower().startswith(_REFUSALS) and REFUSAL.match(text))
        or is_placeholder(text)
    )
    return Reading(emitted, 1, emitted, cut_off, plain)


_SUSPECT: Final = (
    "sure", "certainly", "of course", "ok", "here", "assist", "model", "answer", "the answer",
    "the final", "my ", "final", "output", "response", "json",
)  # fmt: skip
"""How words to the user begin."""
_REFUSALS: Final = (
    "i ", "i'", "we ", "sorry", "unfort", "apolog", "as a", "it ", "it's", "the ", "no ", "please",
    "\u62b1\u6b49", "\u5bf9\u4e0d\u8d77", "\u6211\u65e0\u6cd5", "\u65e0\u6cd5",
)  # fmt: skip
"""How refusals begin; brackets and quotes are not plain anyway."""


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
