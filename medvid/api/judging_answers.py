"""Judge runs and their verdicts."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from medvid.api.answers import Answer


class JudgeRun(Answer):
    """A judge run; `items` are distinct caption pairs times repeats."""

    id: UUID
    state: str
    reason: str | None
    items: int
    items_cached: int
    items_done: int
    items_unscored: int
    progress: float | None
    items_per_second: float | None = None
    eta_seconds: float | None = None
    requested_by: str
    requested_at: datetime
    changed_at: datetime
    detail: str | None = None
    estimate: dict[str, Any] | None = None

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return self.state in ("completed", "failed")


class JudgeResult(Answer):
    """What the judged numbers on the board rest on."""

    judge_version: str
    judge: dict[str, Any]
    stub: bool
    completed_at: datetime
    facts: dict[str, Any]


class JudgingStatus(Answer):
    """The judging of a submission: its newest run, and the result in force."""

    run: JudgeRun | None
    result: JudgeResult | None


class JudgingReceipt(Answer):
    """A run was asked for; `estimate` is None while it is still being made."""

    run: JudgeRun
    estimate: dict[str, Any] | None
    status_url: str
    events_url: str


class Verdict(Answer):
    """One item of a run: the text that was judged, and its scores."""

    pair: int
    repeat: int
    metrics: list[str]
    uses: int
    prediction: str
    state: str
    scores: dict[str, int] | None
    unscored_reason: str | None
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_ms: float | None
    attempts: int | None
    cost_usd: float | None
    judged_at: datetime | None


class VerdictPage(Answer):
    """A page of verdicts."""

    page: int
    page_size: int
    total: int
    verdicts: list[Verdict]
