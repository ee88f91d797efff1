"""One test a sentence of SPEC 2 on text, each with the case that would break it."""

from __future__ import annotations

import math

import pytest

from medvid.benchmark.parsing.cvs import parse_components
from medvid.benchmark.parsing.dvc import parse_captions
from medvid.benchmark.parsing.sa import parse_aspects
from medvid.benchmark.parsing.stg import parse_boxes
from medvid.benchmark.parsing.tal import parse_segments

ENDLESS = "9" * 5000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1-2", [(1, 2)]),
        ("1\xa0-\u20093", [(1, 3)]),
        ("1\x1c-\x853", [(1, 3)]),
        ("1-2-3-4", [(1, 2), (3, 4)]),
        ("1.2.3-4.5.6", [(2.3, 4.5)]),
        ("12-3 99-100", [(12, 3), (99, 100)]),
        ("1.-3", []),
        ("1\u20133", []),
        ("\u22121-3", [(1, 3)]),
        ("1 to 2 - 3", [(2, 3)]),
        ("1.004 to 2.996", [(1.0, 3.0)]),
        ("1-1.004", [(1, 1.004)]),
        ("1s TO 3 seconds", [(1, 3)]),
        ("1 SECOND to 3", [(1, 3)]),
        ("1  seconds to 3", []),
        ("1seconds to 3", []),
        ("1to3", [(1, 3)]),
        ("00:00:01 to 0:1:5", [(1, 0), (1, 65)]),
        ("1:2:3to4:5:6", [(3, 4)]),
        ("1:00:00\nTO\n2:00:00", [(0, 2), (3600, 7200)]),
        ("1:2:3 to 4:5:6 and 7 to 8", [(3, 4), (7, 8), (3723, 14706)]),
    ],
)
def test_tal_forms(text: str, expected: list[tuple[float, float]]) -> None:
    assert parse_segments(text) == expected


def test_a_non_finite_segment_is_listed_and_shuts_out_the_to_forms() -> None:
    (segment,) = parse_segments(f"{ENDLESS}-1 then 5 to 6")
    assert not segment.is_finite


def test_a_clock_of_endless_digits_is_not_finite() -> None:
    segments = parse_segments(f"{ENDLESS}:1:1 to 1:1:1")
    assert [segment.is_finite for segment in segments] == [True, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 seconds: [1,2,3,4]", {"1.0": (1, 2, 3, 4)}),
        ("1.50\nseconds:\n[1, 2,\n3,4]", {"1.5": (1, 2, 3, 4)}),
        ("1seconds: [1,2,3,4]", None),
        ("1 second: [1,2,3,4]", None),
        ("1 Seconds: [1,2,3,4]", None),
        ("1 seconds : [1,2,3,4]", None),
        ("1 seconds: [[[1,2,3,4]]]", {"1.0": (1, 2, 3, 4)}),
        ("1 seconds: [1,2,[3,4]", {"1.0": (1, 2, 3, 4)}),
        ("1 seconds: [x] 2 seconds: [1,2,3,4]", {"2.0": (1, 2, 3, 4)}),
        ("1 seconds: [1,2,3,4] 2 seconds: [ ]", {"1.0": (1, 2, 3, 4), "2.0": (1, 2, 3, 4)}),
        ("1 seconds: [1,2,3,4] 2 seconds: []", {"1.0": (1, 2, 3, 4)}),
        (
            "1 seconds: [1,2,3,4] 2 seconds: [5,6,7,8] 1 seconds: []",
            {"1.0": (1, 2, 3, 4), "2.0": (5, 6, 7, 8)},
        ),
        ("1 seconds: [] 2 seconds: [x]", {}),
        ("1 seconds: []", None),
        ("1 seconds: [1_0, +5, \x1c3 , \uff14]", {"1.0": (10, 5, 3, 4)}),
        ("1 seconds: [1,2,3,infinity] 2 seconds: [1,2,3,1__0]", {}),
        ("1 seconds: [1,2,3,inf]", {}),
        (f"1 seconds: [1,2,3,{ENDLESS}]", {}),
        ("1 seconds: [٣,2,3,1e1]", {"1.0": (3, 2, 3, 10)}),
        ("1 seconds: [1,2,3,4\x00]", {}),
        ("1 seconds: [1,2,3,4] 1.0 seconds: [5,6,7,8]", {"1.0": (5, 6, 7, 8)}),
        ("1 seconds: [1 seconds: [1,2,3,4]", {}),
    ],
)
def test_stg_timed_forms(text: str, expected: dict[str, tuple[float, ...]] | None) -> None:
    found = parse_boxes(text)
    assert found.timed == (expected is not None)
    assert found.by_time == (expected or {})


