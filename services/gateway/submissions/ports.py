"""What the gateway's handlers need: a store, a validator, and the boards' current ranks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol
from uuid import UUID

from medvid.benchmark.report import Problem
from medvid.benchmark.tasks import Board, Ranking, Scoring
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.quota_rules import Account
from services.gateway.accounts.rules import Role, Scope
from services.gateway.submissions.forms import EntryFields
from services.gateway.web.paging import Position
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
    `evaluate_only` keeps it off every board; `webhook` is told what becomes of it.
    """

    id: UUID
    entry_id: UUID
    fields: EntryFields
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
    def evaluate_only(self) -> bool:
        """Whether it is on no board, and nobody's business but its owner's."""
        return self.entry is not None and self.entry.hypothetical


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A submission's entry."""

    id: UUID
    board: Board
    model_name: str
    organization: str
    removed: bool
    similarities: Mapping[str, object] = field(default_factory=dict)
    version: int = 1
    pending: bool = False
    hypothetical: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotRef:
    """The newest snapshot of a board in one scoring."""

    id: int
    board: Board
    scoring: Scoring


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A ranked board as the ranker wrote it; `content` is a JSON list of rows.

    `unranked` has the rows without any value, which have no rank; None where there are none.
    """

    id: int
    board: Board
    scoring: Scoring
    revision: int
    content: bytes
    created_at: datetime
    unranked: bytes | None = None
    ranking: Ranking = "competition"


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """A change of a submission's state, or of its judging; `reason` is a stable code."""

    kind: Literal["submission", "judging"]
    state: str
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class HypotheticalRank:
    """Where a submission that is only evaluated would stand, among so many entries."""

    scoring: Scoring
    entries: int
    row: Mapping[str, object]
    ranked_at: datetime


@dataclass(frozen=True, slots=True)
class SubmissionSummary:
    """A line of a list of submissions."""

    id: UUID
    state: str
    board: Board
    model_name: str
    organization: str
    version: int
    evaluate_only: bool
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class SearchingAccount:
    """An account that may search the test set for its labels, with what it sent in 30 days.

    `withdrawn` counts replaced files, too: what they were scored is known, and they are gone.
    """

    account: str
    sent: int
    near_empty: int
    withdrawn: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class SubmissionFilter:
    """Which submissions are listed: one owner's (by token or key), or everybody's."""

    token_sha256: bytes | None = None
    key_id: UUID | None = None
    state: str | None = None


class KeyTaken(Exception):
    """Another request with the same idempotency key was accepted in between."""


class SubmissionStore(Protocol):
    """Submissions in durable storage. Every method raises Transient when it cannot answer now."""

    async def active_ground_truth(self) -> str | None:
        """Return the version that uploads are checked against."""

    async def find_key(self, key_sha256: bytes) -> IdempotencyKey | None:
        """Return what an idempotency key was used for."""

    async def name_taken(self, model_name: str) -> bool:
        """Tell whether the community board has a model of this name."""

    async def accept(self, new: NewSubmission) -> None:
        """Store all of it and announce it, or nothing.

        Raises Conflict (its name is taken, or the version before cannot be replaced any more),
        KeyTaken, and QuotaExhausted where its account has no room for it.
        """

    async def find(self, submission_id: UUID) -> StoredSubmission | None:
        """Return a submission."""

    async def ahead_of(self, submission: StoredSubmission) -> int:
        """Return how many submissions wait for scores longer than this one."""


class LifecycleStore(Protocol):
    """What becomes of submissions, in storage. Raises Transient when it cannot answer now."""

    async def page(
        self, wanted: SubmissionFilter, before: Position | None, limit: int
    ) -> Sequence[SubmissionSummary]:
        """Return submissions, newest first, older than the one with this time and id."""

    async def withdraw(
        self, submission_id: UUID, by: Role, note: str | None, action: AdminAction | None
    ) -> bool:
        """Withdraw a submission and announce that; False where its state does not allow it.

        An `action` is written into the audit log.
        """


class SnapshotSource(Protocol):
    """Ranked boards in durable storage."""

    async def newest_snapshots(self) -> Sequence[SnapshotRef]:
        """Return the newest snapshots, one for each board and scoring that has any; cheap."""

    async def snapshot(self, snapshot_id: int) -> Snapshot:
        """Return a snapshot."""


class Validator(Protocol):
    """Checks uploads outside this process."""

    async def check(self, file: Path, ground_truth_version: str) -> Checked:
        """Check a file; raises InvalidInput when it takes too long, Unavailable when we failed."""


class Ranks(Protocol):
    """Where entries stand."""

    async def rank_of(self, board: Board, entry_id: UUID) -> int | None:
        """Return an entry's displayed rank by compat scoring, None when it is not ranked."""
