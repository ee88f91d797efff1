"""Lines of batches: cut within limits, distinguished by name, read whatever comes back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.judging.batch_lines import BatchAnswers, LineKey, read_files, write_files
from medvid.judging.calls import Usage
from medvid.judging.prompt import Form
from tests.depth import examples

NOW: Final = datetime(2027, 1, 1, tzinfo=UTC)
FIRST: Final = LineKey(b"\x00" * 32, 0)
SECOND: Final = LineKey(b"\xff" * 32, 2)
ASKED: Final = {FIRST: "one text", SECOND: "another text"}


def answered(key: LineKey, content: str = "R2: 3") -> dict[str, Any]:
    choice = {"message": {"content": content}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 2}
    body = {"model": "m", "choices": [choice], "usage": usage}
    response = {"status_code": 200, "body": body}
    return {"custom_id": key.custom_id, "response": response, "error": None}


def refused(key: LineKey, status: int, message: str) -> dict[str, Any]:
    response = {"status_code": status, "body": {"error": {"message": message}}}
    return {"custom_id": key.custom_id, "response": response, "error": None}


def cut_off(key: LineKey, code: str) -> dict[str, Any]:
    error = {"code": code, "message": "This request could not be executed."}
    return {"custom_id": key.custom_id, "response": None, "error": error}


def read(*lines: object) -> BatchAnswers:
    content = b"\n".join(json.dumps(line).encode() for line in lines)
    return read_files([content], ASKED, Form.LINES, now=NOW)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 9))
@settings(max_examples=examples(200))
def test_a_name_leads_back_to_its_pair(pair: bytes, repeat: int) -> None:
    key = LineKey(pair, repeat)
    assert LineKey.of(key.custom_id) == key
    assert len(key.custom_id) <= 64


@pytest.mark.parametrize("name", [None, 7, "", ".", "x", "x.0", "ä.1", f"{'A' * 43}.-0"])
def test_other_names_lead_nowhere(name: object) -> None:
    assert LineKey.of(name) is None


@given(st.lists(st.integers(0, 200), max_size=20), st.integers(1, 5), st.integers(400, 700))
@settings(max_examples=examples(100))
def test_files_hold_every_line_once_and_keep_to_their_limits(
    sizes: list[int], most_lines: int, most_bytes: int
) -> None:
    requests = [(LineKey(bytes([n]) * 32, 0), {"text": "x" * size}) for n, size in enumerate(sizes)]
    files = list(write_files(requests, most_lines=most_lines, most_bytes=most_bytes))
    assert [key for file in files for key in file.keys] == [key for key, _ in requests]
    assert all(len(file.keys) <= most_lines and len(file.content) <= most_bytes for file in files)
    lines = [json.loads(line) for file in files for line in file.content.splitlines()]
    assert [(line["custom_id"], line["body"]) for line in lines] == [
        (key.custom_id, body) for key, body in requests
    ]


def test_a_line_above_the_limit_goes_alone() -> None:
    requests: list[tuple[LineKey, dict[str, Any]]] = [
        (FIRST, {"text": "x" * 500}), (SECOND, {}),
    ]  # fmt: skip
    assert [len(file.keys) for file in write_files(requests, most_bytes=300)] == [1, 1]


def test_an_answer_is_read_as_one_online() -> None:
    answers = read(answered(SECOND), answered(FIRST))
    assert answers.answered[FIRST].content == "R2: 3"
    assert answers.answered[FIRST].usage == Usage(10, 2)
    assert (answers.failed, answers.missing) == ({}, set())


@pytest.mark.parametrize("status", ["200", None])
def test_an_answer_counts_whose_status_is_a_text_or_left_out(status: str | None) -> None:
    line = answered(FIRST)
    line["response"]["status_code"] = status
    assert set(read(line).answered) == {FIRST}
    line = refused(FIRST, 503, "busy")
    line["response"]["status_code"] = "503"
    assert read(line).failed[FIRST].kind == "failing"


@given(st.lists(st.binary() | st.sampled_from([json.dumps(answered(FIRST)).encode()]), max_size=4))
@settings(max_examples=examples(100))
def test_no_file_can_break_its_reader(lines: list[bytes]) -> None:
    answers = read_files([b"\n".join(lines)], ASKED, Form.LINES, now=NOW)
    assert set(ASKED) == answers.missing | answers.answered.keys() | answers.failed.keys()


@pytest.mark.parametrize("depth", [500, 1_000, 100_000])
def test_a_line_that_is_nested_too_deeply_fails_alone(depth: int) -> None:
    line = json.dumps(answered(FIRST)).replace('"R2: 3"', "[" * depth + "]" * depth)
    content = f"{line}\n{json.dumps(answered(SECOND))}".encode()
    answers = read_files([content], ASKED, Form.LINES, now=NOW)
    assert set(answers.answered) >= {SECOND}


def test_lines_that_were_not_asked_or_are_lost_are_missing_and_cost_nothing() -> None:
    assert read(cut_off(FIRST, "batch_expired")).missing == {FIRST, SECOND}
    assert read(cut_off(FIRST, "batch_cancelled"), answered(SECOND)).missing == {FIRST}
    assert read().missing == {FIRST, SECOND}


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (503, "overloaded", "failing"),
        (429, "Rate limit reached: try again in 2s", "throttled"),
        (401, "Incorrect API key provided", "unusable"),
        (400, "maximum context length exceeded", "unfit"),
    ],
)
def test_a_failure_means_what_it_means_online(status: int, message: str, kind: str) -> None:
    answers = read(refused(FIRST, status, message), answered(SECOND))
    assert answers.failed[FIRST].kind == kind
    assert answers.missing == set()


def test_a_lines_own_error_is_a_failure() -> None:
    assert read(cut_off(FIRST, "server_error")).failed[FIRST].kind == "failing"


def test_a_line_with_nothing_may_have_been_billed() -> None:
    failure = read({"custom_id": FIRST.custom_id}).failed[FIRST]
    assert (failure.outcome, failure.maybe_billed) == ("garbled", True)


def test_of_a_line_that_comes_again_the_first_answer_counts() -> None:
    answers = read(refused(FIRST, 503, "busy"), answered(FIRST, "a"), answered(FIRST, "b"))
    assert answers.answered[FIRST].content == "a"
    assert (answers.failed, answers.repeated) == ({}, 2)


def test_strange_lines_are_counted_and_stop_nothing() -> None:
    other = LineKey(b"\x01" * 32, 0)
    content = b'{"custom_id": "x"}\n[1]\n\n{"custom\n' + json.dumps(answered(other)).encode()
    content += b"\n" + json.dumps(answered(FIRST)).encode()
    answers = read_files([content], ASKED, Form.LINES, now=NOW)
    assert (set(answers.answered), answers.strange) == ({FIRST}, 4)
