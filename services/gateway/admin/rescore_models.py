"""Models of administration: re-scoring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from medvid.benchmark.tasks import Board
from medvid.judging.parts_table import ParserName
from medvid.models.jobs import (
    FailureView,
    RescoreDetail,
    RescoreJobView,
    StayingEntry,
    UnrankedEntry,
)
from services.gateway.admin.models import Reason
from services.gateway.admin.operations_models import Version
from services.gateway.web.parameters import Parameters, id_reader

LeaveUnranked = Annotated[
    bool,
    Field(
        description="of a succession: although entries that rank today count as missing in the "
        "judged columns from then on (the job's `unranked`)"
    ),
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a job is to be put in force.

    `preview` is the number of the difference that was looked at; `without_failed` leaves entries
    that could not be scored as they are; `leave_unranked` takes the boards over although entries
    of theirs count as missing from then on; `make_current` makes the job's ground truth the one
    that uploads are checked against; `judge_again` asks for judging where judged scores are of
    another one, or of older code.
    """

    preview: int
    without_failed: bool = False
    make_current: bool = False
    judge_again: bool = False
    leave_unranked: bool = False


class RescoreBody(Reason):
    """Score entries anew, beside the scores in force: all, one board's, or some."""

    ground_truth: Version | None = Field(None, description="null: the current one")
    board: Board | None = Field(None, description="those of this board; left out, of both")
    entries: Annotated[list[UUID], Field(min_length=1, max_length=1_000)] | None = Field(
        None, description="these alone, by their ids"
    )


class RereadBody(Reason):
    """Read a judge's kept replies with another parser: of all entries, one board's, or some."""

    parser: ParserName = Field(description="which reads them (docs/judge-versions.md)")
    judge_version: Annotated[str, Field(pattern="^[0-9a-f]{8,64}$")] | None = Field(
        None, description="whose replies, by the beginning of its version; null: the judge in force"
    )
    board: Board | None = Field(None, description="those of this board; left out, of both")
    entries: Annotated[list[UUID], Field(min_length=1, max_length=1_000)] | None = Field(
        None, description="these alone, by their ids"
    )


class ApplyJudgedBody(Reason):
    """Put in force values of another judge version."""

    preview: int = Field(ge=1, description="the number of the difference that was looked at")
    without_failed: bool = Field(
        False, description="although some entries failed: those stay as they are"
    )

    def wanted(self) -> Wanted:
        """Return what is wanted of the job."""
        return Wanted(self.preview, self.without_failed)


class ApplySuccessionBody(ApplyJudgedBody):
    """Put in force values of the judge that follows another."""

    leave_unranked: LeaveUnranked = False

    def wanted(self) -> Wanted:
        """Return what is wanted of the job."""
        return replace(super().wanted(), leave_unranked=self.leave_unranked)


class SuccessionBody(Reason):
    """Have entries judged by the judge that runs now: all, one board's, or some."""

    calls: int = Field(ge=0, description="of the estimate that was looked at; more is refused")
    board: Board | None = Field(None, description="those of this board; left out, of both")
    entries: Annotated[list[UUID], Field(min_length=1, max_length=1_000)] | None = Field(
        None, description="these alone, by their ids"
    )


class SuccessionQuery(Parameters):
    """Of which entries the cost is asked for."""

    board: Board | None = Field(None, description="those of this board; left out, of both")
    entries: str | None = Field(
        None,
        max_length=7_000,  # what fits into the head of a request: more is refused there
        description="ids, separated by commas, 180 at most; all when left out",
    )

    @property
    def ids(self) -> list[UUID] | None:
        """The entries that are named."""
        if not self.entries:
            return None
        return [id_reader("entry")(each) for each in self.entries.split(",")]


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
    leave_unranked: LeaveUnranked = False

    def wanted(self) -> Wanted:
        """Return what is wanted of the job."""
        return Wanted(
            self.preview,
            self.without_failed,
            self.make_current,
            self.judge_again,
            self.leave_unranked,
        )


def rescore_job(row: Mapping[str, Any]) -> RescoreJobView:
    """Build the response from a row of `rescore_jobs_page`."""
    return RescoreJobView(**row, preview=row["preview_number"])


def rescore_detail(
    job: RescoreJobView,
    preview: Any,
    failures: list[FailureView],
    stays: Sequence[StayingEntry] = (),
    runs: Mapping[str, int] | None = None,
    unranked: Sequence[UnrankedEntry] = (),
) -> RescoreDetail:
    """Build the response from a job and its difference."""
    content = preview or {}
    return RescoreDetail(
        job=job,
        boards=content.get("boards"),
        left_out=content.get("left_out", []),
        judged_otherwise=content.get("judged_otherwise", []),
        failures=failures,
        bridge=content.get("bridge"),
        stays=list(stays),
        unranked=list(unranked),
        runs=dict(runs or {}),
    )
