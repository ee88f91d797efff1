"""Validation end to end: bytes in, report and aligned predictions out."""

import gzip
import json
import pickle
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medvid.benchmark.decoding import Limits
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.report import Code, Report
from medvid.benchmark.tasks import Task
from medvid.benchmark.test_set import TestItem, TestSet
from medvid.benchmark.validation import (
    Predictions,
    ValidatedSubmission,
    check_format,
    validate_submission,
)
from tests.depth import deep
from tests.patience import HANG_SECONDS

DATA = Path(__file__).parents[4] / "benchmarks" / "data"


@pytest.fixture(scope="module")
def whole() -> TestSet:
    return TestSet.from_ground_truth(
        load_ground_truth((DATA / "ground_truth.json.gz").read_bytes())
    )


@pytest.fixture(scope="module")
def strong() -> list[dict[str, Any]]:
    with gzip.open(DATA / "predictions_strong.json.gz") as file:
        loaded: list[dict[str, Any]] = json.load(file)
    return loaded


def validated(records: object, samples: TestSet, **options: Any) -> ValidatedSubmission:
    return validate_submission(json.dumps(records).encode(), samples, **options)


def warning_codes(report: Report) -> set[str]:
    return {str(warning.code) for warning in report.warnings}


def test_a_good_file_is_valid_by_position(whole: TestSet, strong: list[dict[str, Any]]) -> None:
    result = validated(strong, whole)
    assert result.report.ok
    assert (result.report.mode, result.report.coverage) == ("position", 1.0)
    assert result.predictions == [record["prediction"] for record in strong]
    assert result.report.warnings == ()
    assert all(task.covered == task.required for task in result.report.tasks)


def test_shuffled_records_with_questions_go_home(
    whole: TestSet, strong: list[dict[str, Any]]
) -> None:
    assert whole.truth is not None
    records = [
        record | {"question": "<video>\n" + sample.question}
        for record, sample in zip(strong, whole.truth.samples, strict=True)
    ]
    keys = [(item.id, item.task, item.question) for item in whole.items]
    shuffled = records.copy()
    random.Random(3).shuffle(shuffled)  # noqa: S311 - a repeatable order, no secret
    result = validated(shuffled, whole, diagnose=False)
    assert result.report.ok
    assert result.report.mode == "key"
    assert result.predictions is not None
    assert warning_codes(result.report) == {"aligned_by_key", "ambiguous"}
    for key, record, text in zip(keys, strong, result.predictions, strict=True):
        assert text == record["prediction"] or keys.count(key) > 1


def test_a_partial_submission_is_taken_from_a_hundred_records_on(
    whole: TestSet, strong: list[dict[str, Any]]
) -> None:
    partial = validated(strong[:100], whole)
    assert partial.report.ok
    assert partial.report.answered == 100
    assert "partial" in warning_codes(partial.report)
    few = validated(strong[:99], whole)
    assert few.predictions is None
    assert [problem.code for problem in few.report.problems] == ["too_few_records"]
    assert validated(strong[:1], whole, minimum_records=0).report.ok


def test_results_pickle(whole: TestSet, strong: list[dict[str, Any]]) -> None:
    result = validated(strong[:100], whole)
    copied = pickle.loads(pickle.dumps(result))  # noqa: S301 - our own bytes
    assert copied == result


def test_cut_off_boxes_are_diagnosed(whole: TestSet, strong: list[dict[str, Any]]) -> None:
    records = [
        record | {"prediction": record["prediction"][:60]} if record["qa_type"] == "stg" else record
        for record in strong
    ]
    report = validated(records, whole).report
    assert report.ok
    assert warning_codes(report) == {"low_structure", "likely_truncated"}
    assert {warning.task for warning in report.warnings} == {Task.STG}
    (stg,) = (task for task in report.tasks if task.task is Task.STG)
    assert stg.covered is not None
    assert stg.required is not None
    assert stg.covered < stg.required / 2


def test_reports_are_json_with_every_field(whole: TestSet) -> None:
    document = json.loads(json.dumps(validated([{"id": "x"}], whole).report.to_dict()))
    assert document["ok"] is False
    assert document["problem_count"] == len(document["problems"]) == 3
    assert set(document["problems"][0]) == {
        "code", "path", "found", "expected", "fix", "count", "places",
    }  # fmt: skip


def test_equal_problems_are_one_line_and_all_are_counted(whole: TestSet) -> None:
    records = [{"id": f"x{n}", "qa_type": "tal", "prediction": ""} for n in range(300)]
    report = validated(records, whole).report
    (group,) = report.problems
    assert (group.code, group.count, report.problem_count) == ("unknown_id", 300, 300)
    assert group.places == ("$[0].id", "$[1].id", "$[2].id")
    assert group.found == '"x0"; "x1"; "x2"'


def test_a_hundred_groups_are_kept_and_all_problems_are_counted(whole: TestSet) -> None:
    records = [{"id": "x", "qa_type": "tal", "prediction": "", f"f{n}": "\0"} for n in range(300)]
    report = validated(records, whole).report
    assert (len(report.problems), report.problem_count) == (100, 300)


