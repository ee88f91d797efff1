"""What the API answers about boards."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.ports import Snapshot
from services.gateway.wire import API, Answer
from shared.benchmark.tasks import METRICS, Board, Scoring

RANKING_RULE: Final = (
    "Values are rounded to 3 decimals and ranked per metric, highest first; ties share the smaller "
    "rank and missing values rank below all. Models are ordered by their mean rank over the 10 "
    "metrics; ties go to more metrics ranked first, then to the smaller sum of ranks, the higher "
    "sum of value / column maximum, and the model name."
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
    badges: list[str] = Field(default_factory=list)
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
