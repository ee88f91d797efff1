"""What the gateway's judging handlers need: runs, results, verdicts and events in storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.quota_rules import Account

RunState = Literal["queued", "running", "paused", "completed", "failed"]
Requester = Literal["owner", "administrator"]
VerdictFilter = Literal["scored", "unscored", "open"]


@dataclass(frozen=True, slots=True)
class JudgeNow:
    """The judge that is at work; None as version: there is none."""

    version: str | None
    is_stub: bool


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A judge run. An item is one distinct pair, one repeat of it."""

    id: UUID
    state: RunState
    reason: str | None
    detail: str | None
    judge_version: str | None
    requested_by: str
    repeats: int
    estimate: Mapping[str, object] | None
    items: int
    items_cached: int
    items_done: int
    items_unscored: int
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class StoredResult:
    """What a completed run published: facts about it, and about the judge."""

    run_id: UUID
    judge_version: str
    facts: Mapping[str, object]
    judge: Mapping[str, object]
    is_stub: bool
    completed_at: datetime
    calibration: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """One item of a run with its verdict, as far as there is one; never with the reference."""

    ordinal: int
    repeat: int
    metrics: Sequence[str]
    uses: int
    prediction: str
    scores: Sequence[int] | None
    unscored: str | None
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_ms: float | None
    attempts: int | None
    cost_microusd: int | None
    judged_at: datetime | None


@dataclass(frozen=True, slots=True)
class VerdictQuery:
    """Which verdicts are asked for."""

    metric: str | None
    state: VerdictFilter | None
    page: int
    page_size: int


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """Something that happened to a submission; `data` is JSON."""

    id: int
    kind: str
    data: str
    at: datetime


class RunExists(Exception):
    """The submission has an unfinished run already."""


class JudgingStore(Protocol):
    """Judge runs in durable storage. Every method raises Transient when it cannot answer now."""

    async def judge_now(self) -> JudgeNow:
        """Return who judges."""

    async def latest_run(self, submission_id: UUID) -> StoredRun | None:
        """Return the newest run of a submission."""

    async def run(self, run_id: UUID) -> StoredRun | None:
        """Return a run."""

    async def latest_result(self, submission_id: UUID) -> StoredResult | None:
        """Return the newest result of a submission."""

    async def add_run(
        self, submission_id: UUID, requester: Requester, account: Account | None
    ) -> UUID:
        """Queue a new run, which `account` pays for, and announce it.

        Raises RunExists, and QuotaExhausted where the account has no room for it.
        """

    async def requeue(
        self,
        submission_id: UUID,
        run: StoredRun,
        requester: Requester,
        action: AdminAction | None = None,
    ) -> bool:
        """Queue a paused or failed run again and announce it; False when it has moved meanwhile.

        An `action` is written into the audit log. Raises RunExists when another run of the
        submission is unfinished.
        """

    async def pause(
        self, submission_id: UUID, run: StoredRun, detail: str, action: AdminAction
    ) -> bool:
        """Pause a queued or running run; False when it is neither."""

    async def items_per_second(self, submission_id: UUID, run_id: UUID) -> float | None:
        """Return how fast a run comes along, None while that is not known."""

    async def verdicts(
        self, run: StoredRun, query: VerdictQuery
    ) -> tuple[Sequence[StoredVerdict], int]:
        """Return a page of a run's items, and how many there are on all pages."""

    async def newest_events(self, submission_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return the number of the newest event of each submission that has any."""

    async def events_after(
        self, submission_id: UUID, event_id: int, limit: int
    ) -> Sequence[StoredEvent]:
        """Return what happened to a submission after an event, oldest first."""
