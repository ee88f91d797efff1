"""What the administration API takes and answers about re-scoring."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field

from medvid.benchmark.tasks import Board, Scoring
from services.gateway.admin.operations_wire import Version
from services.gateway.admin.rescoring import Failure, JobState, RescoreJob, Wanted
from services.gateway.admin.wire import Deed
from services.gateway.web.models import Answer
from services.gateway.web.parameters import Number, Parameters, RowCursor


class RescorePath(BaseModel):
    """The address of a re-score job."""

    id: UUID = Field(description="the job's id")


class RescoreBody(Deed):
    """Score entries anew, beside the scores in force: all, one board's, or some."""

    ground_truth: Version | None = Field(None, description="null: the current one")
    board: Board | None = None
    entries: Annotated[list[UUID], Field(min_length=1, max_length=1_000)] | None = None


class ApplyBody(Deed):
    """Put a job's scores in force."""

    preview: int = Field(ge=1, description="the number of the difference that was looked at")
    without_failed: bool = Field(
        False, description="although some entries failed: those stay as they are"
    )
    make_current: bool = Field(
        False, description="check uploads against the job's ground truth from now on"
    )
    judge_again: bool = Field(
        False,
        description="judge entries whose judged scores are of another ground truth or older code",
    )

    def wanted(self) -> Wanted:
        """Return it as the use case has it."""
        return Wanted(self.preview, self.without_failed, self.make_current, self.judge_again)


class JobsQuery(Parameters):
    """Which page of jobs is asked for."""

    cursor: RowCursor | None = Field(None, description="'next_cursor' of the page before")
    limit: Number = Field(50, ge=1, le=200)


class RescoreJobView(Answer):
    """A re-score job and how far it is.

    scoring, scored (its difference is being computed), ready, then applied or discarded.
    """

    id: UUID
    state: JobState
    ground_truth_version: str
    metric_version: str | None = Field(description="of the code that scored; null before")
    requested_by: str
    why: str
    created_at: datetime
    changed_at: datetime
    items: int = Field(description="entries to be scored")
    scored: int
    failed: int
    preview: int = Field(description="number of its newest difference; 0: none yet")

    @classmethod
    def of(cls, job: RescoreJob) -> Self:
        """Return a job as it is told."""
        facts = {name: getattr(job, name) for name in cls.model_fields if name != "preview"}
        return cls(**facts, preview=job.preview_number)


class JobsPage(Answer):
    """Jobs, newest first; `next_cursor` is null on the last page."""

    jobs: list[RescoreJobView]
    next_cursor: str | None


class RankMove(Answer):
    """A displayed rank before and after; null: not ranked, having no value."""

    before: int | None
    after: int | None

    @property
    def direction(self) -> Literal["up", "down", ""]:
        """Which way it moves; whoever is not ranked stands below all."""
        before, after = (math.inf if each is None else each for each in (self.before, self.after))
        return "up" if after < before else "down" if after > before else ""


class Figure(Answer):
    """A number before and after; null: no value."""

    before: float | None
    after: float | None


class DifferenceRow(Answer):
    """An entry in the order after. `values` are the metrics that change."""

    entry_id: UUID
    model_name: str
    rescored: bool
    rank: RankMove
    mean_rank: Figure
    values: dict[str, Figure]

    @property
    def moves(self) -> bool:
        """Tell whether anything of it changes."""
        return bool(self.values) or bool(self.rank.direction)


class FailureView(Answer):
    """An entry that could not be scored anew."""

    entry_id: UUID
    model_name: str
    code: str
    reason: str

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """Return a failure as it is told."""
        return cls(**{name: getattr(failure, name) for name in cls.model_fields})


class RescoreDetail(Answer):
    """A job with its difference."""

    job: RescoreJobView
    boards: dict[Board, dict[Scoring, list[DifferenceRow]]] | None = Field(
        description="every board in both scorings; null: not computed yet"
    )
    left_out: list[UUID] = Field(
        description="listed entries that the job does not cover, scored otherwise than it scores"
    )
    judged_otherwise: list[UUID] = Field(
        description="its entries whose judged scores are of another ground truth or older code"
    )
    failures: list[FailureView]


def rescore_detail(job: RescoreJob, preview: Any, failures: list[Failure]) -> RescoreDetail:
    """Return a job with its difference as it is told."""
    content = preview or {}
    return RescoreDetail(
        job=RescoreJobView.of(job),
        boards=content.get("boards"),
        left_out=content.get("left_out", []),
        judged_otherwise=content.get("judged_otherwise", []),
        failures=[FailureView.of(failure) for failure in failures],
    )
