"""Styles of whole files: one that scores near zero has warnings, a good one has none."""

from pathlib import Path
from typing import Final

import pytest

from medvid.benchmark.decoding import SUBMISSION_LIMITS
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.report import Report
from medvid.benchmark.tasks import Task
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.validation import check_format, validate_submission

CASES: Final = Path(__file__).parents[3] / "cases"
DATA: Final = Path(__file__).parents[4] / "benchmarks" / "data"


def whole_file(name: str, *, truth: bool) -> Report:
    data = (CASES / "uploads" / "ground_truth.json.gz").read_bytes()
    samples = TestSet.from_ground_truth(load_ground_truth(data))
    return validate_submission(
        (CASES / "uploads" / name).read_bytes(), samples if truth else samples.public
    ).report


@pytest.mark.parametrize("truth", [True, False], ids=["truth", "public"])
@pytest.mark.parametrize(
    ("name", "task", "code"),
    [
        ("tal_clock_times.json.gz", Task.TAL, "clock_times"),
        ("stg_xywh.json.gz", Task.STG, "unordered_boxes"),
    ],
)
def test_no_file_that_scores_near_zero_passes_without_a_warning(
    name: str, task: Task, code: str, *, truth: bool
) -> None:
    report = whole_file(name, truth=truth)
    assert {(w.task, str(w.code)) for w in report.warnings} - {(task, "xywh_boxes")} == {
        (task, code)
    }
    (counts,) = (t for t in report.tasks if t.task is task)
    assert counts.parsed == counts.doubtful == 30
    (warning,) = (w for w in report.warnings if w.code == code)
    assert warning.count == 30
    assert warning.example
    assert warning.effect
    assert warning.fix


@pytest.mark.parametrize("truth", [True, False], ids=["truth", "public"])
def test_a_good_file_has_no_warning_and_a_weak_one_many(*, truth: bool) -> None:
    samples = TestSet.from_ground_truth(
        load_ground_truth((DATA / "ground_truth.json.gz").read_bytes())
    )
    samples = samples if truth else samples.public
    strong, weak = (
        validate_submission((DATA / f"predictions_{name}.json.gz").read_bytes(), samples).report
        for name in ("strong", "weak")
    )
    assert strong.ok
    assert not strong.warnings
    assert {str(warning.code) for warning in weak.warnings} == {
        "unparsable", "clock_times", "no_times", "unordered_boxes", "box_style", "low_structure",
        "inverted_segments", "label_style", "not_a_label", "unnamed_scores",
    }  # fmt: skip


def test_with_the_truth_boxes_as_sizes_are_recognised() -> None:
    codes = {str(w.code) for w in whole_file("stg_xywh.json.gz", truth=True).warnings}
    assert "xywh_boxes" in codes


def test_without_a_test_set_styles_are_found_too() -> None:
    data = (CASES / "uploads" / "tal_clock_times.json.gz").read_bytes()
    codes = {str(w.code) for w in check_format(data, limits=SUBMISSION_LIMITS).warnings}
    assert codes == {"clock_times"}
