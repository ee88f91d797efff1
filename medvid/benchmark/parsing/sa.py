"""Aspect scores of skill assessment (SPEC 2, SA)."""

from __future__ import annotations

import itertools
import re
from typing import Final

from medvid.benchmark.parsing.numbers import short_integer

SKILL_ASPECTS: Final = (
    "Respect for tissue",
    "Suture/needle handling",
    "Time and motion",
    "Flow of operation",
    "Overall performance",
    "Quality of final product",
)

_SCORE: Final = re.compile(r"\s*+(\d++)/5")


def parse_aspects(text: str) -> list[tuple[str, int]]:
    """Return every (name, N) written as `name: N/5`, at most one a part, in text order.

    Names are trimmed and otherwise as written; `dict()` of the result lets later duplicates win.
    """
    if "/5" not in text:
        return []
    found = (_first_score(part.strip()) for part in text.split(",") if "/5" in part)
    return [pair for pair in found if pair]


def _first_score(part: str) -> tuple[str, int] | None:
    """Return the first `name: N/5` of a stripped part; the name has no colon in it.

    A colon with nothing before it names nothing, so `:3/5:Time and motion: 4/5` scores the latter.
    """
    pieces = part.split(":")
    for name, rest in itertools.pairwise(pieces):
        score = _SCORE.match(rest) if name else None
        if score:
            number = short_integer(score[1])
            return None if number is None else (name.strip(), number)
    return None
