"""Addresses of what becomes of submissions, and what answers them."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from pydantic import Field

from services.gateway.accounts.callers import Callers
from services.gateway.submissions import wire as submission_wire
from services.gateway.submissions.access import SubmissionPath, submission_id
from services.gateway.submissions.lifecycle import ListSubmissions, Withdraw
from services.gateway.web.bodies import body_of
from services.gateway.web.endpoints import Access, Body, Endpoint, Reply, json_reply
from services.gateway.web.middleware import request_id_of
from services.gateway.web.paging import cursor_of, position_of
from services.gateway.web.parameters import (
    Number,
    Parameters,
    RowCursor,
    query_of,
)
from services.gateway.web.problem_codes import BODY_PROBLEMS, KEY_PROBLEMS
from services.gateway.web.responses import json_response

_TAG: Final = "submissions"


class SubmissionsQuery(Parameters):
    """Which submissions are listed."""

    state: submission_wire.State | None = None
    cursor: RowCursor | None = Field(None, description="'next_cursor' of the page before")
    limit: Number = Field(50, ge=1, le=200)


def lifecycle_endpoints(
    listing: ListSubmissions, withdraw: Withdraw, callers: Callers
) -> list[Endpoint]:
    """Return the endpoints."""

    async def page(request: web.Request) -> web.Response:
        caller = await callers.of(request)
        asked = query_of(request, SubmissionsQuery)
        found = await listing(caller, asked.state, position_of(asked.cursor), asked.limit + 1)
        shown = found[: asked.limit]
        more = len(found) > len(shown)
        return json_response(
            submission_wire.SubmissionPage(
                submissions=[submission_wire.SubmissionLine.of(each) for each in shown],
                next_cursor=cursor_of((shown[-1].created_at, shown[-1].id)) if more else None,
            )
        )

    async def take_back(request: web.Request) -> web.Response:
        found = submission_id(request)
        caller = await callers.of(request)
        note = None
        if request.body_exists:
            await withdraw.admit(found, caller)
            note = (await body_of(request, submission_wire.WithdrawalRequest)).note
        await withdraw(found, caller, note, request_id_of(request))
        return web.Response(status=204, headers={"Cache-Control": "no-store"})

    return [
        Endpoint(
            "GET",
            "/submissions",
            page,
            summary="List submissions",
            description="With an owner token its submission, with an API key those sent with it, "
            "with an administrator's key all.",
            tag=_TAG,
            query_model=SubmissionsQuery,
            replies={200: json_reply("A page, newest first.", submission_wire.SubmissionPage)},
            problems=(*KEY_PROBLEMS, "token_required", "invalid_query"),
            access=(Access.OWNER, Access.SUBMIT, Access.JUDGE, Access.ADMIN),
        ),
        Endpoint(
            "POST",
            "/submissions/{id}/withdraw",
            take_back,
            summary="Withdraw a submission",
            description="It leaves its board, and its name is free again; that it was there stays "
            "readable. Withdrawing again changes nothing.",
            tag=_TAG,
            path_model=SubmissionPath,
            body=Body(submission_wire.WithdrawalRequest, required=False),
            replies={204: Reply("Withdrawn.")},
            problems=(
                *KEY_PROBLEMS,
                *BODY_PROBLEMS,
                "submission_not_found",
                "token_required",
                "invalid_token",
                "not_the_owner",
                "not_withdrawable",
                "reason_required",
            ),
            access=(Access.OWNER, Access.SUBMIT, Access.ADMIN),
        ),
    ]
