"""What the API takes and answers about submissions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, RootModel

from services.gateway.handlers import Receipt, Status
from services.gateway.judging import Judging
from services.gateway.judging_wire import JudgingStatus, judging_status
from services.gateway.report_wire import ValidationReport
from services.gateway.similarity_wire import Similarity, similarities
from services.gateway.wire import API, Answer
from shared.benchmark.names import FIELD_LIMITS
from shared.benchmark.tasks import Board


def _text(name: str, description: str, *, required: bool = True) -> Any:
    limit = FIELD_LIMITS[name]
    if required:
        return Field(min_length=1, max_length=limit, description=description)
    return Field(None, max_length=limit, description=description)


class SubmissionForm(Answer):
    """The fields of the submission form."""

    file: bytes = Field(
        description="the predictions: a JSON list of {id, qa_type, prediction}, plain or gzip",
        json_schema_extra={"format": "binary"},
    )
    model_name: str = _text("model_name", "unique on the board; case does not count")
    organization: str = _text("organization", "who submits")
    team: str | None = _text("team", "the team's name", required=False)
    authors: str | None = _text("authors", "the authors' names", required=False)
    contact: str | None = _text("contact", "how to reach you; never published", required=False)
    model_url: str | None = _text("model_url", "an http or https address", required=False)
    track: str | None = _text("track", "the track it competes in", required=False)


class DryRunForm(SubmissionForm):
    """The same form, of which every field but the file may be left out."""

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

    @classmethod
    def of(cls, receipt: Receipt) -> SubmissionReceipt:
        """Return the answer to a new submission."""
        return cls(
            id=receipt.submission_id,
            status_url=f"{API}/submissions/{receipt.submission_id}",
            owner_token=receipt.owner_token,
        )


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
    board: Board
    model_name: str
    organization: str
    rank: int | None
    url: str
    page: str


class SubmissionStatus(Answer):
    """How a submission fares. What is null without the owner token is in `OwnedSubmission`."""

    id: UUID
    state: Literal["accepted", "scored", "ranked", "failed"]
    final: bool
    timeline: list[Step]
    ahead: int | None = Field(None, description="submissions that wait for scores longer")
    judging: JudgingStatus
    similarities: dict[str, Similarity | None] = Field(
        description="auxiliary, never ranked: how near captions are to their references; "
        "null while not measured"
    )


class OwnedSubmission(SubmissionStatus):
    """What the owner sees in addition."""

    failure: Failure | None
    entry: EntryLink | None
    file_sha256: str
    file_bytes: int
    ground_truth_version: str
    report: ValidationReport


class AnyStatus(RootModel[OwnedSubmission | SubmissionStatus]):
    """A status as its asker may see it."""


def submission_status(status: Status, judging: Judging) -> SubmissionStatus:
    """Return the status as its asker may see it; the contact is never part of it."""
    submission = status.submission
    facts: dict[str, Any] = {
        "id": submission.id,
        "state": submission.state,
        "final": submission.state in ("ranked", "failed"),
        "timeline": [Step(state=state, at=at) for state, at in submission.timeline],
        "ahead": status.ahead,
        "judging": judging_status(judging, owner=status.owner),
        "similarities": similarities(submission.entry.similarities if submission.entry else {}),
    }
    if not status.owner:
        return SubmissionStatus(**facts)
    return OwnedSubmission(
        **facts,
        failure=_failure(submission.failure_code, submission.failure_reason),
        entry=_entry_link(status),
        file_sha256=submission.file_sha256,
        file_bytes=submission.file_bytes,
        ground_truth_version=submission.ground_truth_version,
        report=ValidationReport.of(submission.report),
    )


def _failure(code: str | None, reason: str | None) -> Failure | None:
    return Failure(code=code, reason=reason) if code and reason else None


def _entry_link(status: Status) -> EntryLink | None:
    entry = status.submission.entry
    if entry is None or entry.removed:
        return None
    page = "/" if entry.board == "official" else "/community"
    return EntryLink(
        id=entry.id,
        board=entry.board,
        model_name=entry.model_name,
        organization=entry.organization,
        rank=status.rank,
        url=f"{API}/leaderboards/{entry.board}",
        page=f"{page}#entry-{entry.id}",
    )
