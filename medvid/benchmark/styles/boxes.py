"""Styles of boxes over time (STG) that SPEC 2 does not read as they are meant."""

from __future__ import annotations

import re
from typing import Final

from medvid.benchmark.styles import times
from medvid.benchmark.styles.times import TIME

BOX_STYLE: Final = "box_style"

_VALUE: Final = r"([-+]?\d++(?:\.\d++)?+)"
_BETWEEN: Final = r"(?:\s*+[,;]\s*+|\s++)"
_FOUR: Final = _BETWEEN.join([_VALUE] * 4)
_UNIT: Final = r"(?:\s*+(?:seconds?|secs?|s)(?![a-z]))"
_TIMED: Final = re.compile(
    rf"(?<!\d)(?<!\d[.:])(?P<time>{TIME})(?:{_UNIT}[\"'*]{{0,4}}+\s*+[:=]?+|[\"'*]{{0,4}}+\s*+[:=])"
    rf"\s*+[\"'*]{{0,4}}+(?P<open>[\[(<{{]{{0,3}}+)\s*+{_FOUR}\s*+(?P<close>[\])>}}]{{0,3}}+)",
    re.IGNORECASE,
)
_PLAIN: Final = re.compile(r"seconds:\s*+\[")
_BARE: Final = re.compile(rf"(?<![\[(<])[\[(<]\s*+{_FOUR}\s*+[\])>](?![\])>])")
_CORNERS: Final = re.compile(
    rf"(?:<\|?box(?:_start\|)?>\s*+)?\(\s*+{_VALUE}\s*+,\s*+{_VALUE}\s*+\)\s*+,\s*+"
    rf"\(\s*+{_VALUE}\s*+,\s*+{_VALUE}\s*+\)(?:\s*+<(?:/|\|)box(?:_end\|)?>)?",
    re.IGNORECASE,
)
_COMMA: Final = re.compile(r"(?<![\d.,])(\d++),(\d{1,2}+)(?=\s++seconds:\s*+\[)")
_FRAME: Final = re.compile(r"frames?\s*+#?\s*+\d", re.IGNORECASE)
_BOXES: Final = ("bbox", "bbox_2d", "box", "bounding_box")
_TIMES: Final = ("time", "second", "seconds", "timestamp", "t", "time_sec")
_COORDINATES: Final = 4


def rewrite(text: str) -> tuple[str, list[str]]:
    """Return a text whose boxes are `T seconds: [x1, y1, x2, y2]`, and the styles it had."""
    listed = _from_json(text)
    if listed:
        return listed, [times.JSON if "{" in text else BOX_STYLE]
    applied: dict[str, None] = {}
    text = times.plain_width(text, applied)
    text = _noted(text, _CORNERS.sub(r"[\1, \2, \3, \4]", text), applied)
    changed = _COMMA.sub(r"\1.\2", text)
    if changed != text:
        text = changed
        applied[times.DECIMAL_COMMAS] = None
    if _FRAME.search(text):
        return text, list(applied)
    for found in _TIMED.finditer(text):
        applied |= dict.fromkeys(_styles(found))
    if applied:
        text = _TIMED.sub(_written, text)
    if not _TIMED.search(text) and not any(map(str.isdigit, _BARE.sub("", text))):
        text = _noted(text, _BARE.sub(_untimed, text), applied)
    return text, list(applied)


def _styles(found: re.Match[str]) -> list[str]:
    named = [times.CLOCK_TIMES] if ":" in found["time"] else []
    head = found[0][len(found["time"]) :]
    plain = _PLAIN.match(head.lstrip()) and head[:1].isspace() and found["close"]
    if not plain or head.count(",") != _COORDINATES - 1 or "seconds" not in head:
        named.append(BOX_STYLE)
    return named


def _written(found: re.Match[str]) -> str:
    if not _styles(found) or bool(found["open"]) != bool(found["close"]):
        return found[0]
    values = ", ".join(found.group(3, 4, 5, 6))
    return f"{times.seconds(found['time'])} seconds: [{values}]"


def _untimed(found: re.Match[str]) -> str:
    values = [_whole(value) for value in found.groups()]
    return found[0] if None in values else f"[[{', '.join(map(str, values))}]]"


def _whole(value: str) -> str | None:
    """Return a number without a fraction as an integer, which alone is read in `[[…]]`."""
    whole, _, fraction = value.partition(".")
    return whole if whole.isdigit() and not fraction.strip("0") else None


def _from_json(text: str) -> str:
    """Return the boxes of a JSON text as they are read; empty where it is not JSON, or cut off."""
    timed, untimed = [], []
    for item in times.items_of(text):
        if isinstance(item, list):
            untimed.append(_untimed_box(_numbers(item)))
            continue
        if not isinstance(item, dict):
            return ""
        fields = {str(name).lower(): value for name, value in item.items()}
        box = times.first_of(fields, _BOXES)
        if box is None:
            for name, value in fields.items():
                timed.append(_timed(name, value))
        elif (time := times.first_of(fields, _TIMES)) is not None:
            timed.append(_timed(str(time), box))
        elif "frame" in fields or not (numbers := _numbers(box)):
            return ""
        else:
            untimed.append(_untimed_box(numbers))
    found = timed or untimed
    return "" if not all(found) or (timed and untimed) else " ".join(found)


def _timed(name: str, value: object) -> str:
    time, numbers = _CLOCK.fullmatch(name.strip()), _numbers(value)
    return f"{times.seconds(time[1])} seconds: [{', '.join(numbers)}]" if time and numbers else ""


_CLOCK: Final = re.compile(rf"({TIME}){_UNIT}?", re.IGNORECASE)


def _untimed_box(numbers: list[str]) -> str:
    values = [_whole(value) for value in numbers]
    return "" if not values or None in values else f"[[{', '.join(map(str, values))}]]"


def _numbers(value: object) -> list[str]:
    if not isinstance(value, list) or len(value) != _COORDINATES:
        return []
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in value):
        return []
    return [str(v) for v in value]


def _noted(text: str, changed: str, applied: dict[str, None]) -> str:
    if changed != text:
        applied[BOX_STYLE] = None
    return changed
