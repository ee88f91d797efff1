"""Models of submissions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, RootModel

from medvid.benchmark.disclosure import Withheld
from medvid.benchmark.names import FIELD_LIMITS, check_text
from medvid.benchmark.tasks import Board, Scoring
from services.gateway.judging.models import JudgingStatus, judging_status
from services.gateway.judging.service import JudgingSummary
from services.gateway.submissions.lifecycle import SubmissionSummary
from services.gateway.submissions.records import HypotheticalRank
from services.gateway.submissions.report_models import ValidationReport
from services.gateway.submissions.rules import FINAL_STATES, NOTE_LIMIT
from services.gateway.submissions.service import FoundSubmission
from services.gateway.submissions.similarity_models import Similarity, similarities
from services.gateway.submissions.uploads import UploadReceipt
from services.gateway.web.bodies import JsonBody
from services.gateway.web.models import Answer
from services.gateway.web.urls import url
from services.gateway.webhooks.rules import MAX_URL, show_secret

State = Literal["accepted", "scored", "ranked", "failed", "withdrawn", "replaced"]


def _text(name: str, description: str, *, required: bool = True) -> Any:
    limit = FIELD_LIMITS[name]
    if required:
        return Field(min_length=1, max_length=limit, description=description)
    return Field(None, max_length=limit, description=description)


class SubmissionForm(Answer):
    """The fields of the submission form."""

    file: bytes = Field(
        description="records of id, qa_type and prediction: JSON or JSON Lines, plain or gzip",
        json_schema_extra={"format": "binary"},
    )
    model_name: str = _text(
        "model_name", "unique on the board; case, kinds of dashes and runs of spaces do not count"
    )
    organization: str = _text("organization", "who submits")
    team: str | None = _text("team", "the team's name", required=False)
    authors: str | None = _text("authors", "the authors' names", required=False)
    contact: str | None = _text("contact", "how to reach you; never published", required=False)
    model_url: str | None = _text("model_url", "an http or https address", required=False)
    track: str | None = _text("track", "the track it competes in", required=False)
    replaces: UUID | None = Field(
        None,
        description="the submission whose model this is a new version of; needs its owner token or "
        "key. The names may be left out. The version before stays ranked until this one is scored.",
    )
    evaluate_only: bool = Field(
        False, description="true: scored and ranked for your eyes only, on no board"
    )
    webhook_url: str | None = Field(
        None, max_length=MAX_URL, description="is told each change of state, signed"
    )
    webhook_secret: str | None = Field(
        None, description="signs; 'whsec_' and base64. Left out, the receipt brings one."
    )


class DryRunForm(SubmissionForm):
    """The same form, of which nothing is required: what is missing is part of the answer."""

    file: bytes | None = Field(  # type: ignore[assignment]
        None, description="as in a submission", json_schema_extra={"format": "binary"}
    )
    model_name: str | None = _text("model_name", "looked up on the board", required=False)  # type: ignore[assignment]
    organization: str | None = _text("organization", "who submits", required=False)  # type: ignore[assignment]


class SubmitHeaders(Answer):
    """The headers of a submission."""

    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="a fresh random value: a repeat with the same one gets the same receipt",
    )


class SubmissionReceipt(Answer):
    """A submission was accepted. The owner token is shown here only."""

    id: UUID
    state: Literal["accepted"] = "accepted"
    status_url: str
    owner_token: str
    webhook_secret: str | None = Field(
        None, description="signs what your webhook is told (standardwebhooks.com); shown here only"
    )

    @classmethod
    def of(cls, receipt: UploadReceipt) -> SubmissionReceipt:
        """Build the response to a new submission."""
        return cls(
            id=receipt.submission_id,
            status_url=url("api_submission", id=receipt.submission_id),
            owner_token=receipt.owner_token,
            webhook_secret=show_secret(receipt.webhook_secret) if receipt.webhook_secret else None,
        )


class Step(Answer):
    """A change of state: of the submission, or of a judge run of it."""

    kind: Literal["submission", "judging"]
    state: str
    reason: str | None = Field(None, description="why judging paused or failed: a stable code")
    at: datetime


class Failure(Answer):
    """Why a submission got no scores."""

    code: str
    reason: str


class EntryLink(Answer):
    """Where a submission's entry is; `rank` is set once the board is ranked with it."""

    id: UUID
    board: Board
    model_name: str
    organization: str
    rank: int | None
    url: str
    page: str


class SubmissionStatus(Answer):
    """The state of a submission. What is null without the owner token is in `OwnedSubmission`."""

    id: UUID
    state: State
    final: bool
    timeline: list[Step]
    ahead: int | None = Field(None, description="submissions that wait for scores longer")
    judging: JudgingStatus
    similarities: dict[str, Similarity | None] = Field(
        description="auxiliary, never ranked: how near captions are to their references; "
        "null while not measured"
    )


class Withdrawal(Answer):
    """Who took a submission back, and what they said about it."""

    by: Literal["owner", "administrator"]
    note: str | None


