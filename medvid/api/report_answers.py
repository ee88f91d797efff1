"""What the check of a file found."""

from __future__ import annotations

from pydantic import Field

from medvid.api.answers import Answer, Problem


class ReportProblem(Answer):
    """One error of a file: its JSON path, what was found and expected, how to fix it.

    `count` records have it, at first in `places`; an older server lists each by itself.
    """

    code: str
    path: str
    found: str
    expected: str
    fix: str
    count: int = 1
    places: list[str] = Field([])


class ReportWarning(Answer):
    """Something to look at; the file is taken. `examples`: indices of samples that show it."""

    code: str
    message: str
    count: int
    task: str | None = None
    examples: list[int] = Field([])
    example: str = ""
    effect: str = ""
    fix: str = ""


class TaskReport(Answer):
    """How one task's predictions parse, and how much of the expected structure they cover."""

    task: str
    samples: int
    answered: int
    empty: int
    parsed: int
    unit: str
    emitted: int
    required: int | None = None
    covered: int | None = None
    doubtful: int = 0
    exact: int | None = None
    by_similarity: int | None = None
    unchecked: int | None = None


class ValidationReport(Answer):
    """What the check of a file found: problems (it is refused), warnings, a diagnosis by task."""

    ok: bool
    problem_count: int
    problems: list[ReportProblem]
    mode: str | None
    records: int
    samples: int
    answered: int
    coverage: float | None
    ambiguous: int
    tasks: list[TaskReport]
    warnings: list[ReportWarning]


class DryRun(Answer):
    """What would become of an upload; nothing of it was stored."""

    ok: bool
    error_count: int
    errors: list[Problem]
    report: ValidationReport | None
    ground_truth_version: str
