"""What administrators get: entries, boards as files, the audit log, operations."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from medvid.benchmark.tasks import Board, Scoring
from medvid.models.base import Answer, NumberedPage, Open, Page
from medvid.models.boards import FACTS_SAID, BoardSeries
from medvid.models.facts import FACTS_HELD, ModelFacts
from medvid.models.judging import JudgeInForce

Kind = Literal["added", "changed", "unchanged", "kept"]
"""What becomes of a row of an import."""
LetterState = Literal["open", "replayed", "discarded"]
JobState = Literal["scoring", "reading", "judging", "scored", "ready", "applied", "discarded"]
JobKind = Literal["rescore", "reread", "succession"]
EndpointState = Literal["serving", "drained", "other_model"]
CostsBy = Literal["run", "submission", "judge", "endpoint", "day"]
"""What a line of costs is of."""


class ChangeAnswer(Answer):
    """Whether an action changed anything."""

    changed: bool


class ManagedEntryView(Answer):
    """An entry as administrators see it."""

    id: UUID
    board: Open[Board]
    model_name: str
    organization: str
    team: str | None
    authors: str | None
    model_url: str | None
    track: str | None
    badges: list[str]
    submission_id: UUID | None
    submitted_on: date
    verified_on: date | None
    verification_note: str | None
    listed: bool = Field(description="false until it has scores")
    removed_at: datetime | None
    contact: str | None
    stub_judged: bool = Field(description="some scores come from the stand-in judge")
    facts: ModelFacts | None = Field(None, description=FACTS_SAID)
    facts_held: list[str] = Field(default_factory=list, description=FACTS_HELD)


class EntryAction(Answer):
    """An entry after an action; `changed` is false where it was so before."""

    entry: ManagedEntryView
    changed: bool


class EntriesPage(Page):
    """Entries by name; `next_cursor` is null on the last page."""

    entries: list[ManagedEntryView]
    next_cursor: str | None


class FieldChange(Answer):
    """A field that differs: as it is on the board, and as the file has it."""

    before: Any
    after: Any


class RowChangeView(Answer):
    """What becomes of one row; 'kept': the board has the name with other fields, which stay."""

    board: Open[Board]
    kind: Open[Kind]
    model_name: str
    entry_id: UUID | None = Field(description="null: not there before")
    fields: dict[str, FieldChange]


class ImportAnswer(Answer):
    """What became of each row, or would in a dry run."""

    dry_run: bool
    counts: dict[Open[Kind], int]
    rows: list[RowChangeView]


class AuditLineView(Answer):
    """One admin action: who did what to which subject, what changed, and why."""

    id: int
    at: datetime
    who: str = Field(description="'administrator', 'key:ID', or 'operator' (on the server)")
    action: str
    subject_kind: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    why: str
    request_id: str


class AuditPage(Page):
    """Lines, newest first; `next_cursor` is null on the last page."""

    lines: list[AuditLineView]
    next_cursor: str | None


class DeadLetterView(Answer):
    """A message that could not be handled."""

    id: int
    state: Open[LetterState]
    queue: str
    type: str | None = Field(description="null: it could not be read")
    reason: str
    detail: str
    attempts: int
    died_at: datetime
    replayed_at: datetime | None
    discarded_at: datetime | None
    message: dict[str, Any] | None = Field(description="null: it cannot be replayed")


class LettersPage(Page):
    """Dead letters, newest first; `next_cursor` is null on the last page."""

    letters: list[DeadLetterView]
    next_cursor: str | None


class LetterOutcome(Answer):
    """What became of one letter; `changed` is false where it was closed before."""

    id: int
    changed: bool
    problem: str | None = Field(None, description="why it stays open")


class LettersAnswer(Answer):
    """What became of each letter."""

    letters: list[LetterOutcome]


class GroundTruthView(Answer):
    """A version of the ground truth; its content is never served."""

    version: str
    samples: int
    current: bool = Field(description="uploads are checked against it")
    loaded_at: datetime
    submissions: int = Field(description="that were checked against it")


class GroundTruthList(Answer):
    """All versions, the one loaded or chosen last first."""

    versions: list[GroundTruthView]


class LoadedView(Answer):
    """A file that was loaded; `new` is false where its version was there."""

    version: str
    samples: int
    new: bool
    current: bool


class JudgingView(Answer):
    """Whether judging is held, and its runs by state."""

    held_at: datetime | None = Field(description="null: judging continues")
    held_why: str | None
    judge_version: str | None
    judge: JudgeInForce
    runs: dict[str, int]


class PoolEndpointView(Answer):
    """One endpoint of the judge's pool; neither its address nor its key."""

    name: str
    judge_version: str = Field(description="that it serves")
    state: Open[EndpointState]
    why: str | None = Field(description="of the administrator, or what it serves instead")
    changed_at: datetime
    down: str | None = Field(description="why its calls are held back now; null: they are not")
    seen_at: datetime = Field(description="by a judge that has it in its file")
    spent_usd: float = Field(description="this month (UTC), settled")


class PoolEndpoints(Answer):
    """The endpoints of the judge's pool."""

    endpoints: list[PoolEndpointView]


class CostLine(Answer):
    """What judging cost of one run, submission, judge version, endpoint or day."""

    name: str = Field(description="an id, a judge version, an endpoint or a day; 'unknown'")
    model: str | None = Field(description="of runs and submissions the entry's, else the judge's")
    spent_usd: float
    estimated_usd: float | None = Field(
        description="by the first plan of each run, on the day it was made; null: none was"
    )
    runs: int
    first_day: date = Field(description="UTC")
    last_day: date


class CostsPage(NumberedPage):
    """A page of costs; the sums are of all pages, and what the caps count.

    `set_aside_usd`: by calls under way now, of all runs.
    """

    spent_usd: float
    estimated_usd: float | None
    set_aside_usd: float
    lines: list[CostLine]


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
