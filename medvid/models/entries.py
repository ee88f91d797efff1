"""An entry of a board: its places, its scores, and how firm they are."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from uuid import UUID

from pydantic import Field

from medvid.benchmark.disclosure import Withheld
from medvid.benchmark.series import NotRanked
from medvid.benchmark.tasks import Board, Scoring
from medvid.models.base import SCHEMA_MEANING, SCHEMA_VERSION, Answer, Open
from medvid.models.boards import (
    FACTS_SAID,
    SENT_BEFORE,
    WHY_WITHHELD,
    BoardSeries,
    SentBefore,
)
from medvid.models.facts import FACTS_HELD, FactChange, ModelFacts
from medvid.models.judging import JudgeResult
from medvid.models.notes import PublicNote


class SourceSimilarity(Answer):
    """A similarity within one source dataset."""

    value: float | None = Field(description="of 2 decimals")
    pairs: int | None = Field(
        description="null: withheld with the value; of dense captions to two digits"
    )
    withheld: Open[Withheld] | None = Field(
        None, description="why there is no value; null: none is"
    )


class Similarity(SourceSimilarity):
    """Mean cosine similarity of captions and references, by MiniLM sentence embeddings."""

    value: float | None = Field(description="from -1 to 1, of 2 decimals")
    distinct_pairs: int | None
    by_source: dict[str, SourceSimilarity]


class Interval(Answer):
    """How firm a value is: over 1,000 test sets of whole videos drawn anew; of 4 decimals."""

    se: float | None = Field(description="standard error; null: too few videos, or undefined")
    low: float | None = Field(description="of the 95 % interval")
    high: float | None
    clusters: int = Field(description="videos that the value rests on")
    undefined: int = Field(description="of the 1,000, those in which there is no value")
    few_videos: bool = Field(description="fewer than 15: the interval covers less than 95 %")


Intervals = dict[Open[Scoring], Interval | None]
_INTERVALS: Final = "by scoring; null: no value is shown, or it was computed before there were any"


class SourceScore(Answer):
    """A metric within one source dataset."""

    compat: float | None
    strict: float | None
    answered: int | None = Field(
        description="samples, or judged pairs, that count; null: withheld with the value"
    )
    expected: int | None = Field(description="those that there are; null: pairs that are withheld")
    withheld: Open[Withheld] | None = Field(None, description=WHY_WITHHELD)
    intervals: Intervals = Field(default_factory=dict, description=_INTERVALS)


class Provenance(Answer):
    """What a score was computed from, and with."""

    ground_truth_version: str = Field(description="SHA-256 of the test set")
    metric_version: str = Field(description="version of the metric's code")
    judge_version: str | None = Field(description="null: no judge had a part in it")
    file_sha256: str = Field(description="of the unpacked predictions file")


class EntryScore(Answer):
    """One metric of an entry; values have 4 decimals."""

    metric: str
    compat: float | None
    strict: float | None
    withheld: Open[Withheld] | None = Field(None, description=WHY_WITHHELD)
    answered: int | None = Field(
        description="null: not known, as with imported numbers, or withheld with the value"
    )
    expected: int | None
    coverage: float | None = Field(description="answered / expected, of 4 decimals")
    by_source: dict[str, SourceScore]
    intervals: Intervals = Field(default_factory=dict, description=_INTERVALS)
    provenance: Provenance | None = Field(description="null: imported from a publication")


class Place(Answer):
    """Where an entry stands in one scoring."""

    scoring: Open[Scoring]
    rank: int | None = Field(ge=1, description="null: not ranked, having no value in this scoring")
    of: int = Field(description="entries that the board ranks")
    mean_rank: float | None = Field(description="null: not ranked")
    ranks: dict[str, int] = Field(description="by metric; empty: not ranked")
    not_ranked: dict[str, Open[NotRanked]] = Field(
        default_factory=dict,
        description="the judged metrics whose value counts as missing, and why",
    )


class SeriesBreak(Answer):
    """When a board went over to another judge: values and ranks on either side do not compare."""

    at: datetime
    before: str | None
    after: str | None
    snapshot: str = Field(description="the first board of the new series, while that is kept")


class RankSpan(Answer):
    """A rank for as long as it lasted."""

    scoring: Open[Scoring]
    rank: int = Field(ge=1)
    since: datetime
    until: datetime | None = Field(description="null: it stands there now")
    snapshot: str = Field(description="the first board that shows it, while that is kept")


class EntryDetails(Answer):
    """Everything that is public about an entry."""

    schema_version: int = Field(SCHEMA_VERSION, description=SCHEMA_MEANING)
    id: UUID
    board: Open[Board]
    model_name: str
    organization: str
    team: str | None
    authors: str | None
    model_url: str | None
    track: str | None
    badges: list[str]
    submitted_on: date
    verified_on: date | None
    submission_id: UUID | None = Field(description="null: added by hand or imported")
    sent_before: SentBefore | None = Field(None, description=SENT_BEFORE)
    facts: ModelFacts | None = Field(None, description=FACTS_SAID)
    facts_held: list[str] = Field(default_factory=list, description=FACTS_HELD)
    fact_changes: list[FactChange] = Field(
        default_factory=list, description="the newest 50 changes of its facts, newest first"
    )
    notes: list[PublicNote] = Field(
        default_factory=list,
        description="the newest 100 published objections, and notes of administrators",
    )
    url: str
    page: str
    places: list[Place] = Field(description="empty for a moment after the entry is listed")
    scores: list[EntryScore] = Field(description="in the order of the board's columns")
    similarities: dict[str, Similarity | None] = Field(
        default_factory=dict,  # of servers of version 0.1
        description="how near captions are to their references; never ranked; null: not measured",
    )
    judge: JudgeResult | None = Field(description="what the judged scores rest on")
    history: list[RankSpan] = Field(description="the newest 1,000 ranks, newest first")
    series: BoardSeries | None = Field(None, description="that of the entry's board now")
    breaks: list[SeriesBreak] = Field(
        default_factory=list, description="the board's changes of series, newest first"
    )
