"""Styles of time ranges that SPEC 2 does not read, and the same in the form that it reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

CLOCK_TIMES: Final = "clock_times"
DATES: Final = "dates"
DECIMAL_COMMAS: Final = "decimal_commas"
DASHES: Final = "dashes"
UNITS_BETWEEN: Final = "units_between_numbers"
RANGE_WORDS: Final = "range_words"
BRACKETED_TIMES: Final = "bracketed_times"
LABELLED_TIMES: Final = "labelled_times"
TABLE: Final = "table"
JSON: Final = "json"

_NOT_INSIDE: Final = r"(?<!\d)(?<!\d[.:])"
"""A time begins here, and is not the rest of a longer one."""
TIME: Final = r"\d++(?::\d++){0,2}+(?:\.\d++)?+"
UNIT: Final = r"(?:\s*+(?:(?:seconds?|secs?|s)(?![a-z])|\u79d2))?+"
_DASH: Final = "\u2010-\u2015\u2212~\u223c\u301c\ufe58\ufe63\uff0d\uff5e"
SEPARATOR: Final = (
    rf"\s*+(?:(?P<arrow>-{{1,3}}>|=>|\u2192|\bto\b|\bto\s++the\b|\buntil\b|\btill\b"
    rf"|\bthrough\b|\u81f3|\u5230)|(?P<dash>[{_DASH}]|-{{2,3}})|(?P<hyphen>-))\s*+"
)
RANGE: Final = re.compile(
    rf"{_NOT_INSIDE}(?P<start>{TIME})(?P<between>{UNIT}){SEPARATOR}(?P<end>{TIME})",
    re.IGNORECASE,
)
_AFTER_TO: Final = re.compile(r"(?:s| seconds?)?", re.IGNORECASE)
_BETWEEN: Final = re.compile(
    rf"\bbetween\s++({TIME}){UNIT}\s++and\s++({TIME})(?!\d)", re.IGNORECASE
)
_MINUTES: Final = re.compile(
    rf"{_NOT_INSIDE}(?<![hH])(?:(\d++)\s*+(?:hours?|hrs?|h)\s*+)?+(\d++)\s*+(?:minutes?|mins?|m)\s*+(?:and\s++)?+(\d++(?:\.\d++)?+)"
    r"\s*+(?:seconds?|secs?|s)\b",
    re.IGNORECASE,
)
_DATE: Final = re.compile(r"(?<!\d)((?:19|20)\d\d)-(\d\d)-(\d\d)(?!\d)")
_DECIMAL_COMMA: Final = re.compile(r"(?<![\d.,])(\d++),(\d{1,2}+)(?!\d|,\d)")
_PAIR: Final = re.compile(
    rf"[\[(]\s*+[\"']?({TIME}){UNIT}[\"']?\s*+,\s*+[\"']?({TIME}){UNIT}[\"']?\s*+[\])]",
    re.IGNORECASE,
)
LABELLED: Final = re.compile(
    rf"[\"'*]{{0,4}}+\b(?:start|begin|from)(?:[\s_]?(?:time|sec|seconds|s))?+([\"'*]*+)\s*+[:=]\s*+[\"'*]*+\s*+"
    rf"({TIME}){UNIT}[\"'*]*+\s*+[,;|]?+\s*+(?:and\s++)?+[\"'*]*+"
    rf"(?:end|stop|finish|to)(?:[\s_]?(?:time|sec|seconds|s))?+[\"'*]*+\s*+[:=]\s*+[\"'*]*+\s*+"
    rf"({TIME})",
    re.IGNORECASE,
)
_FULL_WIDTH: Final = str.maketrans(
    "\uff1a\uff0c\uff0e\uff3b\uff3d\uff08\uff09\uff5b\uff5d\uff1b\u3001\u201c\u201d\uff0f\u3010\u3011",
    ':,.[](){};,""/[]',
)
FULL_WIDTH: Final = "full_width"


def rewrite(text: str) -> tuple[str, list[str]]:
    """Return a text whose time ranges are written `A-B`, and the names of the styles it had."""
    listed = segments_of(text) if '"' in text else []
    if listed:
        return ", ".join(f"{start}-{end}" for start, end, _ in listed) + " seconds.", [JSON]
    applied: dict[str, None] = {}
    text = plain_width(text, applied)
    text = _replaced(_DATE, r"\1/\2/\3", text, DATES, applied)
    text = _points(text, applied)
    text = ranges(text, applied)
    if not RANGE.search(text):
        text = _paired(text, applied)
    if not RANGE.search(text):
        text = _tabled(text, applied)
    return text, list(applied)


def plain_width(text: str, applied: dict[str, None]) -> str:
    """Return a text with ASCII punctuation for full-width one."""
    if text.isascii():
        return text
    changed = text.translate(_FULL_WIDTH)
    if changed != text:
        applied[FULL_WIDTH] = None
    return changed


def ranges(text: str, applied: dict[str, None]) -> str:
    """Return a text whose ranges are `A-B`, or `A to B` where all are written so."""
    text = _MINUTES.sub(lambda found: _noted(CLOCK_TIMES, applied, _minutes(found)), text)
    text = (
        text
        if "and" not in text
        else _BETWEEN.sub(
            lambda found: _noted(RANGE_WORDS, applied, f"{seconds(found[1])}-{seconds(found[2])}"),
            text,
        )
    )
    new: dict[str, None] = {}
    hyphens = False
    for found in RANGE.finditer(text):
        names = styles_of(found)
        new |= dict.fromkeys(names)
        hyphens |= bool(names) and not _is_to(found)
    if not new:
        return text
    applied |= new
    return RANGE.sub(lambda found: _written(found, hyphens=hyphens), text)


def styles_of(found: re.Match[str]) -> list[str]:
    """Return why a range would not be read as it is meant; empty if it would."""
    between = found["between"]
    named = [CLOCK_TIMES] if ":" in found["start"] or ":" in found["end"] else []
    if found["dash"]:
        named.append(DASHES)
    if between and (found["hyphen"] or not _AFTER_TO.fullmatch(between)):
        named.append(UNITS_BETWEEN)
    if found["arrow"] and not _is_to(found):
        named.append(RANGE_WORDS)
    return named


def _is_to(found: re.Match[str]) -> bool:
    return (found["arrow"] or "").lower() == "to"


def _written(found: re.Match[str], *, hyphens: bool) -> str:
    start, end = seconds(found["start"]), seconds(found["end"])
    return f"{start} to {end}" if _is_to(found) and not hyphens else f"{start}-{end}"


def is_labelled(text: str) -> bool:
    """Whether a time is labelled as a start, and one as an end."""
    lowered = text.lower()
    return any(word in lowered for word in ("start", "begin", "from")) and bool(
        LABELLED.search(text)
    )


def _paired(text: str, applied: dict[str, None]) -> str:
    """Return a text without any range, with pairs of times as ranges."""
    if is_labelled(text):
        return LABELLED.sub(
            lambda found: _noted(
                JSON if '"' in found[1] or "'" in found[1] else LABELLED_TIMES,
                applied,
                f"{seconds(found[2])}-{seconds(found[3])}",
            ),
            text,
        )
    if _PAIR.search(text):
        return _PAIR.sub(
            lambda found: _noted(
                BRACKETED_TIMES, applied, f"{seconds(found[1])}-{seconds(found[2])}"
            ),
            text,
        )
    return text


def _tabled(text: str, applied: dict[str, None]) -> str:
    """Return a text without any range, with each table row's two times as a range."""
    rows = 0
    lines = text.split("\n")
    for index, line in enumerate(lines):
        row = row_of(line, rows + 1)
        if row:
            rows += 1
            lines[index] = f"| {row[0]}-{row[1]} | {row[2]} |"
    if rows:
        applied[TABLE] = None
    return "\n".join(lines) if rows else text


