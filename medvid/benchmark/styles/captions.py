"""Styles of captioned segments (DVC) that SPEC 2 does not read as they are meant."""

from __future__ import annotations

import math
import re
from typing import Final

from medvid.benchmark.parsing.dvc import parse_captions
from medvid.benchmark.styles import times
from medvid.benchmark.styles.times import SEPARATOR, TIME, UNIT

HEADER_PREFIX: Final = "header_prefix"
HEADER_STYLE: Final = "header_style"

_PLAIN: Final = re.compile(r"\d++(?:\.\d++)?+-\d++(?:\.\d++)?+\s++seconds?:(?:\s|\Z)")
_LINE: Final = re.compile(
    r"(?P<prefix>[ \t]*+(?:(?:[-*\u2022\u00b7+>]|#{1,6}|\(?\d{1,3}[.):])[ \t]++)?"
    r"(?:(?:\*\*|__)?(?:event|segment|step|action|clip)[ \t]*+\d{0,3}+[ \t]*+[:.)]?+(?:\*\*|__)?"
    r"[:.)]?+[ \t]*+)?(?:\*\*|__|`)?)"
    r"(?P<label>(?:start[ _]?(?:\(?time\)?)?|time(?:[ _]?(?:range|interval|stamp))?|from|between)"
    r"\W{0,6})?+(?P<open>[\[(<\u3010]?+)[ \t]*+"
    rf"(?P<start>{TIME})(?P<between>{UNIT})"
    rf"(?:{SEPARATOR}|(?P<comma>\s*+,\s*+)|(?P<and>\s++and\s++))"
    rf"(?P<end>{TIME})(?P<unit>{UNIT})[ \t]*+(?P<close>[\])>\u3011]?+)(?P<after>{UNIT})"
    r"(?P<bold>(?:\*\*|__|`)?)[ \t]*+(?P<delimiter>[:\uff1a|,]|[-\u2013\u2014](?=\s)|)(?:\*\*|__)?"
    r"[ \t]*+(?P<description>(?:\*\*)?(?:description|caption)(?:\*\*)?:?(?:\*\*)?[ \t]*+)?"
    r"(?P<caption>.*+)",
    re.IGNORECASE | re.DOTALL,
)
_HEADER: Final = re.compile(
    r"(?<!\d)(\d++(?:\.\d++)?+)-(\d++(?:\.\d++)?+)[ \t]++seconds?:(?=\s|\Z)"
)
_COUNTED: Final = (
    r"(?:(?:\*\*)?(?:event|segment|step|action|clip)[ \t]\d{1,3}[:.)]?(?:\*\*)?[:.)]?[ \t]++)"
)
_SEPARATOR_BEFORE: Final = re.compile(
    rf"(?:(?P<sentence>[.!?;])|,|\s[|/])[ \t]++{_COUNTED}?\Z", re.IGNORECASE
)
_ONLY_PREFIX: Final = re.compile(
    rf"(?:\A|\n)[ \t]*+[-*#>(\u2022]{{0,3}}[ \t]*+(?:{_COUNTED}|\d{{1,3}}[.)][ \t]*+)\Z",
    re.IGNORECASE,
)
_LOOKED_BACK: Final = 40
_COMMAS: Final = re.compile(
    r"^(\d++),(\d{1,2}+)([ \t]*+-[ \t]*+)(\d++),(\d{1,2}+)(?=[ \t]*+s)", re.MULTILINE
)
_DESCRIBED: Final = re.compile(
    times.LABELLED.pattern
    + rf"{UNIT}[\"'*]{{0,4}}+\s*+[,;|]?+\s*+[\"'*]{{0,4}}+(?:(?:description|caption|event|action)"
    r"[\"'*]{0,4}+\s*+[:=]\s*+[\"'*]{0,4}+)?+\s*+",
    re.IGNORECASE,
)


