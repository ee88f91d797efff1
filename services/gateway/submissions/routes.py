"""Addresses of submissions and what answers them."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from services.gateway.accounts.callers import Callers
from services.gateway.judging.handlers import ReadJudging
from services.gateway.submissions import wire as submission_wire
from services.gateway.submissions.access import SubmissionPath, submission_id
from services.gateway.submissions.handlers import DryRun, ReadStatus
from services.gateway.submissions.report_wire import DryRunAnswer
from services.gateway.submissions.submitting import AcceptSubmission
from services.gateway.submissions.uploads import Receiver
from services.gateway.web.endpoints import (
    FORM,
    JSON,
    Access,
    Body,
    Endpoint,
    Link,
    Reply,
    json_reply,
)
from services.gateway.web.problem_codes import KEY_PROBLEMS, QUOTA_PROBLEMS
from services.gateway.web.representations import represent
from services.gateway.web.responses import json_response, send
from services.gateway.web.security import READ_HEADERS

_PRIVATE: Final = "private, no-cache"
_TAG: Final = "submissions"
_ID: Final = {"id": "$response.body#/id"}
_LINKS: Final = {
    "status": Link("GET", "/submissions/{id}", _ID),
    "events": Link("GET", "/submissions/{id}/events", _ID),
    "judge": Link("POST", "/submissions/{id}/judge", _ID),
    "verdicts": Link("GET", "/submissions/{id}/verdicts", _ID),
}


def submission_endpoints(
    accept: AcceptSubmission,
    dry_run: DryRun,
    read_status: ReadStatus,
    read_judging: ReadJudging,
    receiver: Receiver,
    callers: Callers,
) -> list[Endpoint]:
    """Return the endpoints of submissions."""

    async def submit(request: web.Request) -> web.Response:
        caller = await callers.of(request)
        key = request.headers.get("Idempotency-Key")
        await accept.admit(caller, request.content_length or 0, key)
        async with receiver.receive(request, caller) as upload:
            receipt = await accept(caller, upload, key)
        body = submission_wire.SubmissionReceipt.of(receipt)
        return web.Response(
            text=body.model_dump_json(),
            status=202,
            content_type=JSON,
            headers={"Cache-Control": "no-store", "Location": body.status_url},
        )

    async def validate(request: web.Request) -> web.Response:
        caller = await callers.of(request)
        await dry_run.admit(caller, request.content_length or 0)
        async with receiver.receive(request, caller) as upload:
            result = await dry_run(caller, upload)
        return json_response(DryRunAnswer.of(result))

    async def status(request: web.Request) -> web.Response:
        found = await read_status(submission_id(request), await callers.of(request))
        judging = await read_judging.status(found.submission.id)
        body = submission_wire.submission_status(found, judging).model_dump_json().encode()
        headers = {**READ_HEADERS, "Vary": "Accept-Encoding, Authorization"}
        return send(
            request, represent(body, content_type=JSON, cache_control=_PRIVATE, headers=headers)
        )

    return [
        Endpoint(
            "POST",
            "/submissions",
            submit,
            summary="Submit predictions",
            description="The whole file is checked before the answer; what is accepted is scored.",
            tag=_TAG,
            header_model=submission_wire.SubmitHeaders,
            body=Body(submission_wire.SubmissionForm, FORM),
            replies={
                202: json_reply(
                    "Accepted; keep the owner token.",
                    submission_wire.SubmissionReceipt,
                    headers={"Location": "where the submission's status is"},
                    links=_LINKS,
                )
            },
            problems=(
                "malformed_multipart",
                "invalid_idempotency_key",
                "upload_too_slow",
                "model_name_taken",
                "not_replaceable",
                "replacement_pending",
                "submission_not_found",
                "not_the_owner",
                "invalid_token",
                "token_required",
                "upload_too_large",
                "too_large",
                "unsupported_media_type",
                "invalid_submission",
                "coverage_too_low",
                "idempotency_key_reused",
                "validation_timeout",
                "validation_failed",
                "no_ground_truth",
                "key_required",
                *QUOTA_PROBLEMS,
                "too_many_at_once",
                "missing_scope",
                *KEY_PROBLEMS,
            ),
            access=(Access.PUBLIC, Access.SUBMIT),
        ),
        Endpoint(
            "POST",
            "/validate",
            validate,
            summary="Check predictions without submitting them",
            description="The check of a submission and its whole report; nothing is stored. Takes "
            "the same form; every field but the file may be left out.",
            tag=_TAG,
            body=Body(submission_wire.DryRunForm, FORM),
            replies={200: json_reply("What would become of it.", DryRunAnswer)},
            problems=(
                "malformed_multipart",
                "upload_too_slow",
                "upload_too_large",
                "too_large",
                "unsupported_media_type",
                "validation_timeout",
                "validation_failed",
                "no_ground_truth",
                "key_required",
                "missing_scope",
                "validation_quota",
                "byte_quota",
                "quota_exhausted",
                "too_many_at_once",
                *KEY_PROBLEMS,
            ),
            access=(Access.PUBLIC, Access.SUBMIT),
        ),
        Endpoint(
            "GET",
            "/submissions/{id}",
            status,
            summary="Read how a submission fares",
            description="Anyone who knows the id sees its state; the owner sees everything.",
            tag=_TAG,
            path_model=SubmissionPath,
            replies={
                200: Reply(
                    "Its status; in full to the owner.",
                    {JSON: submission_wire.AnyStatus},
                    etag=True,
                )
            },
            problems=("submission_not_found", "invalid_token", *KEY_PROBLEMS),
            access=(Access.PUBLIC, Access.OWNER),
        ),
    ]
