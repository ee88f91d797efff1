"""Operations of judging."""

from __future__ import annotations

from typing import Final, Literal

from aiohttp import web
from pydantic import Field

from medvid.models.base import JsonBody
from medvid.models.judging import ExplainedPage, JudgeRun, JudgingReceipt, VerdictPage
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.rules import Caller
from services.gateway.judging.models import (
    explained_page,
    judge_run,
    judging_receipt,
    verdict_page,
    verdicts_csv,
)
from services.gateway.judging.service import JudgingService
from services.gateway.judging.store import VerdictFilter, VerdictOrder, VerdictQuery
from services.gateway.submissions.access import SubmissionId
from services.gateway.web.endpoints import ADMIN, CSV, JSON, Access, Reply
from services.gateway.web.parameters import Number, Parameters, Sought
from services.gateway.web.responses import PRIVATE
from services.gateway.web.router import Router

_LARGEST_PAGE: Final = {"json": 1_000, "csv": 20_000}
_LAST_PAGE: Final = 1_000_000
Aspect = Literal["R2", "R4", "R5", "R7", "R8"]
_OWNERS: Final = (Access.OWNER, Access.ADMIN)
_DENIED: Final = ("submission_not_found", "token_required", "invalid_token", "not_the_owner")


class VerdictsQuery(Parameters):
    """Which verdicts are asked for, and how."""

    format: Literal["json", "csv"] = Field("json", description="the form of the answer")
    metric: Literal["dvc_llm", "vs_llm", "rc_llm"] | None = Field(
        None, description="verdicts that count for this metric"
    )
    state: VerdictFilter | None = Field(
        None, description="whether there is a verdict: scored, unscored, or still open"
    )
    aspect: Aspect | None = Field(
        None, description="what 'at_most' and 'order' go by; else the mean"
    )
    at_most: Number | None = Field(None, ge=1, le=5, description="no better than this score")
    source: Sought | None = Field(None, description="as far as values by source are shown")
    model: Sought | None = Field(None, description="the judge, as it calls itself")
    cut: Literal["true", "false"] | None = Field(
        None, description="whether the judge saw the beginning alone"
    )
    order: VerdictOrder = Field("pair", description="worst: lowest score first, unscored last")
    page: Number = Field(1, ge=1, le=_LAST_PAGE, description="which page, from 1")
    page_size: Number = Field(
        100, ge=1, le=_LARGEST_PAGE["csv"], description="verdicts a page; JSON: no more than 1,000"
    )

    def wanted(self) -> VerdictQuery:
        """Return what is asked of the store."""
        asked = self.model_dump(exclude={"format"})
        size = min(self.page_size, _LARGEST_PAGE[self.format])
        cut = None if self.cut is None else self.cut == "true"
        return VerdictQuery(**asked | {"page_size": size, "cut": cut})


class SteeringRequest(JsonBody):
    """Why a run is paused or resumed; it stands in the audit log."""

    why: str = Field("no reason given", description="a reason", examples=["asked by its owner"])


class JudgingRequest(JsonBody):
    """How captions are judged."""

    fast: bool = Field(
        False,
        description="one call for each pair, at the full price, where others travel in batches; "
        "also of a run that is under way: what was answered by then is kept",
    )


router: Final = Router("judging", reason=SteeringRequest())
_AS_OTHERS: Final = JudgingRequest()


@router.post(
    "/submissions/{id}/judge",
    reply="The run.",
    status=202,
    access=_OWNERS,
    problems=(
        *_DENIED,
        "already_judged",
        "already_running",
        "needs_operator",
        "no_entry",
        "not_scored_yet",
        "over_budget",
        "paused_by_administrator",
        "stub_not_official",
        "missing_scope",
        "judge_not_configured",
        "judging_quota",
        "quota_exhausted",
    ),
)
async def request_judging(
    judging: JudgingService,
    id: SubmissionId,
    caller: Caller,
    body: JudgingRequest = _AS_OTHERS,
) -> JudgingReceipt:
    """Ask for judging.

    Starts a judge run, or resumes one that is paused or failed. Where pairs travel in batches of
    the provider's, which take up to a day, the estimate names both prices.
    """
    run = await judging.request(id, caller, fast=body.fast)
    return judging_receipt(id, run, await judging.store.series(id))


@router.post(
    "/submissions/{id}/judge/pause",
    reply="The run, paused.",
    access=ADMIN,
    problems=(*_DENIED, "run_not_found", "not_running"),
)
async def pause_judging(
    judging: JudgingService, id: SubmissionId, caller: Caller, action: AdminAction
) -> JudgeRun:
    """Pause judging."""
    return judge_run(await judging.pause(id, caller, action), owner=True)


@router.post(
    "/submissions/{id}/judge/resume",
    reply="The run, queued again.",
    status=202,
    access=ADMIN,
    problems=(*_DENIED, "run_not_found", "not_paused", "already_running"),
)
async def resume_judging(
    judging: JudgingService, id: SubmissionId, caller: Caller, action: AdminAction
) -> JudgeRun:
    """Resume judging."""
    return judge_run(await judging.resume(id, caller, action), owner=True)


@router.get(
    "/submissions/{id}/verdicts",
    reply=Reply(
        "A page of the newest run's verdicts.",
        {JSON: VerdictPage, CSV: None},
        {"X-Total-Count": "with CSV: the number of verdicts on all pages"},
    ),
    access=_OWNERS,
    problems=(*_DENIED, "run_not_found", "verdicts_hidden"),
)
async def read_verdicts(
    judging: JudgingService, id: SubmissionId, caller: Caller, query: VerdictsQuery
) -> VerdictPage | web.Response:
    """Read the judge's verdicts.

    Those of evaluate-only submissions are not shown.
    """
    wanted = query.wanted()
    page = verdict_page(await judging.verdicts(id, caller, wanted), wanted)
    return page if query.format == "json" else _csv(page)


@router.get(
    "/admin/submissions/{id}/verdicts",
    reply=Reply(
        "A page of the newest run's verdicts, with the judge's reasons.",
        {JSON: ExplainedPage, CSV: None},
        {"X-Total-Count": "with CSV: the number of verdicts on all pages"},
    ),
    access=ADMIN,
    problems=(*_DENIED, "run_not_found"),
)
async def read_explained_verdicts(
    judging: JudgingService, id: SubmissionId, caller: Caller, query: VerdictsQuery
) -> ExplainedPage | web.Response:
    """Read the judge's verdicts with its reasons.

    A reason may repeat the reference: no owner and no public page shows it.
    """
    wanted = query.wanted()
    page = explained_page(*await judging.explained(id, caller, wanted), wanted)
    return page if query.format == "json" else _csv(page)


def _csv(page: VerdictPage | ExplainedPage) -> web.Response:
    disposition = 'attachment; filename="verdicts.csv"'
    headers = {**PRIVATE, "Content-Disposition": disposition, "X-Total-Count": str(page.total)}
    return web.Response(text=verdicts_csv(page), content_type=CSV, headers=headers)
