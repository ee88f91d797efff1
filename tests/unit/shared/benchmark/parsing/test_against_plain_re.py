"""Every parser equals a plain `re` reading of SPEC 2, on wild but short texts.

The references below are written for clarity: they backtrack, so texts must stay short.
"""

from __future__ import annotations

import math
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.benchmark.parsing.cvs import parse_components
from shared.benchmark.parsing.dvc import parse_captions
from shared.benchmark.parsing.sa import parse_aspects
from shared.benchmark.parsing.stg import parse_boxes
from shared.benchmark.parsing.tal import parse_segments

NUMBER = r"(\d+(?:\.\d+)?)"
WHITE = [" ", "  ", "\n", "\t", "\r\n", "\xa0", "\x1c", "\x1f", "\x85", "\u2028", "\u3000"]
NUMBERS = ["0", "1", "2", "30", "1.5", "9.", ".5", "٣", "०१", "\uff11", "1234567890", "9" * 400]
MARKS = [*"-\u2013.:,[]()/*_\x00", "[[", "]]", "--", "::", "²", "Ⅷ"]


def texts(*words: str) -> st.SearchStrategy[str]:
    """Return texts made of the parser's own words, numbers, white space and anything else."""
    pieces = st.one_of(
        st.sampled_from(words),
        st.sampled_from(words + tuple(NUMBERS)),
        st.sampled_from(NUMBERS + WHITE + MARKS),
        st.sampled_from(["-", " ", "1", "2"]),
        st.characters(exclude_categories=["Cs"]),
    )
    return st.lists(pieces, max_size=24).map("".join)


def null(value: float) -> float | None:
    return value if math.isfinite(value) else None


def reference_tal(text: str) -> list[Any]:
    found = [(float(a), float(b)) for a, b in re.findall(rf"{NUMBER}\s*-\s*{NUMBER}", text)]
    if not found:
        unit = "(?:s| second| seconds)?"
        worded = re.compile(rf"{NUMBER}{unit}\s*to\s*{NUMBER}{unit}", re.IGNORECASE)
        found = [(round(float(a), 2), round(float(b), 2)) for a, b in worded.findall(text)]
        clock = r"(\d+):(\d+):(\d+)"
        for groups in re.findall(rf"{clock}\s+to\s+{clock}", text, re.IGNORECASE):
            h1, m1, s1, h2, m2, s2 = map(float, groups)
            found.append((h1 * 3600 + m1 * 60 + s1, h2 * 3600 + m2 * 60 + s2))
    return [[null(a), null(b)] for a, b in found]


TAL = texts("1-2", "3 - 4.5", "to", "TO", " to ", "s", " second", " seconds", "00:01:02", ":",
            "\u017f")  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(TAL)
def test_tal(text: str) -> None:
    found = [[null(start), null(end)] for start, end in parse_segments(text)]
    assert found == reference_tal(text)


def reference_stg(text: str) -> tuple[bool, dict[str, list[float]], list[list[float]]]:
    timed, boxes = False, {}
    last: list[float] | None = None
    for time, inside in re.findall(rf"{NUMBER}\s+seconds:\s*\[([^\]]*)\]", text):
        timed = True
        if math.isfinite(float(time)):
            last = (
                four([part.strip().lstrip("[").rstrip("]") for part in inside.split(",")]) or last
            )
            if last:
                boxes[str(float(time))] = last
    listed = [four(inside.split(",")) for inside in re.findall(r"\[\[([\d\s,]+)\]\]", text)]
    return timed, boxes, [] if timed else [box for box in listed if box]


def four(parts: list[str]) -> list[float] | None:
    try:
        box = [float(part) for part in parts]
    except ValueError:
        return None
    return box if len(box) == 4 and all(map(math.isfinite, box)) else None


STG = texts("1 seconds: [", "1,2,3,4", " seconds: ", "seconds:", "[1,2,3,4]", "]", "[[1,2,3,4]]",
            "nan", "inf", "1e3", "-1", "1_0", ",")  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(STG)
