"""Operations of administration: succession of judges."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from medvid.models.administration import ChangeAnswer
from medvid.models.jobs import JobsPage, RescoreDetail, RescoreJobView, SuccessionEstimate
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.admin.models import Reason
from services.gateway.admin.rescore_models import (
    ApplySuccessionBody,
    SuccessionBody,
    SuccessionQuery,
    rescore_detail,
)
from services.gateway.admin.rescoring import Rescoring
from services.gateway.admin.succession import Succession
from services.gateway.web.endpoints import ADMIN
from services.gateway.web.paging import cursor_of, cut, position_of
from services.gateway.web.parameters import PageQuery, id_reader
from services.gateway.web.router import PathText, Router

router: Final = Router("administration", access=ADMIN, reason=Reason)
JobId = Annotated[UUID, Field(description="the job's id"), PathText(id_reader("rescore"))]
_CHANGED: Final = "Whether it changed."


@router.get(
    "/admin/successions/estimate",
    reply="What it takes.",
    problems=("entry_not_found", "judge_not_configured"),
)
async def estimate_succession(succession: Succession, query: SuccessionQuery) -> SuccessionEstimate:
    """Read what judging by the judge that runs now costs.

    Of all entries whose values are of another judge, of one board or of some.
    """
    return await succession.estimate(query.board, query.ids)


@router.post(
    "/admin/successions",
    reply="The job.",
    status=202,
    problems=(
        "entry_not_found",
        "ground_truth_not_found",
        "judge_not_configured",
        "nothing_to_judge",
        "estimate_outdated",
        "rescore_unfinished",
    ),
)
async def start_succession(
    succession: Succession, body: SuccessionBody, action: AdminAction
) -> RescoreJobView:
    """Have entries judged by the judge that runs now.

    Beside the values in force. Nothing changes on a board until the job is applied.
    """
    return await succession.start(
        action, board=body.board, entry_ids=body.entries, calls=body.calls
    )


@router.get("/admin/successions", reply="A page of jobs, newest first.")
async def list_successions(rescoring: Rescoring, query: PageQuery) -> JobsPage:
    """List jobs of succession."""
    found = await rescoring.page(position_of(query.cursor), query.limit + 1, "succession")
    shown, cursor = cut(found, query.limit, lambda job: cursor_of((job.created_at, job.id)))
    return JobsPage(jobs=shown, next_cursor=cursor)


@router.get("/admin/successions/{id}", reply="The job.", problems=("rescore_not_found",))
async def read_succession(rescoring: Rescoring, succession: Succession, id: JobId) -> RescoreDetail:
    """Read a job of succession with its difference.

    The bridge between the judges, ranks before and after, and the entries that stay marked.
    """
    job = await rescoring.find(id)
    preview, failures = await rescoring.preview(job.id), await rescoring.failures(job.id)
    stays, runs = await succession.staying(job), await succession.runs(job)
    unranked = await succession.unranked(job)
    return rescore_detail(job, preview, failures, stays, runs, unranked)


@router.post(
    "/admin/successions/{id}/apply",
    reply=_CHANGED,
    problems=(
        "rescore_not_found",
        "rescore_not_ready",
        "rescore_failures",
        "entries_unranked",
        "preview_outdated",
    ),
)
async def apply_succession(
    rescoring: Rescoring, id: JobId, body: ApplySuccessionBody, action: AdminAction
) -> ChangeAnswer:
    """Put the values of the new judge in force.

    All at once; the boards of its entries go over to this judge. Entries that rank today and were
    not judged by it count as missing from then on, which `leave_unranked` must allow.
    """
    return ChangeAnswer(changed=await rescoring.apply(id, action, body.wanted()))


@router.post(
    "/admin/successions/{id}/discard",
    reply=_CHANGED,
    problems=("rescore_not_found", "rescore_applied"),
)
async def discard_succession(rescoring: Rescoring, id: JobId, action: AdminAction) -> ChangeAnswer:
    """Drop a job of succession; its verdicts are kept, and cost nothing another time."""
    return ChangeAnswer(changed=await rescoring.discard(id, action))
