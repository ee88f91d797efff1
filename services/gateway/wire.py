"""Everything the API answers with. The API's description is generated from these models."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.handlers import Receipt, Status
from services.gateway.judging import Judging
from services.gateway.judging_wire import JudgingStatus, judging_status
from services.gateway.ports import Snapshot
from shared.benchmark.tasks import METRICS, Board, Scoring

API: Final = "/api/v1"
RANKING_RULE: Final = (
    "Values are rounded to 3 decimals and ranked per metric, highest first; ties share the smaller "
    "rank and missing values rank below all. Models are ordered by their mean rank over the 10 "
    "metrics; ties go to more metrics ranked first, then to the smaller sum of ranks, the higher "
    "sum of value / column maximum, and the model name."
)


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True)


class ProblemItem(Answer):
    """One thing to mend. `location` says whether `path` points into the form or into the file."""

    location: Literal["form", "file"]
    code: str
    path: str
    found: str
    expected: str
    fix: str


class ProblemDetails(Answer):
    """An error as RFC 9457 has it, with a stable `code` and what to do about it (`fix`)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    fix: str
    request_id: str
    error_count: int | None = Field(None, description="all problems; 'errors' lists the first 100")
    errors: list[ProblemItem] | None = None
    report: dict[str, Any] | None = Field(None, description="the validation report of the file")


class SubmissionReceipt(Answer):
    """A submission was accepted. The owner token is shown here only."""

    id: UUID
    state: Literal["accepted"] = "accepted"
    status_url: str
    owner_token: str

    @classmethod
    def of(cls, receipt: Receipt) -> SubmissionReceipt:
        """Return the answer to a new submission."""
        return cls(
            id=receipt.submission_id,
            status_url=f"{API}/submissions/{receipt.submission_id}",
            owner_token=receipt.owner_token,
        )


class Step(Answer):
    """A change of state."""

    state: str
    at: datetime


class Failure(Answer):
    """Why a submission got no scores."""

    code: str
    reason: str


class EntryLink(Answer):
    """Where a submission's entry is; `rank` is set once the board is ranked with it."""

    id: UUID
    board: Board
    model_name: str
    organization: str
    rank: int | None
    url: str
    page: str


class SubmissionStatus(Answer):
    """How a submission fares. What is null without the owner token is in `OwnedSubmission`."""

    id: UUID
    state: Literal["accepted", "scored", "ranked", "failed"]
    final: bool
    timeline: list[Step]
    ahead: int | None = Field(None, description="submissions that wait for scores longer")
    judging: JudgingStatus


class OwnedSubmission(SubmissionStatus):
    """What the owner sees in addition."""

    failure: Failure | None
    entry: EntryLink | None
    file_sha256: str
    file_bytes: int
    ground_truth_version: str
    report: dict[str, Any]


def submission_status(status: Status, judging: Judging) -> SubmissionStatus:
    """Return the status as its asker may see it; the contact is never part of it."""
    submission = status.submission
    facts: dict[str, Any] = {
        "id": submission.id,
        "state": submission.state,
        "final": submission.state in ("ranked", "failed"),
        "timeline": [Step(state=state, at=at) for state, at in submission.timeline],
        "ahead": status.ahead,
        "judging": judging_status(judging, owner=status.owner),
    }
    if not status.owner:
        return SubmissionStatus(**facts)
    return OwnedSubmission(
        **facts,
        failure=_failure(submission.failure_code, submission.failure_reason),
        entry=_entry_link(status),
        file_sha256=submission.file_sha256,
        file_bytes=submission.file_bytes,
        ground_truth_version=submission.ground_truth_version,
        report=dict(submission.report),
    )


def _failure(code: str | None, reason: str | None) -> Failure | None:
    return Failure(code=code, reason=reason) if code and reason else None


def _entry_link(status: Status) -> EntryLink | None:
    entry = status.submission.entry
    if entry is None or entry.removed:
        return None
    page = "/" if entry.board == "official" else "/community"
    return EntryLink(
        id=entry.id,
        board=entry.board,
        model_name=entry.model_name,
        organization=entry.organization,
        rank=status.rank,
        url=f"{API}/leaderboards/{entry.board}",
        page=f"{page}#entry-{entry.id}",
    )


class Column(Answer):
    """A metric of the board."""

    key: str
    label: str
    task: str
    step: int = Field(description="1: computed from the file; 2: judged by a language model")
    direction: Literal["higher"] = "higher"
    min: float
    max: float
    description: str


COLUMNS: Final = [
    Column(
        key=metric.key,
        label=metric.label,
        task=metric.task,
        step=metric.step,
        min=metric.minimum,
        max=metric.maximum,
        description=metric.description,
    )
    for metric in METRICS
]


class LeaderboardEntry(Answer):
    """A ranked model; values are rounded to 3 decimals, null where there is none."""

    # Whatever else a snapshot's row may hold one day is not served by accident.
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    rank: int = Field(ge=1)
    entry_id: UUID
    model_name: str
    organization: str
    team: str | None = None
    authors: str | None = None
    model_url: str | None = None
    track: str | None = None
    badges: list[str] = []
    submitted_on: date
    verified_on: date | None = None
    submission_id: UUID | None = None
    mean_rank: float
    values: dict[str, float | None]
    ranks: dict[str, int]


class Leaderboard(Answer):
    """A board in one scoring."""

    board: Board
    scoring: Scoring
    revision: int
    updated_at: datetime | None = Field(description="null: nothing was ranked yet")
    columns: list[Column] = COLUMNS
    ranking_rule: str = RANKING_RULE
    entries: list[LeaderboardEntry]

    @classmethod
    def empty(cls, board: Board, scoring: Scoring) -> Leaderboard:
        """Return a board on which nothing was ranked yet."""
        return cls(board=board, scoring=scoring, revision=0, updated_at=None, entries=[])


class _Rows(BaseModel):
    rows: list[LeaderboardEntry]


def leaderboard(snapshot: Snapshot) -> Leaderboard:
    """Return a snapshot as it is served."""
    rows = _Rows.model_validate_json(b'{"rows":' + snapshot.content + b"}")
    return Leaderboard(
        board=snapshot.board,
        scoring=snapshot.scoring,
        revision=snapshot.revision,
        updated_at=snapshot.created_at,
        entries=rows.rows,
    )


class BoardSummary(Answer):
    """A board in the list of boards."""

    board: Board
    scoring: Scoring
    revision: int
    updated_at: datetime | None
    entries: int
    url: str
    page: str


class LeaderboardIndex(Answer):
    """The boards there are."""

    boards: list[BoardSummary]
    columns: list[Column] = COLUMNS
    ranking_rule: str = RANKING_RULE


def board_url(board: Board, scoring: Scoring) -> str:
    """Return where a board's JSON is."""
    return f"{API}/leaderboards/{board}" + ("" if scoring == "compat" else f"?scoring={scoring}")


def page_url(board: Board, scoring: Scoring) -> str:
    """Return where a board's page is."""
    page = "/" if board == "official" else f"/{board}"
    return page + ("" if scoring == "compat" else f"?scoring={scoring}")


def index(boards: list[Leaderboard]) -> LeaderboardIndex:
    """Return the list of boards."""
    return LeaderboardIndex(
        boards=[
            BoardSummary(
                board=board.board,
                scoring=board.scoring,
                revision=board.revision,
                updated_at=board.updated_at,
                entries=len(board.entries),
                url=board_url(board.board, board.scoring),
                page=page_url(board.board, board.scoring),
            )
            for board in boards
        ]
    )
