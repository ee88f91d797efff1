"""Boards and their entries."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from medvid.api.answers import Answer
from medvid.api.judging_answers import JudgeResult
from medvid.api.submission_answers import Similarity


class Column(Answer):
    """A metric of the board."""

    key: str
    label: str
    task: str
    step: int
    unit: str
    direction: str
    min: float
    max: float
    description: str


class LeaderboardEntry(Answer):
    """A model on a board; a value is None where there is none.

    Without any value it is not ranked: `rank` and `mean_rank` are None, `ranks` is empty.
    """

    rank: int | None
    entry_id: UUID
    model_name: str
    organization: str
    team: str | None = None
    authors: str | None = None
    model_url: str | None = None
    track: str | None = None
    badges: list[str] = Field([])
    submitted_on: date
    verified_on: date | None = None
    submission_id: UUID | None = None
    mean_rank: float | None
    values: dict[str, float | None]
    ranks: dict[str, int]
    withheld: dict[str, str] = Field({})


class Leaderboard(Answer):
    """A board in one scoring, or a page of it; `next` is the address of the next one.

    `ranking` says what follows ties: 1, 2, 2, 4 (competition) or 1, 2, 2, 3 (dense). Entries that
    are not ranked come last.
    """

    board: str
    scoring: str
    revision: int
    snapshot: int | None
    permalink: str | None
    updated_at: datetime | None
    columns: list[Column]
    ranking: str = "competition"
    ranking_rule: str
    track: str | None
    total: int
    next: str | None
    entries: list[LeaderboardEntry]


class Track(Answer):
    """A track of a board."""

    name: str
    entries: int


class ScoringMode(Answer):
    """A way to score."""

    key: str
    description: str


class BoardSummary(Answer):
    """A board in the list of boards; `ranked` counts the entries that have a rank."""

    board: str
    scoring: str
    revision: int
    updated_at: datetime | None
    snapshot: int | None
    permalink: str | None
    ranking: str = "competition"
    entries: int
    ranked: int | None = None
    tracks: list[Track]
    url: str
    csv: str
    page: str


class LeaderboardIndex(Answer):
    """The boards there are."""

    boards: list[BoardSummary]
    scorings: list[ScoringMode]
    columns: list[Column]
    ranking_rule: str


class SourceScore(Answer):
    """A metric within one source dataset; samples, or judged pairs, that count, and all."""

    compat: float | None
    strict: float | None
    answered: int | None
    expected: int | None
    withheld: str | None = None


class Provenance(Answer):
    """What a score was computed from, and with."""

    ground_truth_version: str
    metric_version: str
    judge_version: str | None
    file_sha256: str


class EntryScore(Answer):
    """One metric of an entry; what is None is not known, as with imported numbers.

    Where too few samples were answered, values are None and `withheld` says why.
    """

    metric: str
    compat: float | None
    strict: float | None
    withheld: str | None = None
    answered: int | None
    expected: int | None
    coverage: float | None
    by_source: dict[str, SourceScore]
    provenance: Provenance | None


class Place(Answer):
    """The rank of an entry in one scoring, among `of` ranked ones; None: it is not ranked."""

    scoring: str
    rank: int | None
    of: int
    mean_rank: float | None
    ranks: dict[str, int]


class RankSpan(Answer):
    """A rank for as long as it lasted; `until` None: it has this rank now."""

    scoring: str
    rank: int
    since: datetime
    until: datetime | None
    snapshot: str


class EntryDetails(Answer):
    """Everything that is public about an entry."""

    id: UUID
    board: str
    model_name: str
    organization: str
    team: str | None
    authors: str | None
    model_url: str | None
    track: str | None
    badges: list[str]
    submitted_on: date
    verified_on: date | None
    submission_id: UUID | None
    url: str
    page: str
    places: list[Place]
    scores: list[EntryScore]
    similarities: dict[str, Similarity | None] = Field({})
    judge: JudgeResult | None
    history: list[RankSpan]
