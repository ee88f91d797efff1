"""Every parser equals a plain `re` reading of SPEC 2, on wild but short texts.

The references below are written for clarity: they backtrack, so texts must stay short.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.benchmark.parsing.cvs import parse_components
from medvid.benchmark.parsing.dvc import parse_captions
from medvid.benchmark.parsing.sa import parse_aspects
from medvid.benchmark.parsing.stg import parse_boxes
from medvid.benchmark.parsing.tal import parse_segments
from tests.depth import examples

NUMBER = r"(\d+(?:\.\d+)?)"
WHITE = [" ", "  ", "\n", "\n\n", "\t", "\v", "\f", "\r\n", "\xa0", "\x1c", "\x1f", "\x85",
         "\u2028", "\u3000"]  # fmt: skip
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


@settings(max_examples=examples(400), deadline=None)
@given(TAL)
def test_tal(text: str) -> None:
    found = [[null(start), null(end)] for start, end in parse_segments(text)]
    assert found == reference_tal(text)


def reference_stg(text: str) -> tuple[bool, dict[str, list[float]], list[list[float]]]:
    timed, boxes = False, {}
    last: list[float] | None = None
    for time, inside in re.findall(rf"{NUMBER}\s+seconds:\s*\[([^\]]+)\]", text):
        timed = True
        if math.isfinite(float(time)):
            last = (
                four([part.strip().lstrip("[").rstrip("]") for part in inside.split(",")]) or last
            )
            if last:
                boxes[str(float(time))] = last
    bare = re.findall(r"\[\[([\d\s,]+)\]\]", text)
    listed = [four([part.strip() for part in inside.split(",")]) for inside in bare]
    return timed, boxes, [] if timed else [box for box in listed if box]


def four(parts: list[str]) -> list[float] | None:
    try:
        box = [float(part) for part in parts]
    except ValueError:
        return None
    return box if len(box) == 4 and all(map(math.isfinite, box)) else None


STG = texts("1 seconds: [", "1,2,3,4", " seconds: ", "seconds:", "[1,2,3,4]", "]", "[[1,2,3,4]]",
            "nan", "inf", "Infinity", "1e3", "-1", "+5", "1_0", "_", ",", "[]", "1 seconds: []",
            "[ ]")  # fmt: skip


@settings(max_examples=examples(400), deadline=None)
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
        return finite(reference_dvc_free_form(text))
    distinct: dict[tuple[float, float], tuple[float, float, str]] = {}
    for start, end, caption in found:
        distinct.setdefault((start, end), (start, end, caption))
    return finite(distinct.values())


def reference_dvc_free_form(text: str) -> list[tuple[float, float, str]]:
    label = "|".join([
        r"\*\*Start Time:\*\*",
        r"Start\s*\(?Time\)?",
        r"Time\s*Range:",
        r"Time\s*Interval:",
        r"\A",
    ])  # fmt: skip
    number = r"\d+\.?\d*"
    times = rf"\s*({number})\s*[-\u2013]\s*({number})\s*seconds?"
    line_form = re.compile(rf"(?:{label}){times}(?:.*?)(?:\*\*Description:\*\*|-)(.+)\Z", re.DOTALL)
    matches = [line_form.search(line) for line in text.strip().split("\n")]
    return [
        (float(match[1]), float(match[2]), match[3].strip().rstrip("."))
        for match in matches
        if match
    ]


def finite(
    segments: Iterable[tuple[float, float, str]],
) -> list[tuple[float, float, str]]:
    return [one for one in segments if math.isfinite(one[0]) and math.isfinite(one[1])]


DVC = texts("1-2 seconds: ", "3-4 second:", "\n5-6 seconds:", " seconds", "seconds:", "second",
            "1 - 2 seconds", "- ", "**Description:**", "**Start Time:**", "Start", "Time", "(Time)",
            "Time Range:", "Time Interval:", "Range:", "cut.", "...")  # fmt: skip
FREE = texts("1 - 2 seconds - a", "1 - 2 seconds", "3 \u2013 4.second", "\n", "\n", " - ", "-",
             "**Description:**", "**Start Time:**", "Start", "Time", " Time)", "Time Range:",
             "Time\xa0Interval:", "range:", "cut.", "...")  # fmt: skip


@settings(max_examples=examples(800), deadline=None)
@given(DVC)
def test_dvc(text: str) -> None:
    assert [tuple(segment) for segment in parse_captions(text)] == reference_dvc(text)


@settings(max_examples=examples(800), deadline=None)
@given(FREE)
def test_dvc_free_form(text: str) -> None:
    assert [tuple(segment) for segment in parse_captions(text)] == reference_dvc(text)


def reference_cvs(text: str) -> dict[str, int]:
    spellings = {
        "two structures": "(?:two structures|two structure)",
        "cystic plate": "cystic plate",
        "hepatocystic triangle": "hepatocystic triangle",
    }
    scores = {}
    for part in text.split(","):
        part = part.lower()
        name = next((name for name in spellings if name in part), None)
        match = re.search(rf"{spellings[name]}:\s*(\d+)", part) if name else None
        if name and match and len(match[1]) <= 9:
            scores[name.replace(" ", "_")] = int(match[1])
    return scores


CVS = texts("Two structures:", "two structures: 2", "two structure: 1", "two structures",
            "cystic plate: ", "Hepatocystic triangle: 0", "hepatocystic triangle", "-1", ", ",
            "İ")  # fmt: skip


@settings(max_examples=examples(400), deadline=None)
@given(CVS)
def test_cvs(text: str) -> None:
    assert parse_components(text) == reference_cvs(text)


def reference_sa(text: str) -> list[tuple[str, int]]:
    found = []
    for part in text.split(","):
        match = re.search(r"([^:]+):\s*(\d+)/5", part.strip())
        if match and len(match[2]) <= 9:
            found.append((match[1].strip(), int(match[2])))
    return found


SA = texts("Respect for tissue:", "Time and motion: 3/5", "2/5", "/5", "/50", ": ", ", ", ":")


@settings(max_examples=examples(400), deadline=None)
@given(SA)
def test_sa(text: str) -> None:
    assert parse_aspects(text) == reference_sa(text)


@settings(max_examples=examples(200), deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_no_parser_ever_raises_not_even_on_lone_surrogates(text: str) -> None:
    for parse in (parse_segments, parse_boxes, parse_captions, parse_components, parse_aspects):
        parse(text)
        parse(f"1-2 seconds: {text}")
        parse(f"1 seconds: [{text}]")
        parse(f"two structures: {text}")
        parse(f"{text}: 1/5")
