"""JSON Lines: the same records as in an array, whatever surrounds them; no line hides another."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.benchmark import scanning
from medvid.benchmark.decoding import (
    GROUND_TRUTH_LIMITS,
    SUBMISSION_LIMITS,
    UNDECODABLE,
    Limits,
    RefusedFile,
    decode,
)
from medvid.benchmark.report import Problem, Problems
from medvid.benchmark.tasks import Task
from medvid.benchmark.test_set import TestItem, TestSet
from medvid.benchmark.validation import check_format, validate_submission
from tests.depth import examples

exact = settings(deadline=None, derandomize=True, max_examples=examples(150))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)
RECORDS = st.fixed_dictionaries(
    {"id": TEXT, "qa_type": st.sampled_from(["tal", "stg", "x"]), "prediction": TEXT | st.none()},
    optional={"question": TEXT},
)
BREAKS = st.sampled_from(["\n", "\r\n", "\n\n", "\n \t\r\n"])
SAMPLES = TestSet(tuple(TestItem(n, "v", Task.TAL, "") for n in range(4)))
GOOD = '{"id":"v","qa_type":"tal","prediction":"1-2"}'


def elements(data: bytes, limits: Limits = SUBMISSION_LIMITS) -> tuple[list[object], list[Problem]]:
    problems = Problems()
    try:
        values = [element.value for element in decode(data, limits).elements(problems)]
    except RefusedFile as refused:
        return [], [refused.problem]
    return values, problems.first


def codes(data: bytes, limits: Limits = SUBMISSION_LIMITS) -> list[str]:
    return [str(problem.code) for problem in elements(data, limits)[1]]


def joined(lines: list[str], breaks: list[str], *, end: bool = True) -> bytes:
    pairs = zip(lines, (breaks * len(lines))[: len(lines)], strict=False)
    text = "".join(line + between for line, between in pairs)
    return (text if end else text.rstrip()).encode()


@exact
@given(
    st.lists(OBJECTS, min_size=2, max_size=6),
    st.lists(BREAKS, min_size=1, max_size=3),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1, 7, 64, 1 << 18]),
)
def test_lines_split_as_reading_them_one_by_one_does(
    records: list[dict[str, Any]], breaks: list[str], end: bool, ascii_only: bool, block: int
) -> None:
    data = joined([json.dumps(r, ensure_ascii=ascii_only) for r in records], breaks, end=end)
    before, scanning.BLOCK_BYTES = scanning.BLOCK_BYTES, block
    try:
        values, problems = elements(data)
    finally:
        scanning.BLOCK_BYTES = before
    assert problems == []
    assert values == [json.loads(line) for line in data.split(b"\n") if line.strip()]


@exact
@given(st.lists(RECORDS, min_size=2, max_size=6), st.lists(BREAKS, min_size=1, max_size=3))
def test_lines_and_an_array_of_the_same_records_give_the_same_report(
    records: list[dict[str, Any]], breaks: list[str]
) -> None:
    array = json.dumps(records).encode()
    lines = b"\xef\xbb\xbf" + joined([json.dumps(record) for record in records], breaks)
    for one in (array, lines):
        for other in (array, lines):
            assert validate_submission(one, SAMPLES, minimum_records=0) == validate_submission(
                other, SAMPLES, minimum_records=0
            )
    assert check_format(lines) == check_format(array)


@exact
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=2, max_size=6))
def test_a_broken_line_hides_no_other(lines: list[tuple[bool, int]]) -> None:
    texts = [GOOD if good else GOOD[:cut] for good, cut in lines]
    if not any(good for good, _ in lines[:2]):
        texts = [GOOD, *texts]
    values, problems = elements(joined(texts, ["\n"]))
    assert [value is not UNDECODABLE for value in values] == [text == GOOD for text in texts]
    broken = [number for number, text in enumerate(texts, 1) if text != GOOD]
    assert sum(problem.count for problem in problems) == len(broken)
    if broken:
        (problem,) = problems
        assert f"line {broken[0]}, " in problem.found
        assert problem.places == tuple(f"$[{number - 1}]" for number in broken[:3])


@exact
@given(st.binary(max_size=60) | st.text('[]{}",:\\u 1eaN\n', max_size=60).map(str.encode))
def test_nothing_but_refused_is_ever_raised(data: bytes) -> None:
    elements(b'{"a":1}\n' + data)
    elements(data + b'\n{"a":1}')


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (f"{GOOD}\n{GOOD}{GOOD}\n", "invalid_json"),
        (f"{GOOD}\nnope\n", "invalid_json"),
        (f"Loading the model\n{GOOD}\n", "invalid_json"),
        (f"{GOOD}\n[1", "invalid_json"),
        (f'{GOOD}\n{{"a":NaN}}\n', "non_finite_number"),
        (f'{GOOD}\n{{"a":1,"a":2}}\n', "duplicate_key"),
        (f'{GOOD}\n{{"a":"\\ud800"}}\n', "lone_surrogate"),
        (f'{GOOD}\n{{"a":"b\\\n{GOOD}', "invalid_json"),
        (f'{{\n"a":1}}\n{GOOD}', "trailing_data"),
        (f"[{GOOD}]\n{GOOD}\n", "trailing_data"),
        (f"[{GOOD}]\n[{GOOD}]\n", "trailing_data"),
    ],
)
def test_malformed_lines_are_named(data: str, expected: str) -> None:
    assert codes(data.encode()) == [expected]


def test_limits_are_those_of_the_same_records_in_an_array() -> None:
    deep = '{"a":' + "[" * 18 + "]" * 18 + "}"
    deeper = '{"a":' + "[" * 19 + "]" * 19 + "}"
    for text, expected in ((deep, []), (deeper, ["nested_too_deep"])):
        assert codes(f"[{text},{text}]".encode()) == expected
        assert codes(f"{text}\n{text}".encode()) == expected
    assert codes(b'{"a":1}\n' * 50_000) == []
    assert codes(b'{"a":1}\n' * 50_001) == ["too_many_records"]
    assert codes(b'{"a":1,"b":2}\n' * 3, Limits(keys=5)) == ["too_many_keys"]
    long = b'{"a":"' + b"x" * (1 << 20) + b'"}'
    assert codes(b'{"a":1}\n' + long) == ["record_too_large"]
    assert codes(long + b"\n" + long, GROUND_TRUTH_LIMITS) == []


def test_many_blank_lines_cost_little() -> None:
    values, problems = elements(b'{"a":1}' + b"\n" * (8 << 20) + b'{"b":2}')
    assert (values, problems) == ([{"a": 1}, {"b": 2}], [])


@pytest.mark.parametrize("text", [GOOD, GOOD + "\n", ' {"id":"v"} ', '{"qa_type":"tal","m":[1]}'])
def test_an_object_with_an_id_or_qa_type_of_its_own_is_one_record(text: str) -> None:
    assert elements(text.encode()) == ([json.loads(text)], [])


@pytest.mark.parametrize(
    "text", [f'{{"0":{GOOD}}}', f'{{"id":"run","predictions":[{GOOD}]}}', '{"id":{"id":"v"}}']
)
def test_other_objects_hold_records(text: str) -> None:
    assert elements(text.encode())[0] == list(json.loads(text).values())


def test_lines_are_numbered_through_blocks() -> None:
    lines = [GOOD] * 20_000
    lines[15_000] = "{"
    (problem,) = elements("\n".join(lines).encode())[1]
    assert "line 15,001, " in problem.found


def test_pairs_of_offsets_do_not_overlap() -> None:
    layout = decode(f"{GOOD}\n\n{GOOD}\n".encode(), SUBMISSION_LIMITS).layout
    bounds = list(zip(layout.starts, layout.ends, strict=True))
    assert all(one[1] <= other[0] for one, other in pairwise(bounds))
