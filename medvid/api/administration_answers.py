"""Answers to administrators."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from medvid.api.answers import Answer, Page


class Change(Answer):
    """Whether an action changed anything: done twice, it does not."""

    changed: bool


class ManagedEntry(Answer):
    """An entry with what is not public; `listed` is false until it has scores."""

    id: UUID
    board: str
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
    listed: bool
    removed_at: datetime | None
    contact: str | None
    stub_judged: bool


class EntryChange(Answer):
    """An entry after an action."""

    entry: ManagedEntry
    changed: bool


class ManagedEntryPage(Page):
    """A page of entries, by name."""

    entries: list[ManagedEntry]


class BeforeAfter(Answer):
    """A value before and after."""

    before: Any
    after: Any


class RowChange(Answer):
    """What becomes of one row: added, changed, unchanged or kept (it differs, and stays)."""

    board: str
    kind: str
    model_name: str
    entry_id: UUID | None
    fields: dict[str, BeforeAfter]


class BoardImport(Answer):
    """What became of each row, or would in a dry run; `counts` by kind."""

    dry_run: bool
    counts: dict[str, int]
    rows: list[RowChange]


class AuditLine(Answer):
    """What somebody did to which subject, what changed, and why."""

    id: int
    at: datetime
    who: str
    action: str
    subject_kind: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    why: str
    request_id: str


class AuditPage(Page):
    """A page of the audit log, newest first."""

    lines: list[AuditLine]


class DeadLetter(Answer):
    """A message that could not be handled; without `message` it cannot be replayed."""

    id: int
    state: str
    queue: str
    type: str | None
    reason: str
    detail: str
    attempts: int
    died_at: datetime
    replayed_at: datetime | None
    discarded_at: datetime | None
    message: dict[str, Any] | None


class DeadLetterPage(Page):
    """A page of dead letters, newest first."""

    letters: list[DeadLetter]


class LetterOutcome(Answer):
    """What became of one letter; `problem` says why it stays open."""

    id: int
    changed: bool
    problem: str | None = None


class LetterOutcomes(Answer):
    """What became of each letter."""

    letters: list[LetterOutcome]


class GroundTruthVersion(Answer):
    """A version of the ground truth; uploads are checked against the current one."""

    version: str
    samples: int
    current: bool
    loaded_at: datetime
    submissions: int


class GroundTruthVersions(Answer):
    """All versions, the one loaded or chosen last first."""

    versions: list[GroundTruthVersion]


class LoadedGroundTruth(Answer):
    """A file that was loaded; `new` is false where its version was there before."""

    version: str
    samples: int
    new: bool
    current: bool


class JudgingState(Answer):
    """Whether judging is paused (`held_at`), and the number of runs by state."""

    held_at: datetime | None
    held_why: str | None
    judge_version: str | None
    runs: dict[str, int]


class RescoreJob(Answer):
    """A re-score job: scoring, scored, ready, then applied or discarded."""

    id: UUID
    state: str
    ground_truth_version: str
    metric_version: str | None
    requested_by: str
    why: str
    created_at: datetime
    changed_at: datetime
    items: int
    scored: int
    failed: int
    preview: int


class RescoreJobPage(Page):
    """A page of jobs, newest first."""

    jobs: list[RescoreJob]


class DifferenceRow(Answer):
    """An entry before and after; `values` are the metrics that change, a rank may be None."""

    entry_id: UUID
    model_name: str
    rescored: bool
    rank: BeforeAfter
    mean_rank: BeforeAfter
    values: dict[str, BeforeAfter]


class RescoreFailure(Answer):
    """An entry that could not be scored."""

    entry_id: UUID
    model_name: str
    code: str
    reason: str


class Rescore(Answer):
    """A job with its difference: rows by board and scoring, None until it is computed."""

    job: RescoreJob
    boards: dict[str, dict[str, list[DifferenceRow]]] | None
    left_out: list[UUID]
    judged_otherwise: list[UUID]
    failures: list[RescoreFailure]
