"""Models of submissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, Field, RootModel

from medvid.benchmark.names import FIELD_LIMITS, check_text
from medvid.benchmark.report import MAX_PROBLEMS
from medvid.models.base import Answer, JsonBody
from medvid.models.facts import ModelFacts, facts_of
from medvid.models.reports import DryRunAnswer, ValidationReport
from medvid.models.submissions import (
    EntryLink,
    Failure,
    HypotheticalStanding,
    OwnedSubmission,
    Standing,
    Step,
    SubmissionLine,
    SubmissionReceipt,
    SubmissionStatus,
    Withdrawal,
)
from services.gateway.judging.models import judging_status
from services.gateway.judging.service import JudgingSummary
from services.gateway.submissions.forms import location_in_form
from services.gateway.submissions.lifecycle import SubmissionSummary
from services.gateway.submissions.records import HypotheticalRank, StoredSubmission
from services.gateway.submissions.rules import FINAL_STATES, NOTE_LIMIT
from services.gateway.submissions.service import FoundSubmission
from services.gateway.submissions.similarity_models import similarities
from services.gateway.submissions.uploads import DryRunResult, UploadReceipt
from services.gateway.web.problems import problem_item
from services.gateway.web.site import site
from services.gateway.web.urls import url
from services.gateway.webhooks.rules import MAX_URL, show_secret


def _text(name: str, description: str, *, required: bool = True) -> Any:
    limit = FIELD_LIMITS[name]
    if required:
        return Field(min_length=1, max_length=limit, description=description)
    return Field(None, max_length=limit, description=description)


class _NamedFile(Answer):
    """A file, whose model it is, and what becomes of it."""

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
    track: str | None = _text(
        "track",
        "the track it competes in, by its name or id, which may require more (GET /tracks); where "
        "there are none a text of your own",
        required=False,
    )
    replaces: UUID | None = Field(
        None,
        description="the submission whose model this is a new version of; needs its owner token or "
        "key. The names may be left out. The version before stays ranked until this one is "
        "scored, and where it was judged until this one's judging ends.",
    )
    evaluate_only: bool = Field(
        False, description="true: scored and ranked for your eyes only, on no board"
    )
    webhook_url: str | None = Field(
        None, max_length=MAX_URL, description="receives each change of state, signed"
    )
    webhook_secret: str | None = Field(
        None, description="signs; 'whsec_' and base64. Left out, the receipt brings one."
    )


class SubmissionForm(ModelFacts, _NamedFile):  # the fields of the last base come first
    """The fields of the submission form. Facts that are left out are unknown."""


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


def submission_receipt(receipt: UploadReceipt) -> SubmissionReceipt:
    """Build the response to a new submission."""
    return SubmissionReceipt(
        id=receipt.submission_id,
        status_url=url("api_submission", id=receipt.submission_id),
        page=site().absolute(url("submission", id=receipt.submission_id)),
        owner_token=receipt.owner_token,
        webhook_secret=show_secret(receipt.webhook_secret) if receipt.webhook_secret else None,
    )


_HYPOTHETICAL: Final = ("rank", "mean_rank", "values", "ranks")


def _hypothetical(found: HypotheticalRank) -> HypotheticalStanding:
    """Build the response."""
    row = {name: found.row[name] for name in (*_HYPOTHETICAL, "withheld", "steps", "repeats")}
    facts: dict[str, Any] = {
        **row,
        "scoring": found.scoring,
        "entries": found.entries,
        "ranked_at": found.ranked_at,
    }
    return HypotheticalStanding(**facts)


def submission_line(summary: SubmissionSummary) -> SubmissionLine:
    """Build the response."""
    return SubmissionLine(
        **asdict(summary),
        mode="evaluate_only" if summary.evaluate_only else "ranked",
        url=url("api_submission", id=summary.id),
    )


class WithdrawalRequest(JsonBody):
    """Why a submission is taken back. Administrators must say it, owners may. It is public."""

    note: Annotated[str, AfterValidator(check_text), Field(max_length=NOTE_LIMIT)] | None = Field(
        None, description="the reason that everybody sees"
    )


class AnyStatus(RootModel[OwnedSubmission | SubmissionStatus]):
    """A status as its asker may see it."""


def submission_status(status: FoundSubmission) -> SubmissionStatus:
    """Build the response; some of it is for the owner only, the contact for nobody."""
    submission, judging = status.submission, status.judging
    facts: dict[str, Any] = {
        "id": submission.id,
        "state": submission.state,
        "final": submission.state in FINAL_STATES or _waits_for_its_owner(submission, judging),
        "waits_for_judging": submission.waits_for_judging,
        "timeline": [Step(**asdict(step)) for step in submission.timeline],
        "ahead": status.ahead,
        "judging": judging_status(judging, owner=status.owner),
        "similarities": similarities(_similarities(submission)),
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
        hypothetical=[_hypothetical(found) for found in submission.hypothetical],
        failure=_failure(submission.failure_code, submission.failure_reason),
        entry=_entry_link(status),
        facts=facts_of(entry.facts) if entry else None,
        facts_held=list(entry.facts_held) if entry else [],
        standing=status.standing,
        file_sha256=submission.file_sha256,
        file_bytes=submission.file_bytes,
        ground_truth_version=submission.ground_truth_version,
        report=ValidationReport.model_validate(submission.report),
    )


def _waits_for_its_owner(submission: StoredSubmission, judging: JudgingSummary) -> bool:
    """Tell whether nothing happens to a new version until its judging is asked for."""
    return (
        submission.waits_for_judging and judging.run is not None and judging.run.state == "failed"
    )


def _similarities(submission: StoredSubmission) -> Mapping[str, object]:
    """Return what of the similarities is shown: nothing of what is only evaluated."""
    if submission.entry is None or submission.evaluate_only:
        return {}
    return submission.entry.similarities


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
        rank=_rank(status.standing),
        url=url("api_entry", board=entry.board, id=entry.id),
        page=url("entry", board=entry.board, id=entry.id),
    )


def _rank(standing: Standing | None) -> int | None:
    """Return the rank by compat scoring."""
    places = standing.places if standing else []
    return next((place.rank for place in places if place.scoring == "compat"), None)


def dry_run_answer(result: DryRunResult) -> DryRunAnswer:
    """Build the response from a result."""
    return DryRunAnswer(
        ok=not result.count,
        error_count=result.count,
        errors=[
            problem_item(problem, location_in_form(problem))
            for problem in result.problems[:MAX_PROBLEMS]
        ],
        report=None if result.report is None else ValidationReport.model_validate(result.report),
        ground_truth_version=result.ground_truth_version,
    )
