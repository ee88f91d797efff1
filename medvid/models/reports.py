"""What the check of a file found, in a dry run and of a submission."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from medvid.benchmark.report import Code
from medvid.models.base import Answer, Open
from medvid.models.problems import ProblemItem

_CODES: Final = ", ".join(f"{code.value} ({code.meaning})" for code in Code)


class ReportProblem(Answer):
    """One error of the file: its JSON path, what was found and expected, how to fix it."""

    code: str
    path: str
    found: str
    expected: str
    fix: str
    count: int = Field(1, description="how many records have this problem in this field")
    places: list[str] = Field([], description="the first three paths")


class ReportWarning(Answer):
    """Something to look at; the file is taken. `examples`: indices of samples that show it."""

    code: str = Field(description=f"one of: {_CODES}")
    message: str
    count: int
    task: str | None = None
    examples: list[int] = Field([])
    example: str = Field("", description="an excerpt of the first of these predictions, escaped")
    effect: str = Field("", description="what it does to the score")
    fix: str = Field("", description="the command or change that cures it")


class TaskReport(Answer):
    """How one task's predictions parse, and how much of the expected structure they cover."""

    task: str
    samples: int = Field(description="of this task in the test set")
    answered: int = Field(description="samples that have a prediction")
    empty: int = Field(description="predictions without any text")
    parsed: int = Field(description="predictions in which something could be read")
    unit: str = Field(description="what is counted: boxes, segments, aspects, components, texts")
    emitted: int = Field(description="units in the predictions")
    required: int | None = Field(
        None,
        description="units that the answered samples ask for, as far as their questions say; null "
        "where fewer than 30 samples are answered",
    )
    covered: int | None = Field(None, description="of these, units that are there at all")
    doubtful: int = Field(
        0, description="predictions that are read, if at all, as something else than is written"
    )
    exact: int | None = Field(None, description="next actions that are a label as they stand")
    by_similarity: int | None = Field(
        None, description="next actions that take the most similar label"
    )
    unchecked: int | None = Field(
        None, description="next actions of a source whose labels are not public"
    )


class ValidationReport(Answer):
    """What the check of a file found: problems (it is refused), warnings, a diagnosis by task."""

    ok: bool = True
    problem_count: int = Field(
        0, description="all problems; 'problems' lists 100 at most, equal ones once with a count"
    )
    problems: list[ReportProblem] = Field([])
    mode: Open[Literal["position", "key"]] | None = Field(
        None, description="how records were matched with samples"
    )
    records: int = 0
    samples: int = Field(0, description="of the test set")
    answered: int = 0
    coverage: float | None = Field(None, description="answered / samples")
    ambiguous: int = Field(0, description="records that only their order distinguished")
    tasks: list[TaskReport] = Field([])
    warnings: list[ReportWarning] = Field([])


class DryRunAnswer(Answer):
    """What would become of an upload; nothing of it was stored."""

    ok: bool = Field(description="whether a submission of it would be accepted")
    error_count: int = Field(
        description="all problems; 'errors' lists 100 at most, equal ones once with a count"
    )
    errors: list[ProblemItem]
    report: ValidationReport | None = Field(description="null where there was no file")
    ground_truth_version: str = Field(description="the test set that the file was held against")
