"""Operations of submissions."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from medvid.models.problem_codes import QUOTA_PROBLEMS
from medvid.models.reports import DryRunAnswer
from medvid.models.submissions import State, SubmissionPage, SubmissionReceipt
from services.gateway.accounts.rules import Caller, require_understood
from services.gateway.submissions.access import SubmissionId
from services.gateway.submissions.events import EventStreams
from services.gateway.submissions.lifecycle import SubmissionSummary
from services.gateway.submissions.models import (
    AnyStatus,
    DryRunForm,
    SubmissionForm,
    SubmitHeaders,
    WithdrawalRequest,
    dry_run_answer,
    submission_line,
    submission_receipt,
    submission_status,
)
from services.gateway.submissions.receiver import Receiver
from services.gateway.submissions.service import SubmissionService
from services.gateway.submissions.uploads import UploadService
from services.gateway.web.endpoints import (
    EVENTS,
    FORM,
    JSON,
    OWNERS,
    Access,
    Body,
    Reply,
    ReplyLink,
    json_reply,
)
from services.gateway.web.event_streams import EventHeaders
from services.gateway.web.paging import cursor_of, cut, position_of
from services.gateway.web.parameters import PageQuery, Parameters
from services.gateway.web.representations import Representation, represent
from services.gateway.web.responses import json_response
from services.gateway.web.router import Router
from services.gateway.web.security import READ_HEADERS

router: Final = Router("submissions")
_PRIVATE: Final = "private, no-cache"
_ID: Final = {"id": "$response.body#/id"}
_LINKS: Final = {
    "status": ReplyLink("GET", "/submissions/{id}", _ID),
    "events": ReplyLink("GET", "/submissions/{id}/events", _ID),
    "judge": ReplyLink("POST", "/submissions/{id}/judge", _ID),
    "verdicts": ReplyLink("GET", "/submissions/{id}/verdicts", _ID),
}
_SENDERS: Final = (Access.PUBLIC, Access.SUBMIT)
_LISTERS: Final = (Access.OWNER, Access.SUBMIT, Access.JUDGE, Access.ADMIN)
_FORM_PROBLEMS: Final = (
    "malformed_multipart",
    "upload_too_slow",
    "upload_too_large",
    "validation_timeout",
    "validation_failed",
    "no_ground_truth",
    "key_required",
    "missing_scope",
    "too_many_at_once",
)


class _StateQuery(Parameters):
    state: State | None = Field(None, description="only those in this state")


class SubmissionsQuery(PageQuery, _StateQuery):  # the fields of the last base come first
    """Which submissions are listed."""


@router.post(
    "/submissions",
    reply=json_reply(
        "Accepted; keep the owner token.",
        SubmissionReceipt,
        headers={"Location": "where the submission's status is"},
        links=_LINKS,
    ),
    status=202,
    access=_SENDERS,
    body=Body(SubmissionForm, FORM),
    problems=(
        *_FORM_PROBLEMS,
        *QUOTA_PROBLEMS,
        "invalid_idempotency_key",
        "model_name_taken",
        "not_replaceable",
        "replacement_pending",
        "submission_not_found",
        "not_the_owner",
        "token_required",
        "invalid_submission",
        "coverage_too_low",
        "track_not_open",
        "track_closed",
        "track_quota",
        "idempotency_key_reused",
    ),
)
async def submit(
    uploads: UploadService,
    receiver: Receiver,
    request: web.Request,
    caller: Caller,
    headers: SubmitHeaders,
) -> web.Response:
    """Submit predictions.

    The whole file is checked before the answer; what is accepted is scored.
    """
    key = headers.idempotency_key
    await uploads.admit(caller, receiver.announced(request), key)
    async with receiver.receive(request, caller) as upload:
        receipt = submission_receipt(await uploads.submit(caller, upload, key))
    location = {"Cache-Control": "no-store", "Location": receipt.status_url}
    return json_response(receipt, 202, location)


@router.post(
    "/validate",
    reply="What would become of it.",
    access=_SENDERS,
    body=Body(DryRunForm, FORM),
    problems=(*_FORM_PROBLEMS, "validation_quota", "byte_quota", "quota_exhausted"),
)
async def validate(
    uploads: UploadService, receiver: Receiver, request: web.Request, caller: Caller
) -> DryRunAnswer:
    """Check predictions without submitting them.

    The check of a submission and its whole report; nothing is stored. Takes the same form; every
    field but the file may be left out.
    """
    await uploads.admit_dry_run(caller, receiver.announced(request))
    async with receiver.receive(request, caller) as upload:
        return dry_run_answer(await uploads.dry_run(caller, upload))


@router.get("/submissions", reply="A page, newest first.", access=_LISTERS)
async def list_submissions(
    submissions: SubmissionService, caller: Caller, query: SubmissionsQuery
) -> SubmissionPage:
    """List submissions.

    With an owner token its submission, with an API key those sent with it, with an administrator's
    key all.
    """
    found = await submissions.page(caller, query.state, position_of(query.cursor), query.limit + 1)
    shown, cursor = cut(found, query.limit, _cursor)
    return SubmissionPage(submissions=[submission_line(each) for each in shown], next_cursor=cursor)


def _cursor(summary: SubmissionSummary) -> str:
    return cursor_of((summary.created_at, summary.id))


@router.get(
    "/submissions/{id}",
    reply=json_reply("Its status; in full to the owner.", AnyStatus, etag=True),
    access=(Access.PUBLIC, Access.OWNER),
    problems=("submission_not_found",),
)
async def read_submission(
    submissions: SubmissionService, id: SubmissionId, caller: Caller
) -> Representation:
    """Read the state of a submission.

    Anyone who knows the id sees its state; the owner sees everything.
    """
    body = submission_status(await submissions.status(id, caller)).model_dump_json().encode()
    headers = {**READ_HEADERS, "Vary": "Accept-Encoding, Authorization"}
    return represent(body, content_type=JSON, cache_control=_PRIVATE, headers=headers)


@router.get(
    "/submissions/{id}/events",
    tag="judging",
    reply=Reply("The events, without end.", {EVENTS: None}),
    headers=EventHeaders,
    access=(Access.PUBLIC, Access.OWNER),
    problems=("submission_not_found", "too_many_at_once"),
    head=False,
)
async def follow_submission(
    submissions: SubmissionService,
    streams: EventStreams,
    request: web.Request,
    id: SubmissionId,
    caller: Annotated[Caller, require_understood],
) -> web.StreamResponse:
    """Follow a submission.

    Server-sent events: what happened so far, then what happens. Resumable.
    """
    await submissions.access.look(id, caller)
    return await streams.serve(request, id, caller.address)


async def _admit_withdrawal(
    submissions: SubmissionService, id: SubmissionId, caller: Caller
) -> None:
    await submissions.access.check(id, caller)


@router.post(
    "/submissions/{id}/withdraw",
    reply=Reply("Withdrawn."),
    status=204,
    access=OWNERS,
    problems=(
        "submission_not_found",
        "not_the_owner",
        "not_withdrawable",
        "reason_required",
    ),
    admit=_admit_withdrawal,
)
async def withdraw_submission(
    submissions: SubmissionService,
    id: SubmissionId,
    caller: Caller,
    request_id: str,
    body: WithdrawalRequest | None = None,
) -> web.Response:
    """Withdraw a submission.

    It leaves its board, and its name is free again. That it was there stays: the board's list of
    withdrawn entries names it with its ranks and the note. Withdrawing again changes nothing.
    """
    note = body.note if body is not None else None
    await submissions.withdraw(id, caller, note, request_id)
    return web.Response(status=204, headers={"Cache-Control": "no-store"})
