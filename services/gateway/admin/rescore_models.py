"""Models of administration: re-scoring."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field

from medvid.benchmark.tasks import Board, Scoring
from services.gateway.admin.models import Reason
from services.gateway.admin.operations_models import Version
from services.gateway.web.models import Answer

JobState = Literal["scoring", "scored", "ready", "applied", "discarded"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a job is to be put in force.

    `preview` is the number of the difference that was looked at; `without_failed` leaves entries
    that could not be scored as they are; `make_current` makes the job's ground truth the one that
    uploads are checked against; `judge_again` asks for judging where judged scores are of
    another one, or of older code.
    """

    preview: int
    without_failed: bool = False
    make_current: bool = False
    judge_again: bool = False


class RescoreBody(Reason):
    """Score entries anew, beside the scores in force: all, one board's, or some."""

    ground_truth: Version | None = Field(None, description="null: the current one")
    board: Board | None = None
    entries: Annotated[list[UUID], Field(min_length=1, max_length=1_000)] | None = None


class ApplyBody(Reason):
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
        """Return what is wanted of the job."""
        return Wanted(self.preview, self.without_failed, self.make_current, self.judge_again)


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
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Build the response from a row of `rescore_jobs_page`."""
        return cls(**row, preview=row["preview_number"])


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


def rescore_detail(job: RescoreJobView, preview: Any, failures: list[FailureView]) -> RescoreDetail:
    """Build the response from a job and its difference."""
    content = preview or {}
    return RescoreDetail(
        job=job,
        boards=content.get("boards"),
        left_out=content.get("left_out", []),
        judged_otherwise=content.get("judged_otherwise", []),
        failures=failures,
    )