def test_codes_are_documented() -> None:
    assert all(code.meaning for code in Code)
    assert len({code.value for code in Code}) == len(Code)


def test_the_format_alone_can_be_checked(strong: list[dict[str, Any]]) -> None:
    report = check_format(json.dumps(strong[:200]).encode())
    assert (report.ok, report.mode, report.answered) == (True, None, 200)
    assert report.to_dict()["coverage"] is None
    assert not check_format(b"[{}]").ok
    assert not check_format(b"[").ok


def test_predictions_behave_as_a_sequence() -> None:
    predictions = Predictions((b"a", None, "é".encode()))
    assert list(predictions) == ["a", None, "é"]
    assert (predictions[2], predictions[-2], len(predictions)) == ("é", None, 3)
    assert predictions[1:] == [None, "é"]
    assert predictions != ["a"]


HOSTILE_LIMITS = Limits(unpacked_bytes=4 << 20)


def hostile() -> Iterator[tuple[str, bytes]]:
    size = HOSTILE_LIMITS.unpacked_bytes - 100
    yield "brackets", b"[" * size
    yield "objects", b'{"a":1,' * (size // 7)
    yield "flat keys", b"{" + b'"a":1,' * (size // 6)
    yield "numbers", b"[" + b"1," * (size // 2)
    yield "inner numbers", b"[[" + b"1," * (size // 2) + b"1]]"
    yield "quotes", b"[" + b'"' * (size // 2 * 2) + b"]"
    yield "backslashes", b'["' + b"\\" * size
    yield "escapes", b'["' + b"\\u0000" * (size // 6) + b'"]'
    yield "spaces", b" " * size
    yield "digits", b"[" + b"9" * size + b"]"
    yield "duplicates", b"[" + b'{"a":1,"a":1},' * (size // 14) + b"{}]"
    yield "gzip bomb", gzip.compress(b"[" + b" " * 100_000_000, compresslevel=1)


@pytest.mark.parametrize(("name", "data"), [pytest.param(*each, id=each[0]) for each in hostile()])
def test_hostile_files_get_a_named_problem(name: str, data: bytes, whole: TestSet) -> None:
    result = validate_submission(data, whole, limits=HOSTILE_LIMITS)
    assert result.predictions is None, name
    assert result.report.problem_count > 0
    assert all(problem.found and problem.fix for problem in result.report.problems)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's peak memory")
@pytest.mark.parametrize(
    "piece",
    ["[{},{},{},{}],"]
    + [pytest.param(each, marks=deep) for each in ("\\u00e9", "\U0001f600" + "x" * 65_000)],
)
def test_a_hostile_file_takes_less_than_200_mib(piece: str) -> None:
    """Peak memory (VmHWM) of a fresh process, before and after validating 64 MiB."""
    script = Path(__file__).with_name("peak_memory.py")
    run = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(script), piece],
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG_SECONDS,
        cwd=Path(__file__).parents[4],
    )
    assert int(run.stdout) < 200 * 1024


def test_unknown_samples_never_crash_the_diagnosis() -> None:
    items = tuple(TestItem(index, "x", task, "") for index, task in enumerate(Task))
    for text in ("", "\0", "[[", "1-", "9" * 50_000, "[" * 50_000, "1-2 seconds " * 5_000):
        records = [{"id": "x", "qa_type": task.value, "prediction": text} for task in Task]
        assert validated(records, TestSet(items), minimum_records=0).report.ok


GOOD = {"id": "v", "qa_type": "tal", "prediction": "1-2"}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"predictions": [GOOD]}, '$["predictions"]'),
        ({"model": "m", "results": {"0": GOOD, "1": GOOD}}, '$["results"]'),
        ({"config": {"a": {}}, "results": {"0": GOOD, "1": GOOD}}, '$["results"]'),
        ({"tal": [GOOD], "stg": [GOOD]}, '$["tal"]'),
        ({name: [GOOD[name]] * 3 for name in GOOD}, "$"),
        ({name: {"0": GOOD[name]} for name in GOOD}, "$"),
        ({"0": GOOD, "1": GOOD}, None),
        ({"0": {"metadata": {}, "qa_type": "tal"}}, None),
        ({"0": {"clip": {}} | GOOD, "1": {"clip": {}} | GOOD}, None),
    ],
)
def test_records_inside_a_wrapper_are_one_error_that_names_it(
    document: dict[str, Any], path: str | None
) -> None:
    problems = check_format(json.dumps(document).encode(), minimum_records=0).problems
    assert [p.path for p in problems if p.code == "wrong_shape"] == ([path] if path else [])


def test_offline_fewer_records_than_a_submission_needs_are_a_warning() -> None:
    data = json.dumps([GOOD]).encode()
    report = check_format(data, minimum_records=0)
    assert (report.ok, warning_codes(report)) == (True, {"too_few_records"})
    assert not check_format(data).ok
    own = TestSet((TestItem(0, "v", Task.TAL, ""),))  # one's own split may be this small
    assert validate_submission(data, own, minimum_records=0).report.warnings == ()