class HypotheticalStanding(Answer):
    """Where a submission that is only evaluated would stand; nobody else sees it."""

    scoring: Scoring
    rank: int | None = Field(description="null: not ranked, having no value in this scoring")
    entries: int = Field(description="that the community board ranks, and this one")
    mean_rank: float | None = Field(description="null: not ranked")
    values: dict[str, float | None]
    ranks: dict[str, int]
    withheld: dict[str, Withheld] = Field(
        default_factory=dict, description="the metrics whose value is not shown, and why"
    )
    ranked_at: datetime

    @classmethod
    def of(cls, found: HypotheticalRank) -> HypotheticalStanding:
        """Build the response."""
        row = {
            name: found.row[name] for name in ("rank", "mean_rank", "values", "ranks", "withheld")
        }
        facts: dict[str, Any] = {
            **row,
            "scoring": found.scoring,
            "entries": found.entries,
            "ranked_at": found.ranked_at,
        }
        return cls(**facts)


class OwnedSubmission(SubmissionStatus):
    """What the owner sees in addition."""

    mode: Literal["ranked", "evaluate_only"]
    version: int = Field(description="of the model: 1, and one more with each replacement")
    replaces: UUID | None = Field(description="the submission of the version before")
    replaced_by: UUID | None = Field(description="the submission of the version after")
    withdrawal: Withdrawal | None
    hypothetical: list[HypotheticalStanding] = Field(
        description="where it would stand, by scoring; empty unless it is only evaluated"
    )
    failure: Failure | None
    entry: EntryLink | None
    file_sha256: str
    file_bytes: int
    ground_truth_version: str
    report: ValidationReport


class SubmissionLine(Answer):
    """A submission in a list."""

    id: UUID
    state: State
    mode: Literal["ranked", "evaluate_only"]
    board: Board
    model_name: str
    organization: str
    version: int
    created_at: datetime
    changed_at: datetime
    url: str

    @classmethod
    def of(cls, summary: SubmissionSummary) -> SubmissionLine:
        """Build the response."""
        facts: dict[str, Any] = {
            "id": summary.id,
            "state": summary.state,
            "mode": "evaluate_only" if summary.evaluate_only else "ranked",
            "board": summary.board,
            "model_name": summary.model_name,
            "organization": summary.organization,
            "version": summary.version,
            "created_at": summary.created_at,
            "changed_at": summary.changed_at,
            "url": url("api_submission", id=summary.id),
        }
        return cls(**facts)


class SubmissionPage(Answer):
    """Submissions, newest first; `next_cursor` is null on the last page."""

    submissions: list[SubmissionLine]
    next_cursor: str | None


class WithdrawalRequest(JsonBody):
    """Why a submission is taken back. Administrators must say it, owners may."""

    note: Annotated[str, AfterValidator(check_text), Field(max_length=NOTE_LIMIT)] | None = None


class AnyStatus(RootModel[OwnedSubmission | SubmissionStatus]):
    """A status as its asker may see it."""


def submission_status(status: FoundSubmission, judging: JudgingSummary) -> SubmissionStatus:
    """Build the response; some of it is for the owner only, the contact for nobody."""
    submission = status.submission
    facts: dict[str, Any] = {
        "id": submission.id,
        "state": submission.state,
        "final": submission.state in FINAL_STATES,
        "timeline": [
            Step(kind=step.kind, state=step.state, reason=step.reason, at=step.at)
            for step in submission.timeline
        ],
        "ahead": status.ahead,
        "judging": judging_status(judging, owner=status.owner),
        "similarities": similarities(submission.entry.similarities if submission.entry else {}),
    }
    if not status.owner:
        return SubmissionStatus(**facts)
    entry = submission.entry
    by, note = submission.withdrawn_by, submission.withdrawal_note
    return OwnedSubmission(
        **facts,
        mode="evaluate_only" if submission.evaluate_only else "ranked",
        version=entry.version if entry else 1,
        replaces=submission.replaces,
        replaced_by=submission.replaced_by,
        withdrawal=Withdrawal.model_validate({"by": by, "note": note}) if by else None,
        hypothetical=[HypotheticalStanding.of(found) for found in submission.hypothetical],
        failure=_failure(submission.failure_code, submission.failure_reason),
        entry=_entry_link(status),
        file_sha256=submission.file_sha256,
        file_bytes=submission.file_bytes,
        ground_truth_version=submission.ground_truth_version,
        report=ValidationReport.of(submission.report),
    )


def _failure(code: str | None, reason: str | None) -> Failure | None:
    return Failure(code=code, reason=reason) if code and reason else None


def _entry_link(status: FoundSubmission) -> EntryLink | None:
    entry = status.submission.entry
    if entry is None or entry.removed or entry.hypothetical:
        return None
    return EntryLink(
        id=entry.id,
        board=entry.board,
        model_name=entry.model_name,
        organization=entry.organization,
        rank=status.rank,
        url=url("api_board", board=entry.board),
        page=f"{url(entry.board)}#entry-{entry.id}",
    )