def rewrite(text: str) -> tuple[str, list[str]]:
    """Return a text whose segments are lines `A-B seconds: caption`, and the styles it had."""
    listed = times.segments_of(text)
    if listed:
        return "\n".join(_line(*segment) for segment in listed), [times.JSON]
    applied: dict[str, None] = {}
    if times.is_labelled(text):
        changed = _DESCRIBED.sub(r"\n\g<2>-\g<3> seconds: ", text).strip()
        text = text if changed == text else _noted(changed, times.LABELLED_TIMES, applied)
    text = _apart(text, applied)
    lines, rows = text.split("\n"), 0
    for index, line in enumerate(lines):
        row = times.row_of(line, rows + 1)
        if row:
            rows += 1
            lines[index] = _noted(_line(*row), times.TABLE, applied)
        elif not _PLAIN.match(line):
            lines[index] = _headed(line, applied)
    return "\n".join(lines), list(applied)


def _apart(text: str, applied: dict[str, None]) -> str:
    """Return a text with headers behind a caption on lines of their own, and decimal points."""
    changed = _parted(text) if text.count("second") > 1 else text
    text = text if changed == text else _noted(changed, HEADER_PREFIX, applied)
    changed = _COMMAS.sub(r"\1.\2\3\4.\5", text)
    return text if changed == text else _noted(changed, times.DECIMAL_COMMAS, applied)


def _parted(text: str) -> str:
    """Return a text in which headers that follow a caption on its line begin lines.

    Only headers that a sentence's end sets apart, or another separator where the segment begins no
    earlier than the one before ends: times inside a caption stay where they are.
    """
    parts: list[str] = []
    done, last_end = 0, math.inf
    for found in _HEADER.finditer(text):
        back = text[max(found.start() - _LOOKED_BACK, 0) : found.start()]
        separator = None if _ONLY_PREFIX.search(back) else _SEPARATOR_BEFORE.search(back)
        if separator and last_end < math.inf:
            if not separator["sentence"] and float(found[1]) < last_end:
                continue
            behind = found.start() - len(separator[0]) + bool(separator["sentence"])
            parts += [text[done:behind], "\n"]
            done = found.start()
        last_end = float(found[2])
    return "".join((*parts, text[done:]))


def reading(text: str) -> dict[tuple[float, float], str]:
    """Return what is read, without what the two forms treat otherwise.

    The free form drops final full stops, and the standard form repeated times.
    """
    found: dict[tuple[float, float], str] = {}
    for start, end, caption in parse_captions(text):
        found.setdefault((start, end), caption.rstrip("."))
    return found


def _headed(line: str, applied: dict[str, None]) -> str:
    """Return a line with its header in the standard form; unchanged where it has none."""
    found = _LINE.match(line) if any(map(str.isdigit, line[:_HEADER_CHARACTERS])) else None
    if (
        not found
        or (found["comma"] and not found["open"])
        or (found["and"] and (found["label"] or "").lower().strip() != "between")
    ):
        return line
    unit = (found["unit"] or found["after"]).strip().lower()
    ends = found["delimiter"] or found["description"] or found["close"] or ":" in found["start"]
    if not ends and (not unit or found["caption"].strip()):
        return line
    applied |= dict.fromkeys(_styles(found, unit))
    return _line(
        times.seconds(found["start"]), times.seconds(found["end"]), found["caption"].rstrip("\r")
    )


_HEADER_CHARACTERS: Final = 80


def _styles(found: re.Match[str], unit: str) -> list[str]:
    named = times.styles_of(found)
    if found["prefix"]:
        named.append(HEADER_PREFIX)
    if (found["arrow"] or "").lower() == "to" or found["and"]:
        named.append(times.RANGE_WORDS)
    if found["open"] or found["delimiter"] != ":" or unit not in ("second", "seconds"):
        named.append(HEADER_STYLE)
    return named or [HEADER_STYLE]


def _line(start: str, end: str, caption: str) -> str:
    return f"{start}-{end} seconds: {caption}".rstrip(" ")


def _noted(text: str, name: str, applied: dict[str, None]) -> str:
    applied[name] = None
    return text
