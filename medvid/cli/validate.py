"""`medvid validate`: the server's validation report, on one's own machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from medvid.benchmark.report import Advice, Code, Report, TaskDiagnosis
from medvid.benchmark.test_set import TestSet
from medvid.cli.files import read_file, read_samples
from medvid.cli.parameters import JSON_OR_GZIP, Json
from medvid.cli.printing import Exit, plain_table, print_json, print_table, problem_text
from medvid.models.reports import ReportWarning, TaskReport, ValidationReport


def validate(
    predictions: Annotated[Path, typer.Argument(help=JSON_OR_GZIP)],
    ground_truth: Annotated[
        Path | None, typer.Option(help="align with this ground truth; the fullest diagnosis")
    ] = None,
    test_set: Annotated[
        Path | None, typer.Option(help="align with this test set (id, qa_type, question)")
    ] = None,
    as_json: Json = False,
    github: Annotated[
        bool, typer.Option("--github", help="print annotations of GitHub Actions, too")
    ] = False,
) -> int:
    """Check predictions as the server would; exit status 1 if they have errors."""
    from medvid.benchmark.decoding import SUBMISSION_LIMITS

    samples = read_samples(ground_truth, test_set)
    content = read_file(predictions, SUBMISSION_LIMITS.unpacked_bytes)
    report = check_content(content, samples)
    if github:
        from medvid.cli.annotations import workflow_commands

        for command in workflow_commands(report, predictions, content):
            print(command)
    if as_json:
        print_json(report.to_dict())
    else:
        show_report(report, Console())
    return Exit.DONE if report.ok else Exit.REFUSED


def check_content(content: bytes, samples: TestSet | None, least: int = 0) -> Report:
    """Check predictions against the samples, or their format alone.

    Fewer records than `least` are an error; fewer than a submission needs are always a warning.
    """
    from medvid.benchmark.validation import check_format, validate_submission

    if samples is None:
        return check_format(content, minimum_records=least)
    return validate_submission(content, samples, minimum_records=least).report


def show_report(report: Report | ValidationReport, console: Console) -> None:
    """Print a report for people: of a file that could not be read at all, its errors alone."""
    is_read = report.ok or report.answered > 0
    if report.tasks and is_read:
        print_table(_task_table(report.tasks), console)
    warnings = [each for each in report.warnings if is_read or each.code != Code.PARTIAL]
    if warnings:
        console.print(Text("\nWarnings", style="bold yellow"))
        for advice in warnings:
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
    table = plain_table(title="Predictions by task")
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
