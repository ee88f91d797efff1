"""What the API answers, as the client reads it: tolerant, so that a newer server does no harm.

Fields that a newer server adds are kept; states and kinds are plain strings for the same reason.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Problem(Answer):
    """One thing to mend; `location` says whether `path` points into the form or the file."""

    code: str
    path: str
    found: str
    expected: str
    fix: str
    location: str = "file"


class ProblemDetails(Answer):
    """An error as the server tells it (RFC 9457)."""

    status: int
    code: str
    title: str = ""
    detail: str = ""
    fix: str = ""
    request_id: str = ""
    error_count: int | None = None
    errors: list[Problem] | None = None
    report: dict[str, Any] | None = None


class Receipt(Answer):
    """A submission was accepted. Keep the owner token: it is shown only once."""

    id: UUID
    state: str
    status_url: str
    owner_token: str


class Step(Answer):
    """A change of state."""

    state: str
    at: datetime


class Failure(Answer):
    """Why a submission got no scores."""

    code: str
    reason: str


class EntryLink(Answer):
    """Where a submission's entry is; `rank` is set once the board is ranked with it."""

    id: UUID
    board: str
    model_name: str
    organization: str
    rank: int | None
    url: str
    page: str


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
    """How the judging of a submission stands."""

    run: JudgeRun | None
    result: JudgeResult | None


class ReportProblem(Answer):
    """One error of a file: its JSON path, what was found and expected, what mends it."""

    code: str
    path: str
    found: str
    expected: str
    fix: str


class ReportWarning(Answer):
    """Something to look at; the file is taken. `examples`: indices of samples that show it."""

    code: str
    message: str
    count: int
    task: str | None = None
    examples: list[int] = []


class TaskReport(Answer):
    """How one task's predictions parse, and how much of the expected structure they cover."""

    task: str
    samples: int
    answered: int
    empty: int
    parsed: int
    unit: str
    emitted: int
    required: int | None = None
    covered: int | None = None


class ValidationReport(Answer):
    """What the check of a file found: problems (it is refused), warnings, a diagnosis by task."""

    ok: bool
    problem_count: int
    problems: list[ReportProblem]
    mode: str | None
    records: int
    samples: int
    answered: int
    coverage: float | None
    ambiguous: int
    tasks: list[TaskReport]
    warnings: list[ReportWarning]


class DryRun(Answer):
    """What would become of an upload; nothing of it was stored."""

    ok: bool
    error_count: int
    errors: list[Problem]
    report: ValidationReport | None
    ground_truth_version: str


class SourceSimilarity(Answer):
    """How near one source's captions are to their references."""

    value: float | None
    pairs: int


class Similarity(Answer):
    """How near captions are to their references, from -1 to 1; auxiliary, never ranked."""

    value: float | None
    pairs: int
    distinct_pairs: int
    by_source: dict[str, SourceSimilarity]


class SubmissionStatus(Answer):
    """How a submission fares. From `failure` on, only its owner is told."""

    id: UUID
    state: str
    final: bool
    timeline: list[Step]
    ahead: int | None = None
    judging: JudgingStatus
    similarities: dict[str, Similarity | None] = {}
    failure: Failure | None = None
    entry: EntryLink | None = None
    file_sha256: str | None = None
    file_bytes: int | None = None
    ground_truth_version: str | None = None
    report: ValidationReport | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself: final, and no judge run going on."""
        run = self.judging.run
        return self.final and (run is None or run.finished)


class Event(Answer):
    """Something that happened to a submission; `data` depends on `kind`."""

    id: str
    kind: str
    data: dict[str, Any]


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


class Column(Answer):
    """A metric of the board."""

    key: str
    label: str
    task: str
    step: int
    direction: str
    min: float
    max: float
    description: str


class LeaderboardEntry(Answer):
    """A ranked model; a value is None where there is none."""

    rank: int
    entry_id: UUID
    model_name: str
    organization: str
    team: str | None = None
    authors: str | None = None
    model_url: str | None = None
    track: str | None = None
    badges: list[str] = []
    submitted_on: date
    verified_on: date | None = None
    submission_id: UUID | None = None
    mean_rank: float
    values: dict[str, float | None]
    ranks: dict[str, int]


class Leaderboard(Answer):
    """A board in one scoring."""

    board: str
    scoring: str
    revision: int
    updated_at: datetime | None
    columns: list[Column]
    ranking_rule: str
    entries: list[LeaderboardEntry]


class BoardSummary(Answer):
    """A board in the list of boards."""

    board: str
    scoring: str
    revision: int
    updated_at: datetime | None
    entries: int
    url: str
    page: str


class LeaderboardIndex(Answer):
    """The boards there are."""

    boards: list[BoardSummary]
    columns: list[Column]
    ranking_rule: str


class QuotaUse(Answer):
    """How much of one quota is used; None as limit: nothing is counted."""

    limit: int | None
    used: int
    next_at: datetime | None


class QuotaStatus(Answer):
    """What the caller may still do: by its API key, or by its address."""

    account: str
    submissions: QuotaUse
    bytes: QuotaUse
    judge_runs: QuotaUse


class KeyQuotas(Answer):
    """Limits of a key's own; None: the server's."""

    submissions_per_day: int | None = None
    bytes_per_day: int | None = None
    judge_runs_per_month: int | None = None


class Key(Answer):
    """An API key, without its secret."""

    id: UUID
    label: str
    owner: str
    scopes: list[str]
    quotas: KeyQuotas
    created_at: datetime
    created_by: str
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKey(Key):
    """A new API key; its secret, `key`, is shown only here."""

    key: str


class KeyPage(Answer):
    """A page of keys, newest first."""

    keys: list[Key]
    next_cursor: str | None
