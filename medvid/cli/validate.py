"""`medvid validate`: the server's validation report, on one's own machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from medvid.api.report_answers import (
    ReportWarning,
    TaskReport,
    ValidationReport,
)
from medvid.benchmark.decoding import GROUND_TRUTH_LIMITS, SUBMISSION_LIMITS
from medvid.benchmark.ground_truth import InvalidGroundTruth, load_ground_truth
from medvid.benchmark.report import Advice, Report, TaskDiagnosis
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.test_set_file import load_test_set
from medvid.benchmark.validation import check_format, validate_submission
from medvid.cli.files import UnreadableFile, read_file
from medvid.cli.problems import problem_text
from medvid.cli.terminal import print_table

OK: Final = 0
HAS_ERRORS: Final = 1
CANNOT_RUN: Final = 2


def run(
    predictions: Path, ground_truth: Path | None, test_set: Path | None, *, as_json: bool
) -> int:
    """Print the report; return the exit status: 0 fine, 1 errors, 2 when a file cannot be read."""
    complaints = Console(stderr=True)
    if ground_truth and test_set:
        complaints.print("Give --ground-truth or --test-set, not both.")
        return CANNOT_RUN
    try:
        report = report_on(predictions, ground_truth, test_set)
    except (UnreadableFile, InvalidGroundTruth) as error:
        complaints.print(Text(str(error)), soft_wrap=True)
        return CANNOT_RUN
    if as_json:
        print(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        show(report, Console())
    return OK if report.ok else HAS_ERRORS


def report_on(
    predictions: Path, ground_truth: Path | None, test_set: Path | None, *, least: int = 0
) -> Report:
    """Check predictions against what there is; raises UnreadableFile, InvalidGroundTruth.

    Fewer records than `least` are an error; fewer than a submission needs are always a warning.
    """
    data = read_file(predictions, SUBMISSION_LIMITS.unpacked_bytes)
    return _validate(data, load(ground_truth, test_set), least)


def load(ground_truth: Path | None, test_set: Path | None) -> TestSet | None:
    """Return the samples to hold a file against; raises UnreadableFile, InvalidGroundTruth."""
    if ground_truth:
        data = read_file(ground_truth, GROUND_TRUTH_LIMITS.unpacked_bytes)
        return TestSet.from_ground_truth(load_ground_truth(data))
    if test_set:
        return load_test_set(read_file(test_set, GROUND_TRUTH_LIMITS.unpacked_bytes))
    return None


def _validate(data: bytes, samples: TestSet | None, least: int) -> Report:
    if samples is None:
        return check_format(data, minimum_records=least)
    return validate_submission(data, samples, minimum_records=least).report


def show(report: Report | ValidationReport, console: Console) -> None:
    """Print a report for people."""
    if report.tasks:
        print_table(_task_table(report.tasks), console)
    if report.warnings:
        console.print(Text("\nWarnings", style="bold yellow"))
        for advice in report.warnings:
            console.print(_advice_text(advice), soft_wrap=True)
    if report.problems:
        console.print(Text("\nErrors", style="bold red"))
        for problem in report.problems:
            console.print(problem_text(problem), soft_wrap=True)
        more = report.problem_count - sum(problem.count for problem in report.problems)
        if more:
            console.print(f"  … and {more:,} more")
    console.print()
    console.print(_verdict(report), soft_wrap=True)


def _task_table(tasks: Sequence[TaskDiagnosis | TaskReport]) -> Table:
    table = Table(title="Predictions by task", title_justify="left", box=None, pad_edge=False)
    for name in ("Task", "Answered", "Empty", "Parsed", "Doubtful", "Structure"):
        table.add_column(name, justify="left" if name in ("Task", "Structure") else "right")
    for task in tasks:
        table.add_row(
            task.task,
            f"{task.answered:,} / {task.samples:,}",
            f"{task.empty:,}",
            f"{task.parsed:,}",
            f"{task.doubtful:,}",
            _structure(task),
        )
    return table


def _structure(task: TaskDiagnosis | TaskReport) -> str:
    if task.exact is not None and task.exact + (task.by_similarity or 0):
        unchecked = f", {task.unchecked:,} cannot tell" if task.unchecked else ""
        return f"{task.exact:,} labels, {task.by_similarity:,} by similarity{unchecked}"
    if task.required is None or task.covered is None:
        return f"{task.emitted:,} {task.unit}"
    if not task.required:
        return "-"
    share = f" ({task.covered / task.required:.0%})"
    return f"{task.covered:,} of {task.required:,} expected {task.unit}{share}"


def _advice_text(advice: Advice | ReportWarning) -> Text:
    task = f" ({advice.task})" if advice.task else ""
    examples = ", ".join(map(str, advice.examples))
    shown = f"; samples {examples}{', …' if advice.count > len(advice.examples) else ''}"
    text = Text("  ")
    text.append(str(advice.code), style="bold")
    text.append(f"{task}: {advice.count:,} {advice.message}{shown if examples else ''}")
    for label, value in (
        ("example", advice.example), ("effect", advice.effect), ("fix", advice.fix)
    ):  # fmt: skip
        if value:
            text.append(f"\n    {label:9s} {value}")
    return text


def _verdict(report: Report | ValidationReport) -> Text:
    if not report.ok:
        plural = "s" if report.problem_count != 1 else ""
        return Text(f"Not valid: {report.problem_count:,} error{plural}.", style="bold red")
    style = "bold yellow" if report.warnings else "bold green"
    look = f" {_warned(len(report.warnings))}" if report.warnings else ""
    if not report.samples:
        return Text(
            f"The format of {report.records:,} records is valid. Give --ground-truth or "
            f"--test-set to check them against the samples.{look}",
            style=style,
        )
    by = "by position" if report.mode == "position" else "by id, qa_type and question"
    return Text(
        f"Valid: {report.answered:,} of {report.samples:,} samples answered "
        f"({report.answered / report.samples:.1%}), aligned {by}.{look}",
        style=style,
    )


def _warned(count: int) -> str:
    return f"Look at the warning{'s' if count != 1 else ''} above: what is not read scores zero."
