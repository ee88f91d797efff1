"""Styles of named scores (CVS, SA) that SPEC 2 does not read as they are meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from medvid.benchmark.parsing.cvs import COMPONENTS, parse_components
from medvid.benchmark.parsing.sa import SKILL_ASPECTS, parse_aspects
from medvid.benchmark.styles import times

LINES: Final = "lines_for_commas"
MARKUP: Final = "markup"
NAMES: Final = "names_altered"
SCORE_STYLE: Final = "score_style"

_GAP: Final = (
    r"(?:[\s_*\"'`:=(\[|\uff1a]|[-\u2013\u2014](?=\s)"
    r"|(?:scored?|is|of|rated|rating|as|at|value)\b)*+"
)
_WORDS: Final = {"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_WORD: Final = "|".join(_WORDS)
_INTEGER: Final = r"(\d{1,9}+)(?:\.0++)?+(?![\d.]*\d)"
_COMPONENT_NAMES: Final = {
    "two_structures": r"two[\s_-]{1,3}+structures?",
    "cystic_plate": r"cystic[\s_-]{1,3}+plate",
    "hepatocystic_triangle": r"hepato-?cystic[\s_-]{1,3}+triangle",
}
_ASPECT_NAMES: Final = {
    "Respect for tissue": r"respect[\s_]{1,3}+for[\s_]{1,3}+tissues?",
    "Suture/needle handling": r"sutur(?:e|ing)\s?[/_&]?\s?(?:and\s)?needle[\s_]{1,3}+handling",
    "Time and motion": r"time[\s_]{1,3}+(?:and|&)[\s_]{1,3}+motions?",
    "Flow of operation": r"flow[\s_]{1,3}+of[\s_]{1,3}+(?:the[\s_])?operations?",
    "Overall performance": r"overall[\s_]{1,3}+performance",
    "Quality of final product": r"quality[\s_]{1,3}+of[\s_]{1,3}+(?:the[\s_])?final[\s_]{1,3}"
    r"+product",
}
_COMPONENT_SCORES: Final = {
    name: re.compile(
        rf"({spelled})(?:{_GAP})(?:{_INTEGER}(?!\s*+/\s*+\d)|({_WORD})\b)", re.IGNORECASE
    )
    for name, spelled in _COMPONENT_NAMES.items()
}
_FIVES: Final = r"(?:(?:\*\*)?\s*+(?:/|out\s++of)\s*+5(?![\d.]*\d)|(?!\s*+(?:\*\*)?\s*+(?:/|out)))"
_ASPECT_SCORES: Final = {
    name: re.compile(
        rf"({spelled})(?:{_GAP})(?:{_INTEGER}{_FIVES}|({_WORD})\b{_FIVES})", re.IGNORECASE
    )
    for name, spelled in _ASPECT_NAMES.items()
}
_BULLET: Final = re.compile(r"(?:\A|\n)\s*+(?:[-*\u2022]|\d++[.)])\s")


def rewrite_components(text: str) -> tuple[str, list[str]]:
    """Return the component scores in the form that is read, and the styles they had."""
    meant = _more(components(text), _meant(text, _COMPONENT_SCORES))
    if not meant:
        return text, []
    names = {name: name.replace("_", " ").capitalize() for name in COMPONENTS}
    return ", ".join(f"{names[n]}: {v}" for n, v in meant.items()), _styles(
        text, _COMPONENT_NAMES, names
    )


def rewrite_aspects(text: str) -> tuple[str, list[str]]:
    """Return the aspect scores in the form that is read, and the styles they had."""
    seen = {n: value for n, value in _meant(text, _ASPECT_SCORES).items() if value <= _MOST}
    meant = _more(aspects(text), seen)
    if not meant:
        return text, []
    names = {name: name for name in SKILL_ASPECTS}
    return ", ".join(f"{n}: {v}/5" for n, v in meant.items()), _styles(text, _ASPECT_NAMES, names)


_MOST: Final = 5


def components(text: str) -> dict[str, int]:
    """Return what is read of the components."""
    return parse_components(text)


def aspects(text: str) -> dict[str, int]:
    """Return what is read of the aspects that there are."""
    found = dict(parse_aspects(text))
    return {name: found[name] for name in SKILL_ASPECTS if name in found}


def _more(found: Mapping[str, int], meant: dict[str, int]) -> dict[str, int]:
    """Return what is read and meant; empty where that is no more, or not the same."""
    if meant.keys() <= found.keys() or any(meant.get(n, v) != v for n, v in found.items()):
        return {}
    return {name: value for name in _ORDER for value in [(meant | dict(found)).get(name)]
            if value is not None}  # fmt: skip


_ORDER: Final = (*COMPONENTS, *SKILL_ASPECTS)


def _meant(text: str, patterns: Mapping[str, re.Pattern[str]]) -> dict[str, int]:
    """Return the scores that a reader would see; none of a name with two different ones."""
    meant: dict[str, int] = {}
    for name, pattern in patterns.items():
        found = {
            int(score[2]) if score[2] else _WORDS[score[3].lower()]
            for score in pattern.finditer(text)
        }
        if len(found) > 1:
            return {}
        meant |= dict.fromkeys([name] * len(found), *found)
    return meant


def _styles(text: str, spelled: Mapping[str, str], names: Mapping[str, str]) -> list[str]:
    return list(_marks(text, spelled, names)) or [SCORE_STYLE]


def _marks(text: str, spelled: Mapping[str, str], names: Mapping[str, str]) -> Iterator[str]:
    written = ((n, re.search(pattern, text, re.IGNORECASE)) for n, pattern in spelled.items())
    found = [(n, names[n], match[0]) for n, match in written if match]
    if "{" in text and '"' in text:
        yield times.JSON
    elif "\n" in text.strip() and text.count(",") < len(found) - 1:
        yield LINES
    marked = "**" in text or "__" in text or bool(_BULLET.search(text))
    if marked:
        yield MARKUP
    other_names = not marked and dict(parse_aspects(text)).keys() - set(SKILL_ASPECTS)
    if other_names or any(_is_altered(*spelling) for spelling in found):
        yield NAMES


def _is_altered(name: str, written: str, match: str) -> bool:
    """Whether a name is spelled otherwise; the case of aspects counts, that of components not."""
    return match != written if name == written else match.lower() != written.lower()
