"""Entries compared: side by side, of both boards, and whether chance explains how two differ."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from medvid.benchmark.tasks import Board, Scoring
from medvid.models.base import SCHEMA_MEANING, SCHEMA_VERSION, Answer, Open
from medvid.models.boards import BoardSummary, LeaderboardEntry


class MetricDifference(Answer):
    """One entry less another in a metric, both as shown; of 4 decimals.

    Without replicates of one ground truth, code and judge the difference stands alone.
    """

    difference: float
    se: float | None = Field(None, description="standard error of the paired difference")
    low: float | None = Field(None, description="of its 95 % interval")
    high: float | None = None
    p: float | None = Field(None, description="two-sided, against no difference")
    p_holm: float | None = Field(None, description="adjusted for the number of metrics (Holm)")
    few_videos: bool | None = Field(
        None, description="fewer than 15: not decided; null: without replicates"
    )


class NotCompared(Answer):
    """Why no difference is claimed in a metric of which both show a value."""

    reason: Open[Literal["different_judges"]] = "different_judges"
    a: str = Field(description="the series of the first value")
    b: str


class EntryComparison(Answer):
    """How two entries of a board differ, and whether chance explains it."""

    a: UUID
    b: UUID
    scoring: Open[Scoring]
    ground_truth_version: str | None = Field(
        description="that both were scored on; null: not on one, or without replicates"
    )
    statistics_version: str | None = Field(description="null: without replicates")
    metrics: dict[str, MetricDifference] = Field(
        description="a less b, in the metrics of which both show a value that can be compared"
    )
    not_compared: dict[str, NotCompared] = Field(
        default_factory=dict,
        description="the metrics whose values come from different judges: no difference is claimed",
    )
    minimum_detectable: dict[str, float | None] = Field(
        description=(
            "by metric, the difference that a comparison on this board finds with 80 % power at "
            "5 % two-sided; null: not known"
        )
    )


class PlacedEntry(LeaderboardEntry):
    """A row with the board that it stands on."""

    board: Open[Board]


class ComparedModel(PlacedEntry):
    """The same with the ends of its values' 95 % intervals."""

    intervals: dict[str, tuple[float, float]] = Field(description="by metric, as far as known")


class SideBySide(Answer):
    """Models side by side, as they were asked for."""

    schema_version: int = Field(SCHEMA_VERSION, description=SCHEMA_MEANING)
    scoring: Open[Scoring]
    models: list[ComparedModel]
    comparisons: list[EntryComparison] = Field(
        description="of each other model with the first; without those that left their board since"
    )


class BothBoards(Answer):
    """The models of both boards; each rank is on the model's own board."""

    schema_version: int = Field(SCHEMA_VERSION, description=SCHEMA_MEANING)
    scoring: Open[Scoring]
    boards: list[BoardSummary]
    filters: dict[str, Any] = Field(
        default_factory=dict, description="the facts that the entries are narrowed by; empty: none"
    )
    total: int
    entries: list[PlacedEntry] = Field(description="by board, and by rank on it")
