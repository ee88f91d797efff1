"""Two entries of a board compared: differences, and whether chance explains them."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from medvid.benchmark.tasks import Scoring
from medvid.models.base import Answer, Open


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
