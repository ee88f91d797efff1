"""Uploads and submissions as they are received, checked and stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

from medvid.benchmark.report import Problem
from medvid.benchmark.tasks import Board, Scoring
from medvid.models.accounts import Scope
from services.gateway.accounts.quota_rules import Account
from services.gateway.submissions.forms import SubmittedFields
from services.gateway.tracks.rules import TrackRules
from services.gateway.webhooks.rules import Webhook


@dataclass(frozen=True, slots=True)
class Upload:
    """A received form: text fields as sent, and the file spooled to disk.

    `file` is None where the form had none; `size` is that of the whole body in bytes; `problems`
    are what reading the form found.
    """

    texts: Mapping[str, str]
    file: Path | None
    file_sha256: bytes
    size: int
    problems: Sequence[Problem] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """A validated file. `payload` (gzip) exists only where the report has no problem."""

    report: Mapping[str, object]
    problems: Sequence[Problem]
    problem_count: int
    unpacked_sha256: str = ""
    unpacked_bytes: int = 0
    payload: Path | None = None


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key that was used, and for what."""

    key_sha256: bytes
    request_sha256: bytes
    token_salt: bytes
    submission_id: UUID


@dataclass(frozen=True, slots=True)
class NewSubmission:
    """Everything that is stored when a submission is accepted.

    `key_id` is the API key that it came with; `account` pays for it (None: nobody does), by one
    submission of `size` bytes. `previous` is the entry that it replaces once it is scored;
    `evaluate_only` keeps it off every board; `webhook` gets its events; `track` takes it.
    """

    id: UUID
    entry_id: UUID
    fields: SubmittedFields
    ground_truth_version: str
    checked: Checked
    payload: bytes
    owner_token_sha256: bytes
    key: IdempotencyKey | None
    key_id: UUID | None = None
    size: int = 0
    account: Account | None = None
    previous: StoredEntry | None = None
    evaluate_only: bool = False
    webhook: Webhook | None = None
    track: TrackRules | None = None


@dataclass(frozen=True, slots=True)
class StoredSubmission:
    """A submission as stored, with its entry; the entry is None once its row is gone.

    `replaces` and `replaced_by` are the submissions of the versions before and after.
    """

    id: UUID
    state: str
    owner_token_sha256: bytes
    report: Mapping[str, object]
    failure_code: str | None
    failure_reason: str | None
    file_sha256: str
    file_bytes: int
    ground_truth_version: str
    created_at: datetime
    timeline: Sequence[TimelineStep]
    entry: StoredEntry | None
    key_id: UUID | None = None
    key_scopes: Collection[Scope] | None = None
    withdrawn_by: str | None = None
    withdrawal_note: str | None = None
    replaces: UUID | None = None
    replaced_by: UUID | None = None
    hypothetical: Sequence[HypotheticalRank] = ()

    @property
    def waits_for_judging(self) -> bool:
        """Whether it is a new version with scores that is listed once its judging has ended."""
        return self.state == "scored" and self.entry is not None and self.entry.pending

    @property
    def evaluate_only(self) -> bool:
        """Whether it is on no board and shown to its owner alone."""
        return self.entry is not None and self.entry.hypothetical


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A submission's entry."""

    id: UUID
    board: Board
    model_name: str
    organization: str
    removed: bool
    track: str | None = None
    similarities: Mapping[str, object] = field(default_factory=dict)
    version: int = 1
    pending: bool = False
    hypothetical: bool = False
    facts: Mapping[str, object] = field(default_factory=dict)
    facts_held: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """A change of a submission's state, or of its judging; `reason` is a stable code."""

    kind: Literal["submission", "judging"]
    state: str
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class HypotheticalRank:
    """Where a submission that is only evaluated would stand, and among how many entries."""

    scoring: Scoring
    entries: int
    row: Mapping[str, object]
    ranked_at: datetime
