"""What a report says: scores and differences, sources, what is read, the worst answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from medvid.benchmark.report import Report
from medvid.benchmark.results import MetricScore
from medvid.benchmark.statistics.comparisons import Difference
from medvid.benchmark.statistics.intervals import Interval
from medvid.benchmark.tasks import METRICS, Task
from medvid.judging.aggregate import JudgeScore
from medvid.reports.answers import Answered, worst
from medvid.reports.document import Bar, Cell, ReportDocument, ReportSection

_WORST = 5
_SHOWN_CHARACTERS = 300
Scores = Mapping[str, MetricScore | JudgeScore]


@dataclass(frozen=True, slots=True)
class Before:
    """An older file's name and scores, and how the new ones differ."""

    name: str
    scores: Scores
    differences: Mapping[str, Difference]


@dataclass(frozen=True, slots=True)
class Material:
    """All that a report is made of. `scope`: which samples, where they are not all."""

    name: str
    scope: str
    covered: str
    scores: Scores
    intervals: Mapping[str, Interval | None]
    report: Report
    answers: Sequence[Answered]
    before: Before | None = None


def document(material: Material) -> ReportDocument:
    """Return the report."""
    lines = [material.covered]
    if material.scope:
        lines.append(f"Scored on {material.scope}: not comparable with a board's values.")
    sections = [_scores(material), _sources(material), _reading(material), *_worst(material)]
    return ReportDocument(f"Report on {material.name}", lines, sections)


def _scores(material: Material) -> ReportSection:
    before = material.before
    columns = ["metric", "compat", "95 %", "strict", "answered"]
    columns += [f"{before.name}, compat", "difference", "95 % of it", "decision"] if before else []
    lines = ["Intervals cover which videos were drawn."]
    if before:
        lines.append(f"Marks in the plot show {before.name}.")
    return ReportSection(
        "Scores", lines, list(_bars(material)), columns, list(_score_rows(material))
    )


def _score_rows(material: Material) -> Iterator[list[Cell]]:
    for metric in METRICS:
        score = material.scores.get(metric.key)
        if score is None:
            continue
        row: list[Cell] = [metric.label, score.compat, _spread(material.intervals.get(metric.key))]
        if isinstance(score, MetricScore):
            row += [score.strict, f"{score.answered:,} of {score.expected:,}"]
        else:
            row += [None, f"{score.scored:,} of {score.pairs:,} pairs"]
        if material.before:
            old = material.before.scores.get(metric.key)
            row += [old.compat if old else None, *_difference(material.before, metric.key)]
        yield row


def _difference(before: Before, key: str) -> list[Cell]:
    found = before.differences.get(key)
    if found is None:
        return [None, "", ""]
    spread = "" if found.low is None else f"{found.low:+.4f} to {found.high:+.4f}"
    return [f"{found.difference:+.4f}", spread, found.decision]


def _spread(found: Interval | None) -> str:
    if found is None or found.low is None or found.high is None:
        return ""
    return f"{found.low:.4f} to {found.high:.4f}{' (few videos)' if found.few_videos else ''}"


def _bars(material: Material) -> Iterator[Bar]:
    for metric in METRICS:
        score = material.scores.get(metric.key)
        if score is None or score.compat is None:
            continue
        found = material.intervals.get(metric.key)
        old = material.before.scores.get(metric.key) if material.before else None
        yield Bar(
            metric.label, score.compat, metric.minimum, metric.maximum,
            found.low if found else None, found.high if found else None,
            old.compat if old else None,
        )  # fmt: skip


def _sources(material: Material) -> ReportSection:
    rows: list[list[Cell]] = []
    for metric in METRICS:
        score = material.scores.get(metric.key)
        for source, found in score.by_source.items() if score else ():
            row: list[Cell] = [metric.label, source, found.compat]
            if material.before:
                old = material.before.scores[metric.key].by_source.get(source)
                value = old.compat if old else None
                is_known = found.compat is not None and value is not None
                row += [value, f"{(found.compat or 0) - (value or 0):+.4f}" if is_known else None]
            rows.append(row)
    columns = ["metric", "source", "compat"]
    columns += [material.before.name, "difference"] if material.before else []
    return ReportSection("By source", (), (), columns, rows)


def _reading(material: Material) -> ReportSection:
    columns = ["task", "answered", "empty", "parsed", "doubtful", "found", "expected of it"]
    rows: list[list[Cell]] = [
        [task.task, f"{task.answered:,} of {task.samples:,}", task.empty, task.parsed,
         task.doubtful, f"{task.emitted:,} {task.unit}",
         None if task.required is None or task.covered is None
         else f"{task.covered:,} of {task.required:,}"]
        for task in material.report.tasks
    ]  # fmt: skip
    lines = [
        f"{advice.code}: {advice.count:,} {advice.message}"
        + (f" Effect: {advice.effect}" if advice.effect else "")
        + (f" To fix: {advice.fix}" if advice.fix else "")
        for advice in material.report.warnings
    ]
    return ReportSection("What is read of the predictions", lines, (), columns, rows)


def _worst(material: Material) -> Iterator[ReportSection]:
    for task in Task:
        answers = [each for each in material.answers if each.sample.task is task]
        unread = sum(not each.is_read for each in answers)
        lowest = worst(answers, _WORST)
        if lowest or unread:
            lines = [f"Nothing is read of {unread:,} answers."] if unread else []
            columns = ["sample", "id", "source", "value", "prediction", "reference"]
            yield ReportSection(
                f"Worst answers: {task}", lines, (), columns, list(map(_answer, lowest))
            )


def _answer(each: Answered) -> list[Cell]:
    sample = each.sample
    return [
        sample.index, sample.id, sample.source, each.value, cut(each.text), cut(sample.reference),
    ]  # fmt: skip


def cut(text: str, characters: int = _SHOWN_CHARACTERS) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= characters else f"{text[:characters]}…"
