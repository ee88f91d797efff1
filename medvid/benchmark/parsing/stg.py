"""Boxes over time of spatiotemporal grounding (SPEC 2, STG)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from medvid.benchmark.parsing.numbers import DECIMAL, NUMBER_START

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels, as written: corners may be in any order."""

_TIMED_HEADER: Final = re.compile(rf"{NUMBER_START}{DECIMAL}\s++seconds:\s*+\[")
_BARE: Final = re.compile(r"\[\[([\d\s,]++)\]\]")
_COORDINATES: Final = 4


@dataclass(frozen=True, slots=True)
class ParsedBoxes:
    """The boxes of one prediction.

    `timed` says that at least one `T seconds: […]` was written; then `by_time` holds the boxes by
    `str(float(T))`, invalid ones replaced by the last valid box before them, and `valid_by_time`
    the same without replacement. Otherwise `untimed` holds the `[[…]]` boxes in order.
    """

    timed: bool
    by_time: Mapping[str, Box]
    valid_by_time: Mapping[str, Box]
    untimed: Sequence[Box]

    def at(self, keys: Sequence[str], *, replaced: bool) -> Mapping[str, Box]:
        """Return boxes by time; `[[…]]` boxes take the truth's `keys`, as spelled, in order."""
        if not self.timed:
            return dict(zip(keys, self.untimed, strict=False))
        return self.by_time if replaced else self.valid_by_time


def parse_boxes(text: str) -> ParsedBoxes:
    """Return the boxes of a prediction; `T seconds: […]` forms shut out `[[…]]` forms.

    Brackets with nothing between them, not even white space, are no box and replace none.
    """
    timed, by_time, valid = False, dict[str, Box](), dict[str, Box]()
    last: Box | None = None
    header = _TIMED_HEADER.search(text) if "seconds:" in text else None
    while header:
        # Without a bracket after this header there is none after any later one.
        close = text.find("]", header.end())
        if close < 0:
            break
        time = float(header[1])
        inside = text[header.end() : close]
        timed = timed or bool(inside)
        if inside and math.isfinite(time):
            box = _timed_box(inside)
            last = box or last
            if last:
                by_time[str(time)] = last
            if box:
                valid[str(time)] = box
        header = _TIMED_HEADER.search(text, close + 1)
    return ParsedBoxes(timed, by_time, valid, () if timed else _untimed_boxes(text))


def _untimed_boxes(text: str) -> tuple[Box, ...]:
    """Return the `[[a, b, c, d]]` boxes; anything but four integers is left out."""
    if "[[" not in text:
        return ()
    # `float` does not strip all that is white space in text, U+001C to U+001F for instance.
    found = (_box([part.strip() for part in inside.split(",")]) for inside in _BARE.findall(text))
    return tuple(box for box in found if box)


def _timed_box(inside: str) -> Box | None:
    if inside.count(",") != _COORDINATES - 1:
        return None
    return _box([value.strip().lstrip("[") for value in inside.split(",")])


def _box(values: list[str]) -> Box | None:
    """Return the box of exactly four finite numbers, else None."""
    if len(values) != _COORDINATES:
        return None
    try:
        x1, y1, x2, y2 = map(float, values)
    except ValueError:
        return None
    box = (x1, y1, x2, y2)
    return box if all(map(math.isfinite, box)) else None
