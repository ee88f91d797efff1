"""Addresses of judging and what answers them."""

from __future__ import annotations

from typing import Final, Literal

from aiohttp import web
from pydantic import Field

from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.callers import Callers
from services.gateway.accounts.rules import Caller
from services.gateway.judging import wire as judging_wire
from services.gateway.judging.handlers import ReadJudging, RequestJudging, SteerRun
from services.gateway.judging.ports import VerdictFilter, VerdictQuery
from services.gateway.submissions.access import SubmissionPath, submission_id
from services.gateway.submissions.events import EventStreams
from services.gateway.web.bodies import JsonBody, body_of
from services.gateway.web.endpoints import (
    CSV,
    EVENTS,
    JSON,
    Access,
    Body,
    Endpoint,
    Reply,
    json_reply,
)
from services.gateway.web.middleware import request_id_of
from services.gateway.web.parameters import (
    Number,
    Parameters,
    query_of,
)
from services.gateway.web.problem_codes import ADMINISTRATION, BODY_PROBLEMS, KEY_PROBLEMS
from services.gateway.web.responses import PRIVATE, json_response

_TAG: Final = "judging"
_ADDRESS: Final = "/submissions/{id}"
_LARGEST_PAGE: Final = {"json": 1_000, "csv": 20_000}
_LAST_PAGE: Final = 1_000_000
_STEERING: Final = (*BODY_PROBLEMS, "reason_required")
_DENIED: Final = (
    "submission_not_found",
    "token_required",
    "invalid_token",
    "not_the_owner",
    *KEY_PROBLEMS,
)
_JUDGE_PROBLEMS: Final = (
    "missing_scope",
    "judge_not_configured",
    "judging_quota",
    "quota_exhausted",
)
_CLASHES: Final = (
    "already_judged",
    "already_running",
    "no_entry",
    "not_scored_yet",
    "over_budget",
    "paused_by_administrator",
    "stub_not_official",
)


class VerdictsQuery(Parameters):
    """Which verdicts are asked for, and how."""

    format: Literal["json", "csv"] = "json"
    metric: Literal["dvc_llm", "vs_llm", "rc_llm"] | None = None
    state: VerdictFilter | None = None
    page: Number = Field(1, ge=1, le=_LAST_PAGE)
    page_size: Number = Field(
        100, ge=1, le=_LARGEST_PAGE["csv"], description="JSON: no more than 1,000"
    )


class SteeringRequest(JsonBody):
    """Why a run is paused or goes on; it stands in the audit log."""

    why: str = Field("no reason given", description="a reason", examples=["asked by its owner"])


def judging_endpoints(
    ask: RequestJudging,
    steer: SteerRun,
    read: ReadJudging,
    streams: EventStreams,
    callers: Callers,
) -> list[Endpoint]:
    """Return the endpoints of judging."""

    async def judge(request: web.Request) -> web.Response:
        found = submission_id(request)
        run = await ask(found, await callers.of(request))
        return json_response(judging_wire.judging_receipt(found, run), status=202)

    async def pause(request: web.Request) -> web.Response:
        caller = await callers.administrator(request)
        run = await steer.pause(submission_id(request), caller, await _act(request, caller))
        return json_response(judging_wire.JudgeRun.of(run, owner=True))

    async def resume(request: web.Request) -> web.Response:
        caller = await callers.administrator(request)
        run = await steer.resume(submission_id(request), caller, await _act(request, caller))
        return json_response(judging_wire.JudgeRun.of(run, owner=True), status=202)

    async def events(request: web.Request) -> web.StreamResponse:
        found = submission_id(request)
        caller = await callers.understood(request)
        await read.access.look(found, caller)
        return await streams.serve(request, found, caller.address)

    async def verdicts(request: web.Request) -> web.Response:
        asked = query_of(request, VerdictsQuery)
        size = min(asked.page_size, _LARGEST_PAGE[asked.format])
        query = VerdictQuery(asked.metric, asked.state, asked.page, size)
        found, total = await read.verdicts(submission_id(request), await callers.of(request), query)
        page = judging_wire.verdict_page(found, total, query)
        if asked.format == "json":
            return json_response(page)
        disposition = 'attachment; filename="verdicts.csv"'
        headers = {**PRIVATE, "Content-Disposition": disposition, "X-Total-Count": str(total)}
        return web.Response(
            text=judging_wire.verdicts_csv(page), content_type="text/csv", headers=headers
        )

    return [
        Endpoint(
            "POST",
            f"{_ADDRESS}/judge",
            judge,
            summary="Ask for judging",
            description="Starts a judge run, or resumes one that is paused or failed.",
            tag=_TAG,
            path_model=SubmissionPath,
            replies={202: json_reply("The run.", judging_wire.JudgingReceipt)},
            problems=(*_DENIED, *_CLASHES, *_JUDGE_PROBLEMS),
            access=(Access.OWNER, Access.ADMIN),
        ),
        Endpoint(
            "POST",
            f"{_ADDRESS}/judge/pause",
            pause,
            summary="Pause judging",
            tag=_TAG,
            path_model=SubmissionPath,
            body=Body(SteeringRequest, required=False),
            replies={200: json_reply("The run, paused.", judging_wire.JudgeRun)},
            problems=(*_DENIED, *ADMINISTRATION, *_STEERING, "run_not_found", "not_running"),
            access=(Access.ADMIN,),
        ),
        Endpoint(
            "POST",
            f"{_ADDRESS}/judge/resume",
            resume,
            summary="Resume judging",
            tag=_TAG,
            path_model=SubmissionPath,
            body=Body(SteeringRequest, required=False),
            replies={202: json_reply("The run, queued again.", judging_wire.JudgeRun)},
            problems=(
                *_DENIED,
                *ADMINISTRATION,
                *_STEERING,
                "run_not_found",
                "not_paused",
                "already_running",
            ),
            access=(Access.ADMIN,),
        ),
        Endpoint(
            "GET",
            f"{_ADDRESS}/events",
            events,
            summary="Follow a submission",
            description="Server-sent events: what happened so far, then what happens. Resumable.",
            tag=_TAG,
            path_model=SubmissionPath,
            header_model=judging_wire.EventHeaders,
            replies={200: Reply("The events, without end.", {EVENTS: None})},
            problems=("submission_not_found", "invalid_query", "too_many_at_once", *KEY_PROBLEMS),
            access=(Access.PUBLIC, Access.OWNER),
            head=False,
        ),
        Endpoint(
            "GET",
            f"{_ADDRESS}/verdicts",
            verdicts,
            summary="Read the judge's verdicts",
            tag=_TAG,
            path_model=SubmissionPath,
            query_model=VerdictsQuery,
            replies={
                200: Reply(
                    "A page of the newest run's verdicts.",
                    {JSON: judging_wire.VerdictPage, CSV: None},
                    {"X-Total-Count": "with CSV: the number of verdicts on all pages"},
                )
            },
            problems=(*_DENIED, "run_not_found", "invalid_query"),
            access=(Access.OWNER, Access.ADMIN),
        ),
    ]


async def _act(request: web.Request, caller: Caller) -> AdminAction:
    asked = await body_of(request, SteeringRequest) if request.body_exists else SteeringRequest()
    return AdminAction.of(caller.name, asked.why, request_id_of(request))
