"""What the API answers about boards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from medvid.benchmark.disclosure import FEWEST_ANSWERS, Withheld
from medvid.benchmark.tasks import METRICS, Board, Ranking, Scoring
from services.gateway.boards.cursors import BoardCursor, Form
from services.gateway.boards.store import Snapshot
from services.gateway.boards.urls import board_url, csv_url, page_url
from services.gateway.web.models import Answer
from services.gateway.web.urls import url

_TIES: Final[Mapping[Ranking | None, str]] = {
    "competition": "ties share the smaller rank (1, 2, 2, 4)",
    "dense": "ties share a rank and none is skipped (1, 2, 2, 3)",
    None: "ties share the smaller rank (1, 2, 2, 4; where a board's ranking is dense 1, 2, 2, 3)",
}


def ranking_rule(ranking: Ranking | None = None) -> str:
    """Return the rule in words: a board's own, or that of all boards."""
    return (
        "Values are rounded to 4 decimals, then to 3, and ranked per metric, highest first; "
        f"{_TIES[ranking]} and missing values rank below all. A value of fewer than "
        f"{FEWEST_ANSWERS} answers, or of fewer than half of a metric's samples, is not shown and "
        "counts as missing. Models are ordered by their mean "
        "rank over the 10 metrics; ties go to more metrics ranked first, then to the smaller sum "
        "of ranks, the higher sum of value / column maximum, and the model name. A model without "
        "any value in a scoring is not ranked in it."
    )


RANKING_RULE: Final = ranking_rule()


class Column(Answer):
    """A metric of the board."""

    key: str
    label: str
    task: str
    step: int = Field(description="1: computed from the file; 2: judged by a language model")
    direction: Literal["higher"] = Field("higher", description="which values are better")
    unit: Literal["share", "points"] = Field(description="share: of 1; points: by the judge")
    min: float
    max: float
    description: str


COLUMNS: Final = [
    Column(
        key=metric.key,
        label=metric.label,
        task=metric.task,
        step=metric.step,
        unit="share" if metric.step == 1 else "points",
        min=metric.minimum,
        max=metric.maximum,
        description=metric.description,
    )
    for metric in METRICS
]


class LeaderboardEntry(Answer):
    """A model on a board; values are rounded to 3 decimals, null where there is none."""

    # Whatever else a snapshot's row may hold one day is not served by accident.
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    rank: int | None = Field(ge=1, description="null: not ranked, having no value at all")
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
    mean_rank: float | None = Field(description="null: not ranked")
    values: dict[str, float | None]
    ranks: dict[str, int] = Field(description="by metric; empty: not ranked")
    withheld: dict[str, Withheld] = Field(
        default_factory=dict,
        description="the metrics whose value is not shown, and so ranks as missing; and why",
    )


class Leaderboard(Answer):
    """A board in one scoring, or a page of it."""

    board: Board
    scoring: Scoring
    revision: int
    snapshot: int | None = Field(None, description="number of the snapshot that this shows")
    permalink: str | None = Field(None, description="where this very snapshot stays")
    updated_at: datetime | None = Field(description="null: nothing was ranked yet")
    columns: list[Column] = COLUMNS
    ranking: Ranking = Field(
        "competition", description="what follows ties: 1, 2, 2, 4 (competition) or 1, 2, 2, 3"
    )
    ranking_rule: str = Field(ranking_rule("competition"), description="the same and all else")
    track: str | None = Field(None, description="the track that the entries are narrowed to")
    total: int = Field(0, description="entries on all pages")
    next: str | None = Field(None, description="where the next page is; null: this is the last")
    entries: list[LeaderboardEntry] = Field(
        description="by rank; after these, by name, the ones that are not ranked"
    )

    @classmethod
    def empty(cls, board: Board, scoring: Scoring) -> Leaderboard:
        """Return a board on which nothing was ranked yet."""
        return cls(board=board, scoring=scoring, revision=0, updated_at=None, entries=[])


class _Rows(BaseModel):
    ranked: list[LeaderboardEntry]
    unranked: list[LeaderboardEntry]


def leaderboard(snapshot: Snapshot) -> Leaderboard:
    """Return a snapshot as it is served."""
    unranked = snapshot.unranked or b"[]"
    rows = _Rows.model_validate_json(
        b'{"ranked":' + snapshot.content + b',"unranked":' + unranked + b"}"
    )
    entries = rows.ranked + rows.unranked
    return Leaderboard(
        board=snapshot.board,
        scoring=snapshot.scoring,
        revision=snapshot.revision,
        snapshot=snapshot.id,
        permalink=url("api_snapshot", id=snapshot.id),
        updated_at=snapshot.created_at,
        ranking=snapshot.ranking,
        ranking_rule=ranking_rule(snapshot.ranking),
        total=len(entries),
        entries=entries,
    )


def page_of(
    board: Leaderboard, *, track: str | None, offset: int, limit: int | None, form: Form
) -> Leaderboard:
    """Return some of a board's entries, of one track or of all; ranks stay the whole board's."""
    entries = board.entries
    if track is not None:
        entries = [entry for entry in entries if entry.track == track]
    end = len(entries) if limit is None else min(offset + limit, len(entries))
    following = None
    if limit is not None and board.snapshot is not None and end < len(entries):
        cursor = BoardCursor(board.snapshot, end, limit, track).text()
        asked = {"cursor": cursor} | ({"format": form} if form == "csv" else {})
        following = url("api_board", board=board.board, query=asked)
    return board.model_copy(
        update={
            "track": track,
            "total": len(entries),
            "next": following,
            "entries": entries[offset:end],
        }
    )


class Track(Answer):
    """A track of a board."""

    name: str
    entries: int


class ScoringMode(Answer):
    """A way to score."""

    key: Scoring
    description: str


SCORING_MODES: Final = [
    ScoringMode(
        key="compat", description="As the published boards score, with their faults: comparable."
    ),
    ScoringMode(
        key="strict",
        description="Without these faults: every sample counts, also one that was not answered.",
    ),
]


class BoardSummary(Answer):
    """A board in the list of boards."""

    board: Board
    scoring: Scoring
    revision: int
    updated_at: datetime | None
    snapshot: int | None
    permalink: str | None
    ranking: Ranking = Field(description="what follows ties: 1, 2, 2, 4 or 1, 2, 2, 3")
    entries: int
    ranked: int = Field(description="those with a value in this scoring, and so with a rank")
    tracks: list[Track]
    url: str
    csv: str
    page: str


class LeaderboardIndex(Answer):
    """The boards there are."""

    boards: list[BoardSummary]
    scorings: list[ScoringMode] = SCORING_MODES
    columns: list[Column] = COLUMNS
    ranking_rule: str = RANKING_RULE


def index(boards: list[Leaderboard]) -> LeaderboardIndex:
    """Return the list of boards."""
    return LeaderboardIndex(
        boards=[
            BoardSummary(
                board=board.board,
                scoring=board.scoring,
                revision=board.revision,
                updated_at=board.updated_at,
                snapshot=board.snapshot,
                permalink=board.permalink,
                ranking=board.ranking,
                entries=len(board.entries),
                ranked=sum(entry.rank is not None for entry in board.entries),
                tracks=_tracks(board),
                url=board_url(board.board, board.scoring),
                csv=csv_url(board.board, board.scoring),
                page=page_url(board.board, board.scoring),
            )
            for board in boards
        ]
    )


def _tracks(board: Leaderboard) -> list[Track]:
    counts = Counter(entry.track for entry in board.entries if entry.track is not None)
    return [Track(name=name, entries=count) for name, count in sorted(counts.items())]
