"""Time segments of temporal action localization (SPEC 2, TAL)."""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

from medvid.benchmark.parsing.numbers import DECIMAL, NUMBER_START


class Segment(NamedTuple):
    """A stretch of time in seconds, as written: it may end before it starts."""

    start: float
    end: float

    @property
    def is_finite(self) -> bool:
        """Whether both times are finite; digits without end parse as infinity."""
        return math.isfinite(self.start) and math.isfinite(self.end)


_HYPHEN: Final = re.compile(rf"{NUMBER_START}{DECIMAL}\s*+-\s*+{DECIMAL}")
_TO: Final = re.compile(
    rf"{NUMBER_START}{DECIMAL}(?:s| seconds?)?\s*+to\s*+{DECIMAL}", re.IGNORECASE
)
_CLOCK: Final = re.compile(
    rf"{NUMBER_START}(\d++):(\d++):(\d++)\s++to\s++(\d++):(\d++):(\d++)", re.IGNORECASE
)


def parse_segments(text: str) -> list[Segment]:
    """Return the segments a prediction names, in the order SPEC 2 lists them.

    `A-B` forms shut out all others; otherwise `A to B` (rounded to 2 decimals), then
    `H:M:S to H:M:S`. Non-finite segments are listed too: they count as predicted.
    """
    if "-" in text:
        hyphenated = [Segment._make(map(float, pair)) for pair in _HYPHEN.findall(text)]
        if hyphenated:
            return hyphenated
    worded = [Segment(round(float(a), 2), round(float(b), 2)) for a, b in _TO.findall(text)]
    if ":" in text:
        worded += [
            Segment(_seconds(*fields[:3]), _seconds(*fields[3:])) for fields in _CLOCK.findall(text)
        ]
    return worded


def _seconds(hours: str, minutes: str, seconds: str) -> float:
    """Return a clock time in seconds; floats, because digits may have no end."""
    return float(hours) * 3600 + float(minutes) * 60 + float(seconds)
