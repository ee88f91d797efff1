"""Component scores of the critical view of safety (SPEC 2, CVS)."""

from __future__ import annotations

import re
from typing import Final

from medvid.benchmark.parsing.numbers import short_integer

COMPONENTS: Final = ("two_structures", "cystic_plate", "hepatocystic_triangle")

_NAMES: Final = (
    # Only where `two structures` occurs in the part, its singular counts as a spelling too.
    ("two_structures", "two structures", re.compile(r"two structures?:\s*+(\d++)")),
    ("cystic_plate", "cystic plate", re.compile(r"cystic plate:\s*+(\d++)")),
    ("hepatocystic_triangle", "hepatocystic triangle",
     re.compile(r"hepatocystic triangle:\s*+(\d++)")),
)  # fmt: skip


def parse_components(text: str) -> dict[str, int]:
    """Return component -> score; later duplicates win, `-1` and long integers are not found.

    In each part between commas, the first name of `_NAMES` that occurs at all decides.
    """
    scores: dict[str, int] = {}
    lowered = text.lower()
    if not any(name in lowered for _, name, _ in _NAMES):
        return scores
    for part in lowered.split(","):
        for component, name, pattern in _NAMES:
            if name in part:
                found = pattern.search(part)
                score = short_integer(found[1]) if found else None
                if score is not None:
                    scores[component] = score
                break
    return scores