def test_stg(text: str) -> None:
    timed, boxes, listed = reference_stg(text)
    found = parse_boxes(text)
    assert found.timed == timed
    assert {key: list(box) for key, box in found.by_time.items()} == boxes
    assert list(found.by_time) == list(boxes)
    assert [list(box) for box in found.untimed] == listed
    for box in [*found.by_time.values(), *found.valid_by_time.values(), *found.untimed]:
        assert all(map(math.isfinite, box))


def reference_dvc(text: str) -> list[tuple[float, float, str]]:
    header = rf"{NUMBER}-{NUMBER}\s+seconds?:"
    plain = header.replace("(\\d", "(?:\\d")
    standard = re.compile(rf"{header}\s+(.*?)(?=\n{plain}|\Z)", re.DOTALL)
    found = [
        (float(a), float(b), caption.strip().replace("\n", " "))
        for a, b, caption in standard.findall(text)
    ]
    if not found:
        number = r"(\d+\.?\d*)"
        free = re.compile(
            r"(?:\*\*Start Time:\*\*|Start\s*\(?Time\)?|Time Range:|Time Interval:|^)"
            rf"\s*{number}\s*[-\u2013]\s*{number}\s*seconds?.*?(?:\*\*Description:\*\*|-)(.*)",
            re.DOTALL,
        )
        for line in text.split("\n"):
            match = free.search(line)
            if match:
                a, b, caption = match.groups()
                found.append((float(a), float(b), caption.strip().rstrip(".")))
    distinct: dict[tuple[float, float], tuple[float, float, str]] = {}
    for start, end, caption in found:
        if math.isfinite(start) and math.isfinite(end):
            distinct.setdefault((start, end), (start, end, caption))
    return list(distinct.values())


DVC = texts("1-2 seconds: ", "3-4 second:", "\n5-6 seconds:", " seconds", "seconds:", "second",
            "1 - 2 seconds", "- ", "**Description:**", "**Start Time:**", "Start", "Time", "(Time)",
            "Time Range:", "Time Interval:", "cut.", "...")  # fmt: skip


@settings(max_examples=800, deadline=None)
@given(DVC)
def test_dvc(text: str) -> None:
    assert [tuple(segment) for segment in parse_captions(text)] == reference_dvc(text)


def reference_cvs(text: str) -> dict[str, int]:
    scores = {}
    for part in text.split(","):
        part = part.lower()
        for name in ("two structures", "cystic plate", "hepatocystic triangle"):
            if name in part:
                match = re.search(rf"{name}:\s*(\d+)", part)
                if match and len(match[1]) <= 9:
                    scores[name.replace(" ", "_")] = int(match[1])
                break
    return scores


CVS = texts("Two structures:", "two structures: 2", "two structure: 1", "cystic plate: ",
            "Hepatocystic triangle: 0", "hepatocystic triangle", "-1", ", ", "İ")  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(CVS)
def test_cvs(text: str) -> None:
    assert parse_components(text) == reference_cvs(text)


def reference_sa(text: str) -> list[tuple[str, int]]:
    found = []
    for part in text.split(","):
        match = re.search(r"([^:]+):\s*(\d+)/5", part)
        if match and len(match[2]) <= 9:
            found.append((match[1].strip(), int(match[2])))
    return found


SA = texts("Respect for tissue:", "Time and motion: 3/5", "2/5", "/5", "/50", ": ", ", ", ":")


@settings(max_examples=400, deadline=None)
@given(SA)
def test_sa(text: str) -> None:
    assert parse_aspects(text) == reference_sa(text)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_no_parser_ever_raises_not_even_on_lone_surrogates(text: str) -> None:
    for parse in (parse_segments, parse_boxes, parse_captions, parse_components, parse_aspects):
        parse(text)
        parse(f"1-2 seconds: {text}")
        parse(f"1 seconds: [{text}]")
        parse(f"two structures: {text}")
        parse(f"{text}: 1/5")