def test_strict_boxes_are_not_replaced() -> None:
    found = parse_boxes("1 seconds: [1,2,3,4] 2 seconds: [bad] 1 seconds: [bad]")
    assert found.valid_by_time == {"1.0": (1, 2, 3, 4)}
    assert found.by_time == {"1.0": (1, 2, 3, 4), "2.0": (1, 2, 3, 4)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[1,2,3,4]] [[ 5 ,\n6,7,8 ]]", [(1, 2, 3, 4), (5, 6, 7, 8)]),
        ("[[1,2,3]] [[1,2,3,4]]", [(1, 2, 3, 4)]),
        ("[[1 2,3,4,5]]", []),
        ("[[1.5,2,3,4]] [[-1,2,3,4]] [1,2,3,4]", []),
        ("[[[1,2,3,4]]]", [(1, 2, 3, 4)]),
        (f"[[1,2,3,{ENDLESS}]]", []),
        ("1 seconds: [[1,2,3,4]] [[5,6,7,8]]", []),
        ("1 seconds: [] [[5,6,7,8]]", [(5, 6, 7, 8)]),
        ("[[\x1f1\u2028,2,3,\x0b٤]]", [(1, 2, 3, 4)]),
        ("[[1,2,3,4,]] [[+1,2,3,4]] [[1_0,2,3,4]]", []),
    ],
)
def test_stg_untimed_forms(text: str, expected: list[tuple[float, ...]]) -> None:
    assert list(parse_boxes(text).untimed) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1-3 seconds: a.", [(1, 3, "a.")]),
        ("x 1-3\nsecond:\n\n a\nb \n", [(1, 3, "a b")]),
        ("1-3 seconds:\n4-5 seconds: x", [(1, 3, "4-5 seconds: x")]),
        ("1-3 seconds: a\n4-5 seconds:b", [(1, 3, "a")]),
        ("1-3 seconds: a\n4-5 seconds:", [(1, 3, "a")]),
        ("1-3 seconds: a\n4-5 seconds:b 6-7 seconds: c", [(1, 3, "a"), (6, 7, "c")]),
        ("1-3 seconds: a\n 4-5 seconds: b", [(1, 3, "a  4-5 seconds: b")]),
        ("1-3 seconds: a 4-5 seconds: b", [(1, 3, "a 4-5 seconds: b")]),
        ("1-3 seconds: a\n1-3 seconds: b\n1.0-3.0 seconds: c", [(1, 3, "a")]),
        ("1-3 seconds: ", [(1, 3, "")]),
        ("1-3 seconds:", []),
        ("1-3 seconds:\n", [(1, 3, "")]),
        ("1-3 seconds: a\n4-5 seconds:\x0c", [(1, 3, "a"), (4, 5, "")]),
        ("1-3 seconds:\n\n4-5 seconds:\n6-7 seconds:", [(1, 3, "4-5 seconds:")]),
        ("1 -3 seconds: a", []),
        ("1-3seconds: a", []),
        ("1-3 Seconds: a", []),
        ("1-3 seconds:\xa0a", [(1, 3, "a")]),
        ("1-3 seconds: a\r\n4-5 seconds: b", [(1, 3, "a"), (4, 5, "b")]),
        ("1-3 seconds: a\u20284-5 seconds: b", [(1, 3, "a\u20284-5 seconds: b")]),
        ("1-3 seconds: a\r4-5 seconds: b", [(1, 3, "a\r4-5 seconds: b")]),
        ("1-3 seconds: \x00", [(1, 3, "\x00")]),
        (f"{ENDLESS}-3 seconds: a\n4-5 seconds: b", [(4, 5, "b")]),
    ],
)
def test_dvc_standard_form(text: str, expected: list[tuple[float, float, str]]) -> None:
    assert parse_captions(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 - 3 seconds - a - b..", [(1, 3, "a - b")]),
        ("  1.\u20133 seconds- a", [(1, 3, "a")]),
        ("1-3 seconds - a\n4-5 second x **Description:** b.", [(1, 3, "a"), (4, 5, "b")]),
        ("Start (Time) 1 - 3 seconds - a", [(1, 3, "a")]),
        ("StartTime 1 - 3 seconds - a", [(1, 3, "a")]),
        ("Start\xa0(Time 1 - 3 seconds - a", [(1, 3, "a")]),
        ("Start Time) 1 - 3 seconds - a", [(1, 3, "a")]),
        ("so: Time Range: 1 - 3 seconds - a", [(1, 3, "a")]),
        ("so: 1 - 3 seconds - a", []),
        ("Start Time: 1 - 3 seconds - a", []),
        ("1 - 3 seconds a", []),
        ("1 - 3 seconds Time Range: 4 - 5 seconds", [(1, 3, "5 seconds")]),
        ("1 - 3 seconds: a - b", [(1, 3, "b")]),
        ("1 - 3 seconds \u2013 a", []),
        ("1 - 3 seconds **Description:** a - b", [(1, 3, "a - b")]),
        ("1 - 3 seconds - a .", [(1, 3, "a ")]),
        ("1 - 3 seconds -", []),
        ("1 - 3 seconds - ", []),
        ("1 - 3 seconds **Description:** \n\n", []),
        ("1 - 3 seconds -\n4 - 5 seconds - a", [(4, 5, "a")]),
        ("1 - 3 seconds - \n4 - 5 seconds - a", [(1, 3, ""), (4, 5, "a")]),
        ("1 - 3 seconds -\r\n4 - 5 seconds -\u2028a\x85", [(1, 3, ""), (4, 5, "a")]),
        ("1 - 3 seconds -.", [(1, 3, "")]),
        ("1 - 3 seconds - a\n1 - 3 seconds - b", [(1, 3, "a"), (1, 3, "b")]),
        (
            "1 - 3 seconds - a Time Range: 4 - 5 seconds - b",
            [(1, 3, "a Time Range: 4 - 5 seconds - b")],
        ),
        ("1 - 3 seconds - a\x0b4 - 5 seconds - b", [(1, 3, "a\x0b4 - 5 seconds - b")]),
        ("Event 1 Time  Range: 1 - 3 seconds - a", [(1, 3, "a")]),
        ("TimeInterval:1-3second-a", [(1, 3, "a")]),
        ("Time\x0c\xa0Interval: 1 - 3 seconds - a", [(1, 3, "a")]),
        ("Time Range : 1 - 3 seconds - a", []),
        ("time range: 1 - 3 seconds - a", []),
        ("**start time:** 1 - 3 seconds - a", []),
        ("1 - 3 Seconds - a", []),
        ("Time Range: about 1 - 3 seconds - a", []),
        (f"1 - {ENDLESS} seconds - a\n1 - 3 seconds - b", [(1, 3, "b")]),
    ],
)
def test_dvc_free_form(text: str, expected: list[tuple[float, float, str]]) -> None:
    assert parse_captions(text) == expected


