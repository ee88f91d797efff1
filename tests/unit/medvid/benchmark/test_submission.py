"""Records: the accepted shapes, and a named error for everything else."""

import json

import pytest

from medvid.benchmark.decoding import SUBMISSION_LIMITS, decode
from medvid.benchmark.report import Problem, Problems
from medvid.benchmark.submission import Record, read_records
from medvid.benchmark.tasks import Task

GOOD = {"id": "v&&0&&9&&1.0", "qa_type": "tal", "prediction": "1-2"}
METADATA = {
    "video_id": "v",
    "fps": "1.0",
    "input_video_start_frame": "0",
    "input_video_end_frame": "9",
}


def read(document: object) -> tuple[list[Record], list[Problem]]:
    return read_text(json.dumps(document))


def read_text(text: str) -> tuple[list[Record], list[Problem]]:
    problems = Problems()
    records = read_records(decode(text.encode(), SUBMISSION_LIMITS), SUBMISSION_LIMITS, problems)
    return records, problems.first


def test_the_submission_format() -> None:
    (record,), problems = read([GOOD])
    assert problems == []
    assert (record.id, record.task, record.prediction) == ("v&&0&&9&&1.0", Task.TAL, b"1-2")
    assert record.question is None


def test_the_inference_format_reads_only_its_own_fields() -> None:
    (record,), problems = read(
        [
            {
                "metadata": METADATA,
                "qa_type": "dc",
                "question": "<video>\nWhat\u00a0 happens?\u00a0",
                "answer": "this",
                "prediction": 5,
                "ground_truth": "never read",
                "struc_info": [{"judge": 5}],
            }
        ]
    )
    assert problems == []
    assert record.id == GOOD["id"]
    assert record.task is Task.DENSE_CAPTIONING
    assert (record.question, record.prediction) == ("What\u00a0 happens?".encode(), b"this")


def test_an_object_of_records_is_ordered_by_its_numbers() -> None:
    document = {str(n): GOOD | {"prediction": str(n)} for n in (10, 9, 0)}
    records, problems = read(document)
    assert problems == []
    assert [(r.position, r.prediction) for r in records] == [(0, b"0"), (9, b"9"), (10, b"10")]


@pytest.mark.parametrize("keys", [("010", "009", "000"), ("10", "-3", "-20"), ("2", "01", "0")])
def test_whole_numbers_order_however_they_are_written(keys: tuple[str, ...]) -> None:
    records, problems = read({key: GOOD | {"prediction": key} for key in keys})
    assert problems == []
    assert [r.prediction.decode() for r in records] == sorted(keys, key=int)


def test_an_object_with_other_keys_keeps_its_order() -> None:
    records, _ = read({"b": GOOD, "01": GOOD, "2": GOOD})
    assert [record.path for record in records] == ['$["b"]', '$["01"]', '$["2"]']
    assert [record.position for record in records] == [0, 1, 2]


def test_a_nul_inside_a_prediction_is_an_ordinary_character() -> None:
    (record,), problems = read([GOOD | {"prediction": "a\0b"}])
    assert problems == []
    assert record.prediction == b"a\0b"


@pytest.mark.parametrize("field", ["id", "qa_type", "question", "elsewhere", "x\0"])
def test_a_nul_in_any_other_field_is_an_error(field: str) -> None:
    _, problems = read([GOOD | {field: ["\0"] if field == "elsewhere" else "\0"}])
    assert "nul_character" in [problem.code for problem in problems]


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert read([GOOD | {"note": "\\u0000"}])[1] == []


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"id": 7}, "wrong_type", "$[0].id"),
        ({"id": ""}, "empty_field", "$[0].id"),
        ({"id": "x" * 257}, "field_too_long", "$[0].id"),
        ({"qa_type": None}, "wrong_type", "$[0].qa_type"),
        ({"qa_type": "TAL"}, "unknown_qa_type", "$[0].qa_type"),
        ({"question": 1}, "wrong_type", "$[0].question"),
        ({"prediction": None}, "wrong_type", "$[0].prediction"),
        ({"prediction": ["1-2"]}, "wrong_type", "$[0].prediction"),
        ({"prediction": "é" * 32_769}, "field_too_long", "$[0].prediction"),
    ],
)
def test_bad_fields_are_named(change: dict[str, object], code: str, path: str) -> None:
    records, problems = read([GOOD | change])
    assert records == []
    assert [(problem.code, problem.path) for problem in problems] == [(code, path)]
    assert problems[0].found
    assert problems[0].expected
    assert problems[0].fix


def test_a_prediction_of_exactly_64_kib_is_allowed() -> None:
    assert read([GOOD | {"prediction": "é" * 32_768}])[1] == []


@pytest.mark.parametrize("field", ["qa_type", "prediction"])
def test_missing_fields_are_named(field: str) -> None:
    _, problems = read([{key: value for key, value in GOOD.items() if key != field}])
    assert [problem.code for problem in problems] == ["missing_field"]


def test_metadata_without_its_parts_is_named() -> None:
    _, problems = read([{"metadata": {"video_id": "v"}, "qa_type": "tal", "answer": "x"}])
    assert [(problem.code, problem.path) for problem in problems] == [
        ("missing_field", "$[0].metadata")
    ]


@pytest.mark.parametrize("element", [None, 1, "text", [], [GOOD]])
def test_elements_that_are_no_objects_are_named(element: object) -> None:
    assert [problem.code for problem in read([element])[1]] == ["not_an_object"]


def test_all_problems_of_a_record_are_reported() -> None:
    _, problems = read([{"id": 1, "qa_type": "x", "prediction": 2, "question": 3}])
    assert {problem.code for problem in problems} == {"wrong_type", "unknown_qa_type"}
    assert len(problems) == 4
