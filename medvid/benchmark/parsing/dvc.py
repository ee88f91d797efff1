"""Captioned segments of dense video captioning (SPEC 2, DVC_F1)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from medvid.benchmark.parsing.numbers import DECIMAL, NUMBER_START


class CaptionSegment(NamedTuple):
    """A captioned stretch of time in seconds; it may end before it starts."""

    start: float
    end: float
    caption: str


_HEADER: Final = re.compile(rf"{NUMBER_START}{DECIMAL}-{DECIMAL}\s++seconds?:\s++")
_NEXT_LINE_HEADER: Final = re.compile(rf"\n{DECIMAL}-{DECIMAL}\s++seconds?:")

_FREE_NUMBER: Final = r"(\d++\.?\d*+)"
_FREE_TIMES: Final = rf"\s*+{_FREE_NUMBER}\s*+[-\u2013]\s*+{_FREE_NUMBER}\s*+second"
_AT_LINE_START: Final = re.compile(_FREE_TIMES)
_AFTER_LABEL: Final = re.compile(
    r"(?:\*\*Start Time:\*\*|Start\s*+\(?Time\)?|Time\s*+Range:|Time\s*+Interval:)" + _FREE_TIMES
)
_DESCRIPTION: Final = "**Description:**"


def parse_captions(text: str) -> list[CaptionSegment]:
    """Return the captioned segments of a prediction.

    The free form is read only where the standard form names no segment; it keeps segments of equal
    times, of which the standard form keeps the first. Segments with a non-finite time are invalid
    input and left out.
    """
    if "second" not in text:
        return []
    found = list(_first_of_each(_standard(text))) or _free_form(text)
    return [one for one in found if math.isfinite(one.start) and math.isfinite(one.end)]


def _standard(text: str) -> Iterator[CaptionSegment]:
    """Yield `A-B seconds: caption` segments; a caption ends before a line with a header."""
    header = _HEADER.search(text)
    while header:
        start = header.end()
        following = _NEXT_LINE_HEADER.search(text, start)
        end = following.start() if following else len(text)
        caption = text[start:end].strip().replace("\n", " ")
        yield CaptionSegment(float(header[1]), float(header[2]), caption)
        header = _HEADER.search(text, end)


def _free_form(text: str) -> Iterator[CaptionSegment]:
    """Yield at most one segment a line: label or line's start, times, delimiter, caption.

    Only the whole text is stripped: white space that ends an inner line is a caption, an empty one.
    """
    for line in text.strip().split("\n"):
        if "second" not in line:
            continue
        times = _AT_LINE_START.match(line) or _AFTER_LABEL.search(line)
        # Every later header of this line has even less text to find a delimiter in.
        start = _after_delimiter(line, times.end()) if times else None
        if times and start is not None:
            caption = line[start:].strip().rstrip(".")
            yield CaptionSegment(float(times[1]), float(times[2]), caption)


def _after_delimiter(line: str, position: int) -> int | None:
    """Return where the caption starts: after the first `-` or `**Description:**`.

    None where there is neither, or nothing behind it: then nothing is behind a later one either.
    """
    hyphen = line.find("-", position)
    description = line.find(_DESCRIPTION, position)
    if description >= 0 and (hyphen < 0 or description < hyphen):
        start = description + len(_DESCRIPTION)
    elif hyphen >= 0:
        start = hyphen + 1
    else:
        return None
    return start if start < len(line) else None


def _first_of_each(segments: Iterable[CaptionSegment]) -> Iterator[CaptionSegment]:
    seen = set[tuple[float, float]]()
    for segment in segments:
        times = segment.start, segment.end
        if times not in seen:
            seen.add(times)
            yield segment