def test_the_free_form_is_read_only_without_a_standard_segment() -> None:
    assert parse_captions("1 - 3 seconds - a\n4-5 seconds: b") == [(4, 5, "b")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Two structures: 2, CYSTIC PLATE:\xa01", {"two_structures": 2, "cystic_plate": 1}),
        ("cystic plate: 1 two structures: 2", {"two_structures": 2}),
        ("cystic plate: 1 two structures", {}),
        ("two structure: 1", {}),
        ("The two structures are seen. Two structure: 2", {"two_structures": 2}),
        ("two structure: 1 two structures: 2", {"two_structures": 1}),
        ("two structure: 1 cystic plate: 2", {"cystic_plate": 2}),
        ("two structures: 1234567890 two structures: 1", {}),
        ("cystic plate: 1, cystic plate: 1234567890", {"cystic_plate": 1}),
        ("two structures: -1", {}),
        ("two structures : 1", {}),
        ("two structures: two structures: 1", {"two_structures": 1}),
        ("cystic plate: 1, cystic plate: 2", {"cystic_plate": 2}),
        ("cystic plate: 1, cystic plate: x", {"cystic_plate": 1}),
        ("cystic plate: 999999999", {"cystic_plate": 999999999}),
        ("cystic plate: 0000000001", {}),
        (f"cystic plate: {ENDLESS}", {}),
        ("cystic plate: ٢", {"cystic_plate": 2}),
        ("cystic plate: ²", {}),
        ("cystic\xa0plate: 2", {}),
    ],
)
def test_cvs_scores(text: str, expected: dict[str, int]) -> None:
    assert parse_components(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1/5, b:\n2/5", [("a", 1), ("b", 2)]),
        ("x: a : 1/5 b: 2/5", [("a", 1)]),
        ("a 1/5", []),
        (": 1/5", []),
        ("a: -1/5", []),
        ("a: 1 /5", []),
        ("a: 1/55", [("a", 1)]),
        ("a: 1/4 b: 3/5", [("1/4 b", 3)]),
        ("a: ٣/5", [("a", 3)]),
        ("a: 3/\u0665", []),
        (f"a: {ENDLESS}/5, b: 1234567890/5, c: 123456789/5", [("c", 123456789)]),
        ("a: 1/5, a: 2/5", [("a", 1), ("a", 2)]),
        (" : 1/5", []),
        (" :3/5:Respect for tissue: 4/5", [("Respect for tissue", 4)]),
        ("a: 1/4,\x1f:3/5:\xa0b :\u30004/5", [("b", 4)]),
        ("a: :3/5:b: 4/5", [("", 3)]),
        ("a: 1/5, a: 1234567890/5 b: 2/5", [("a", 1)]),
    ],
)
def test_sa_scores(text: str, expected: list[tuple[str, int]]) -> None:
    assert parse_aspects(text) == expected


def test_nothing_parsed_is_infinite_where_infinity_is_invalid() -> None:
    for segment in parse_captions(f"1-{ENDLESS} seconds: a\n1-2 seconds: b"):
        assert math.isfinite(segment.start)
        assert math.isfinite(segment.end)
