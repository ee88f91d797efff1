"""What administrators get of jobs that compute values anew, and of what these would change."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from medvid.benchmark.tasks import Board, Scoring
from medvid.models.base import Answer, Open, Page
from medvid.models.boards import BoardSeries

JobState = Literal["scoring", "reading", "judging", "scored", "ready", "applied", "discarded"]
JobKind = Literal["rescore", "reread", "succession"]


class RescoreJobView(Answer):
    """A re-score job and how far it is.

    scoring, scored (its difference is being computed), ready, then applied or discarded. One that
    reads a judge's replies again is reading first, one that has entries judged anew is judging.
    """

    id: UUID
    state: Open[JobState]
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
    kind: Open[JobKind] = Field("rescore", description="what is computed anew")
    judge_version: str | None = Field(
        None, description="which values of a job about judged values get"
    )
    from_judge_version: str | None = Field(None, description="which they have")
    parser: str | None = Field(None, description="by which a reread job reads replies")


class JobsPage(Page):
    """Jobs, newest first; `next_cursor` is null on the last page."""

    jobs: list[RescoreJobView]
    next_cursor: str | None


class RankMove(Answer):
    """A displayed rank before and after; null: not ranked, having no value."""

    before: int | None
    after: int | None

    @property
    def direction(self) -> Literal["up", "down", ""]:
        """Which way it moves; an entry without a rank stands below all."""
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


class SeriesDifference(Answer):
    """What another series would do to a board's ranks: every entry, in the order after."""

    board: Open[Board]
    revision: int = Field(description="of the board that was compared; name it to apply")
    before: BoardSeries
    after: BoardSeries
    scorings: dict[Open[Scoring], list[DifferenceRow]]


class FailureView(Answer):
    """An entry that could not be scored anew."""

    entry_id: UUID
    model_name: str
    code: str
    reason: str


class StayingEntry(Answer):
    """An entry whose values stay another judge's, or published ones."""

    entry_id: UUID
    board: Open[Board]
    model_name: str
    code: str
    reason: str


class UnrankedEntry(Answer):
    """An entry whose judged values rank today and would count as missing afterwards."""

    entry_id: UUID
    board: Open[Board]
    model_name: str


class SuccessionEstimate(Answer):
    """What it takes to have entries judged by the judge that runs now."""

    judge_version: str
    stub: bool
    entries: int = Field(description="that would be judged")
    unknown: int = Field(description="of them, those whose pairs are not known before: not counted")
    pairs: int = Field(description="distinct ones, by the newest run of each entry")
    repeats: int
    cached: int = Field(description="verdicts that are known already and cost nothing")
    calls: int = Field(description="name them to start: it is refused where it takes more by then")
    usd: float
    seconds: float
    stays: list[StayingEntry] = Field(description="entries that cannot be judged, and why")
    unranked: list[UnrankedEntry] = Field(
        [],
        description="entries whose judged values rank today, and count as missing once these are "
        "applied, as the boards go over to this judge",
    )


class BridgeDifference(Answer):
    """By the new judge less by the old, with the standard error and 95 % interval."""

    difference: float
    se: float | None = Field(description="null: without paired replicates")
    low: float | None
    high: float | None


class BridgeMetric(BridgeDifference):
    """A metric by two judges: mean difference over entries, and correlations."""

    entries: int
    pearson: float | None = Field(description="of entries' values; null: fewer than three")
    spearman: float | None
    pairs: int = Field(description="verdicts that both judges gave")
    pairs_difference: float | None = Field(description="of a pair's mean score, mean over pairs")
    pairs_pearson: float | None
    pairs_spearman: float | None


class BridgeEntry(Answer):
    """An entry's differences by metric."""

    entry_id: UUID
    model_name: str
    metrics: dict[str, BridgeDifference]


class Bridge(Answer):
    """How the values of a new judge version lie beside those in force."""

    metrics: dict[str, BridgeMetric]
    entries: list[BridgeEntry]


class RescoreDetail(Answer):
    """A job with its difference."""

    job: RescoreJobView
    boards: dict[Open[Board], dict[Open[Scoring], list[DifferenceRow]]] | None = Field(
        description="every board in both scorings; null: not computed yet"
    )
    left_out: list[UUID] = Field(
        description="listed entries that the job does not cover, scored otherwise than it scores"
    )
    judged_otherwise: list[UUID] = Field(
        description="its entries whose judged scores are of another ground truth or older code"
    )
    failures: list[FailureView]
    bridge: Bridge | None = Field(
        None, description="between the two judges, of a job about judged values"
    )
    stays: list[StayingEntry] = Field(
        default_factory=list, description="entries of its boards whose values stay another judge's"
    )
    unranked: list[UnrankedEntry] = Field(
        default_factory=list,
        description="entries whose judged values rank today, and count as missing once it is "
        "applied: apply it with `leave_unranked`",
    )
    runs: dict[str, int] = Field(
        default_factory=dict,
        description="its unfinished judge runs, by state or by the reason of their pause",
    )
