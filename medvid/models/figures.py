"""What is read off a board beside its order: best over time, leaders of a task, size and cost."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Literal, get_args
from uuid import UUID

from pydantic import Field

from medvid.benchmark.tasks import METRIC_KEYS, Board, Scoring
from medvid.models.base import Answer, Open
from medvid.models.boards import Column

SizeFact = Literal["parameters", "active_parameters", "usd_per_sample", "seconds_per_sample"]
SIZE_FACTS: Final[tuple[SizeFact, ...]] = get_args(SizeFact)
"""The stated facts of which less is better."""
MEAN_RANK: Final = "mean_rank"
SCORES: Final = (MEAN_RANK, *METRIC_KEYS)
"""What such a fact is held against."""
_END: Final = "of the 95 % interval, of 4 decimals; null: there is none"


class BoardFigure(Answer):
    """Base: which board it is read off, in which scoring, and when that was ranked."""

    board: Open[Board]
    scoring: Open[Scoring]
    snapshot: int | None = Field(description="number of the snapshot; null: nothing is ranked yet")
    updated_at: datetime | None


class MeasuredValue(Answer):
    """A metric's value of an entry, as the board shows it."""

    entry_id: UUID
    model_name: str
    organization: str
    value: float = Field(description="of 3 decimals")
    low: float | None = Field(description=_END)
    high: float | None = Field(description=_END)


class BestStep(MeasuredValue):
    """A value above all that were submitted before it."""

    submitted_on: date


class MetricOverTime(Answer):
    """How the best value of a metric grew."""

    metric: str
    steps: list[BestStep] = Field(description="the earliest first; the last one is today's best")


class BestOverTime(BoardFigure):
    """The best value of each metric by the day of submission, of the entries that are listed now.

    Values that the board does not rank, as those of another judge, take no part.
    """

    metrics: list[MetricOverTime] = Field(description="in the order of the columns")


class TaskLeader(MeasuredValue):
    """One of the best entries of a metric."""

    rank: int = Field(ge=1, description="in this metric")
    by_source: dict[str, float | None] = Field(
        description="values of 4 decimals by source dataset; null: too few answers, or none; "
        "empty: not known, as with imported numbers"
    )


class SourceLeader(Answer):
    """The best entry within one source dataset."""

    source: str
    models: int = Field(description="entries whose value in this source is shown")
    entry_id: UUID
    model_name: str
    organization: str
    value: float = Field(description="of 4 decimals")


class MetricLeaders(Answer):
    """The leaders of a metric: over all of the test set, and within each source dataset."""

    column: Column
    models: int = Field(description="entries with a value that ranks")
    leaders: list[TaskLeader] = Field(description="the ten best")
    sources: list[SourceLeader]


class TaskLeaders(BoardFigure):
    """A task's leaders on a board."""

    task: str
    metrics: list[MetricLeaders]


class SizedModel(Answer):
    """An entry by a stated fact and a score."""

    entry_id: UUID
    model_name: str
    organization: str
    fact: float = Field(description="as stated: parameters, US dollars or seconds of a sample")
    score: float
    low: float | None = Field(description=_END)
    high: float | None = Field(description=_END)
    on_front: bool = Field(
        description="no other entry is as small or cheap and as good, and better in one of these"
    )


class UnsizedModel(Answer):
    """An entry of which the fact is unknown."""

    entry_id: UUID
    model_name: str
    organization: str
    score: float


class SizeAndCost(BoardFigure):
    """What the scores of a board's entries cost: in parameters, dollars or seconds."""

    fact: Open[SizeFact]
    score: str = Field(description="a metric, or mean_rank")
    better: Open[Literal["higher", "lower"]] = Field(description="which scores are better")
    models: list[SizedModel] = Field(description="the smallest first; of equal ones the best first")
    unknown: list[UnsizedModel] = Field(
        description="entries of which nobody stated the fact, in the board's order"
    )
    without_score: int = Field(description="entries that have no such score")
