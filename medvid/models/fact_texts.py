"""Facts of models as texts: in forms, tables and commands, and as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Final

from medvid.models.facts import FACTS, NUMBER, BoardFacts

_NUMBERS: Final = frozenset(
    {"parameters", "active_parameters", "frames", "usd_per_sample", "seconds_per_sample"}
)
_YES_OR_NO: Final = frozenset({"open_weights", "uses_test_videos"})
LISTS: Final = frozenset({"trained_on"})
"""Facts that have several values; between these is a comma or a semicolon."""
NONE: Final = "none"
"""Stands for a list without any value, where a blank text stands for what is unknown."""
_TRUE: Final = frozenset({"true", "yes", "1", "on"})
_FALSE: Final = frozenset({"false", "no", "0", "off"})
_UNITS: Final = (("T", 10**12), ("B", 10**9), ("M", 10**6), ("k", 10**3))

LABELS: Final[Mapping[str, str]] = {
    "parameters": "Parameters",
    "active_parameters": "Active parameters",
    "open_weights": "Open weights",
    "licence": "Licence",
    "base_model": "Base model",
    "released_on": "Released",
    "access": "Access",
    "frames": "Frames",
    "resolution": "Resolution",
    "trained_on": "Saw the train split of",
    "uses_test_videos": "Trained on test videos",
    "usd_per_sample": "Cost of a sample",
    "seconds_per_sample": "Time of a sample",
    "prompt": "Prompt",
}
"""What people call each fact."""


def fact_values(texts: Mapping[str, str]) -> dict[str, object]:
    """Return the facts among texts as JSON values, None for a blank one.

    A text that is no value of its fact stays a text, and is refused as what it is.
    """
    return {name: _value(name, text) for name, text in texts.items() if name in FACTS}


def _value(name: str, text: str) -> object:
    text = text.strip()
    if not text:
        return None
    if name in _NUMBERS:
        return float(text) if NUMBER.fullmatch(text) and float(text) < math.inf else text
    if name in _YES_OR_NO:
        word = text.casefold()
        return True if word in _TRUE else False if word in _FALSE else text
    if name in LISTS:
        parts = [part.strip() for part in re.split("[,;]", text) if part.strip()]
        if not parts:  # separators alone say nothing, and least of all that there is none
            return text
        return [] if [part.casefold() for part in parts] == [NONE] else parts
    return text


def fact_text(value: object) -> str:
    """Return a fact's value as `fact_values` reads it, blank where it is unknown."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ";".join(map(str, value)) or NONE
    return repr(value) if isinstance(value, float) else str(value)


def fact_texts(facts: Mapping[str, object]) -> dict[str, str]:
    """Return every fact as a text, in their order."""
    return {name: fact_text(facts.get(name)) for name in FACTS}


def shown_fact(name: str, value: object) -> str:
    """Return a fact's value as people read it."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name in ("parameters", "active_parameters"):
        return shown_count(value)
    if name in LISTS and isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or NONE
    if name == "access":
        return {"api": "API", "local": "local"}.get(str(value), str(value))
    if name == "usd_per_sample":
        return f"{value:,} USD"
    return f"{value:,} s" if name == "seconds_per_sample" else str(value)


def shown_count(count: float) -> str:
    """Return a number of parameters in three digits: 7.62 B, 350 M."""
    for unit, size in _UNITS:
        if count >= 0.9995 * size:  # from there on it is rounded to 1 of this unit
            return f"{count / size:.3g} {unit}"
    return f"{count:g}"


def shown_facts(facts: BoardFacts | None, but: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Return label and value of the facts that are known, for people."""
    known = facts.model_dump(mode="json", exclude_none=True) if facts else {}
    return [
        (LABELS[name], shown_fact(name, value)) for name, value in known.items() if name not in but
    ]