def row_of(line: str, number: int) -> tuple[str, str, str] | None:
    """Return a table row's start, end and what follows them; `number` may stand before them."""
    if line.count("|") < _LEAST_BARS:
        return None
    cells = [cell.strip(" \t*") for cell in line.strip().strip("|").split("|")]
    numeric = [_CELL.fullmatch(cell) for cell in cells[:4]]
    if len(cells) > 2 and numeric[2] and cells[0].rstrip(".") == str(number):
        cells, numeric = cells[1:], numeric[1:]
    both = RANGE.fullmatch(cells[0]) or _RANGE_CELL.fullmatch(cells[0])
    if both:
        return seconds(both["start"]), seconds(both["end"]), " ".join(cells[1:])
    start, end, *rest = (*numeric, None, None)
    if not start or not end or any(rest):
        return None
    return seconds(start[1]), seconds(end[1]), " ".join(cells[2:])


def segments_of(text: str) -> list[tuple[str, str, str]]:
    """Return the (start, end, caption) of a JSON text; empty where it is not JSON, or cut off."""
    found = []
    for item in items_of(text):
        segment = _segment(item)
        if segment is None:
            return []
        found.append(segment)
    return found


def _segment(item: object) -> tuple[str, str, str] | None:
    caption = ""
    if isinstance(item, dict):
        fields = {str(name).lower(): value for name, value in item.items()}
        caption = str(first_of(fields, _CAPTIONS) or "")
        both = first_of(fields, _BOTH)
        item = both if both is not None else [first_of(fields, _STARTS), first_of(fields, _ENDS)]
    if isinstance(item, str):
        found = _RANGE_CELL.fullmatch(item.strip())
        return (seconds(found["start"]), seconds(found["end"]), caption) if found else None
    if not isinstance(item, list) or len(item) != 2:
        return None
    start, end = (_CELL.fullmatch(str(value).strip()) for value in item)
    if not start or not end or any(isinstance(value, bool) for value in item):
        return None
    return seconds(start[1]), seconds(end[1]), " ".join(caption.split())


