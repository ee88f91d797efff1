"""Addresses of re-scoring and what answers them."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web

from services.gateway.accounts.callers import Callers
from services.gateway.admin import rescore_wire as wire
from services.gateway.admin.acting import action_of, id_of
from services.gateway.admin.operations_wire import ChangeAnswer
from services.gateway.admin.rescoring import Rescoring
from services.gateway.admin.routes import ACTION_PROBLEMS, ADMIN, TAG
from services.gateway.admin.wire import Deed
from services.gateway.web.bodies import body_of
from services.gateway.web.endpoints import Body, Endpoint, json_reply
from services.gateway.web.paging import cursor_of, position_of
from services.gateway.web.parameters import query_of
from services.gateway.web.problem_codes import ADMINISTRATION
from services.gateway.web.responses import json_response


def rescore_endpoints(rescoring: Rescoring, callers: Callers) -> list[Endpoint]:
    """Return the endpoints of re-scoring."""

    async def start(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = await body_of(request, wire.RescoreBody)
        action = await action_of(request, callers, asked.why)
        job = await rescoring.start(
            action, version=asked.ground_truth, board=asked.board, entry_ids=asked.entries
        )
        return json_response(wire.RescoreJobView.of(job), status=202)

    async def page(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = query_of(request, wire.JobsQuery)
        found = await rescoring.page(position_of(asked.cursor), asked.limit + 1)
        shown = found[: asked.limit]
        more = len(found) > len(shown)
        cursor = cursor_of((shown[-1].created_at, shown[-1].id)) if more else None
        views = [wire.RescoreJobView.of(job) for job in shown]
        return json_response(wire.JobsPage(jobs=views, next_cursor=cursor))

    async def detail(request: web.Request) -> web.Response:
        await callers.administrator(request)
        job = await rescoring.find(_job_id(request))
        preview = await rescoring.preview(job.id)
        return json_response(
            wire.rescore_detail(job, preview, list(await rescoring.failures(job.id)))
        )

    async def apply(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = await body_of(request, wire.ApplyBody)
        action = await action_of(request, callers, asked.why)
        changed = await rescoring.apply(_job_id(request), action, asked.wanted())
        return json_response(ChangeAnswer(changed=changed))

    async def discard(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = await body_of(request, Deed)
        action = await action_of(request, callers, asked.why)
        return json_response(
            ChangeAnswer(changed=await rescoring.discard(_job_id(request), action))
        )

    return [
        Endpoint(
            "POST",
            "/admin/rescores",
            start,
            summary="Score entries anew, beside the scores in force",
            description="Nothing changes on a board until the job is applied.",
            tag=TAG,
            body=Body(wire.RescoreBody),
            replies={202: json_reply("The job.", wire.RescoreJobView)},
            problems=(
                *ACTION_PROBLEMS,
                "ground_truth_not_found",
                "nothing_to_rescore",
                "rescore_unfinished",
            ),
            access=ADMIN,
        ),
        Endpoint(
            "GET",
            "/admin/rescores",
            page,
            summary="List re-score jobs",
            tag=TAG,
            query_model=wire.JobsQuery,
            replies={200: json_reply("A page of jobs, newest first.", wire.JobsPage)},
            problems=(*ADMINISTRATION, "invalid_query"),
            access=ADMIN,
        ),
        Endpoint(
            "GET",
            "/admin/rescores/{id}",
            detail,
            summary="Read a re-score job with its difference",
            description="Every entry's rank before and after, and the values that change.",
            tag=TAG,
            path_model=wire.RescorePath,
            replies={200: json_reply("The job.", wire.RescoreDetail)},
            problems=(*ADMINISTRATION, "rescore_not_found"),
            access=ADMIN,
        ),
        Endpoint(
            "POST",
            "/admin/rescores/{id}/apply",
            apply,
            summary="Put a job's scores in force, all at once",
            tag=TAG,
            path_model=wire.RescorePath,
            body=Body(wire.ApplyBody),
            replies={200: json_reply("Whether it changed.", ChangeAnswer)},
            problems=(
                *ACTION_PROBLEMS,
                "rescore_not_found",
                "rescore_not_ready",
                "rescore_failures",
                "preview_outdated",
            ),
            access=ADMIN,
        ),
        Endpoint(
            "POST",
            "/admin/rescores/{id}/discard",
            discard,
            summary="Drop a re-score job",
            tag=TAG,
            path_model=wire.RescorePath,
            body=Body(Deed),
            replies={200: json_reply("Whether it changed.", ChangeAnswer)},
            problems=(*ACTION_PROBLEMS, "rescore_not_found", "rescore_applied"),
            access=ADMIN,
        ),
    ]


def _job_id(request: web.Request) -> UUID:
    return id_of(request, "rescore")
