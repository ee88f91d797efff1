"""What administrators get: entries, boards as files, the audit log, operations."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from medvid.benchmark.tasks import Board
from medvid.models.base import Answer, NumberedPage, Open, Page
from medvid.models.boards import FACTS_SAID
from medvid.models.facts import FACTS_HELD, ModelFacts
from medvid.models.jobs import (  # noqa: F401 - the names that clients import from here
    Bridge,
    BridgeDifference,
    BridgeEntry,
    BridgeMetric,
    DifferenceRow,
    FailureView,
    Figure,
    JobsPage,
    RankMove,
    RescoreDetail,
    RescoreJobView,
    SeriesDifference,
    StayingEntry,
    SuccessionEstimate,
    UnrankedEntry,
)
from medvid.models.judging import JudgeInForce

Kind = Literal["added", "changed", "unchanged", "kept"]
"""What becomes of a row of an import."""
LetterState = Literal["open", "replayed", "discarded"]
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