def first_of(fields: Mapping[str, object], names: Iterable[str]) -> object:
    """Return the first of the fields that is there."""
    return next((fields[name] for name in names if name in fields), None)


def items_of(text: str) -> list[object]:
    """Return the items of a text that is a JSON array or object; empty for any other text.

    An object with one list holds its items. A single object or pair is one item.
    """
    text = text.strip()
    if not text.startswith(("[", "{")) or not text.endswith(("]", "}")):
        return []
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if isinstance(value, dict):
        lists = [inner for inner in value.values() if isinstance(inner, list)]
        value = lists[0] if len(value) == 1 and lists and lists[0] else [value]
    if isinstance(value, list) and value and all(isinstance(v, int | float) for v in value):
        return [value]
    return value if isinstance(value, list) else []


_LEAST_BARS: Final = 2
_CELL: Final = re.compile(rf"({TIME}){UNIT}", re.IGNORECASE)
_RANGE_CELL: Final = re.compile(
    rf"(?P<start>{TIME}){UNIT}{SEPARATOR}(?P<end>{TIME}){UNIT}", re.IGNORECASE
)
_STARTS: Final = ("start", "start_time", "start_sec", "start_seconds", "begin", "from")
_ENDS: Final = ("end", "end_time", "end_sec", "end_seconds", "stop", "to")
_BOTH: Final = ("segment", "span", "timestamp", "timestamps", "time", "interval", "time_range")
_CAPTIONS: Final = ("caption", "description", "text", "event", "action", "label")


def _points(text: str, applied: dict[str, None]) -> str:
    """Return a text with decimal points for decimal commas.

    They are decimal commas if, read as separators, they would leave numbers alone.
    """
    if "," not in text or not _DECIMAL_COMMA.search(text):
        return text
    changed = _DECIMAL_COMMA.sub(r"\1.\2", text)
    if _lone_numbers(text) <= _lone_numbers(changed):
        return text
    applied[DECIMAL_COMMAS] = None
    return changed


def _lone_numbers(text: str) -> int:
    """Return how many parts between commas hold a number and no range."""
    if not RANGE.search(text):
        return 0
    return sum(not RANGE.search(part) and any(map(str.isdigit, part)) for part in text.split(","))


def seconds(time: str) -> str:
    """Return a time in seconds: `1:02:03.5` is 3723.5; a plain number as it is."""
    *above, last = time.split(":")
    if not above or len(time) > _LONGEST_CLOCK:
        return time
    whole, point, fraction = last.partition(".")
    total = 0
    for part in (*above, whole):
        total = 60 * total + int(part)
    return f"{total}{point}{fraction}"


_LONGEST_CLOCK: Final = 30


def _minutes(found: re.Match[str]) -> str:
    clock = f"{found[1] or 0}:{found[2]}:{found[3]}"
    return found[0] if len(clock) > _LONGEST_CLOCK else f"{seconds(clock)} seconds"


def _noted(name: str, applied: dict[str, None], text: str) -> str:
    applied[name] = None
    return text


def _replaced(
    pattern: re.Pattern[str], by: str, text: str, name: str, applied: dict[str, None]
) -> str:
    changed = pattern.sub(by, text)
    if changed != text:
        applied[name] = None
    return changed
