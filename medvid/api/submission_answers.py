"""Submissions and their states."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from medvid.api.answers import Answer, Page
from medvid.api.judging_answers import JudgingStatus
from medvid.api.report_answers import ValidationReport


class Receipt(Answer):
    """A submission was accepted. Keep the token and the secret: they are shown only once."""

    id: UUID
    state: str
    status_url: str
    owner_token: str
    webhook_secret: str | None = None


class Step(Answer):
    """A change of state: of the submission, or of its judging."""

    kind: str
    state: str
    reason: str | None
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


class SourceSimilarity(Answer):
    """How near one source's captions are to their references."""

    value: float | None
    pairs: int | None
    withheld: str | None = None


class Similarity(Answer):
    """How near captions are to their references, from -1 to 1; auxiliary, never ranked."""

    value: float | None
    pairs: int | None
    distinct_pairs: int | None
    withheld: str | None = None
    by_source: dict[str, SourceSimilarity]


class Withdrawal(Answer):
    """Who took a submission back, and what they said about it."""

    by: str
    note: str | None


class HypotheticalStanding(Answer):
    """The rank that a submission which is only evaluated would have; nobody else sees it.

    Without any value in a scoring it would not be ranked: `rank` and `mean_rank` are None.
    """

    scoring: str
    rank: int | None
    entries: int
    mean_rank: float | None
    values: dict[str, float | None]
    ranks: dict[str, int]
    withheld: dict[str, str] = Field({})
    ranked_at: datetime


class SubmissionStatus(Answer):
    """The state of a submission. Fields from `mode` on are for its owner only."""

    id: UUID
    state: str
    final: bool
    timeline: list[Step]
    ahead: int | None = None
    judging: JudgingStatus
    similarities: dict[str, Similarity | None] = Field({})
    mode: str | None = None
    version: int | None = None
    replaces: UUID | None = None
    replaced_by: UUID | None = None
    withdrawal: Withdrawal | None = None
    hypothetical: list[HypotheticalStanding] = Field([])
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


class SubmissionLine(Answer):
    """A submission in a list."""

    id: UUID
    state: str
    mode: str
    board: str
    model_name: str
    organization: str
    version: int
    created_at: datetime
    changed_at: datetime
    url: str


class SubmissionPage(Page):
    """A page of submissions, newest first."""

    submissions: list[SubmissionLine]


class WebhookDelivery(Answer):
    """A delivery to a webhook, made or to be made; once `dead` it waits until it is asked for."""

    id: UUID
    submission_id: UUID
    kind: str
    happened_at: datetime
    state: str
    attempts: int
    next_attempt_at: datetime | None
    status: int | None
    error: str | None
    settled_at: datetime | None


class WebhookStatus(Page):
    """A page of a submission's deliveries, newest first."""

    url: str
    deliveries: list[WebhookDelivery]


class Redelivery(Answer):
    """How many dead deliveries are tried again."""

    revived: int
