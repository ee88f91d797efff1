"""Operations of administration: dead letters, ground truth, judging, re-scoring."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from uuid import UUID

from aiohttp import ClientError, web
from pydantic import Field

from medvid.models.administration import (
    ChangeAnswer,
    CostsPage,
    GroundTruthList,
    JudgingView,
    LetterOutcome,
    LettersAnswer,
    LettersPage,
    LoadedView,
)
from medvid.models.jobs import JobKind, JobsPage, RescoreDetail, RescoreJobView
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.admin.costs import Costs, CostsQuery, costs_csv
from services.gateway.admin.dead_letters import DeadLetters
from services.gateway.admin.ground_truths import LARGEST_FILE, GroundTruths
from services.gateway.admin.judging_hold import HoldJudging
from services.gateway.admin.models import Reason
from services.gateway.admin.operations_models import (
    MOST_LETTERS,
    ChooseBody,
    LettersBody,
    LettersQuery,
    LoadQuery,
    ReloadBody,
    TruthFile,
    dead_letter,
)
from services.gateway.admin.rereading import Rereading
from services.gateway.admin.rescore_models import (
    ApplyBody,
    ApplyJudgedBody,
    RereadBody,
    RescoreBody,
    rescore_detail,
)
from services.gateway.admin.rescoring import Rescoring
from services.gateway.web.bodies import media_type
from services.gateway.web.endpoints import ADMIN, CSV, JSON, Body, Reply, json_reply
from services.gateway.web.paging import cursor_of, cut, position_of
from services.gateway.web.parameters import PageQuery, id_reader
from services.gateway.web.responses import PRIVATE
from services.gateway.web.router import PathText, Router
from shared.runtime.errors import Conflict, InvalidInput, NotFound, TooLarge

router: Final = Router("administration", access=ADMIN, reason=Reason)
_READ_SECONDS: Final = 300.0
_FILE_TYPES: Final = ("application/json", "application/gzip", "application/octet-stream")
_CHANGED: Final = "Whether it changed."
_LOADED: Final = {
    200: json_reply("It was there.", LoadedView),
    201: json_reply("Loaded.", LoadedView),
}
RescoreId = Annotated[UUID, Field(description="the job's id"), PathText(id_reader("rescore"))]


def _loaded(loaded: LoadedView) -> int:
    return 201 if loaded.new else 200


@router.get("/admin/dead-letters", reply="A page of dead letters.")
async def list_dead_letters(letters: DeadLetters, query: LettersQuery) -> LettersPage:
    """List dead letters.

    Messages that could not be handled, newest first, with their reason.
    """
    found = await letters.page(
        query.state, query.queue, query.reason, before=query.cursor, limit=query.limit + 1
    )
    shown, cursor = cut(found, query.limit, lambda letter: str(letter.id))
    return LettersPage(letters=[dead_letter(letter) for letter in shown], next_cursor=cursor)


@router.post("/admin/dead-letters/replay", reply="What became of each.")
async def replay_dead_letters(
    letters: DeadLetters, body: LettersBody, action: AdminAction
) -> LettersAnswer:
    """Send dead letters anew.

    Each by itself: one that cannot be does not stop the others.
    """
    return await _on_letters(letters, letters.replay, body, action)


@router.post("/admin/dead-letters/discard", reply="What became of each.")
async def discard_dead_letters(
    letters: DeadLetters, body: LettersBody, action: AdminAction
) -> LettersAnswer:
    """Close dead letters without sending.

    Each by itself: one that cannot be does not stop the others.
    """
    return await _on_letters(letters, letters.discard, body, action)


async def _on_letters(
    letters: DeadLetters,
    do: Callable[[int, AdminAction], Awaitable[bool]],
    body: LettersBody,
    action: AdminAction,
) -> LettersAnswer:
    ids = body.ids
    if ids is None:
        ids = list(await letters.open_ids(body.queue, body.reason, MOST_LETTERS))
    outcomes = [await letter_outcome(do, letter_id, action) for letter_id in ids]
    return LettersAnswer(letters=outcomes)


async def letter_outcome(
    do: Callable[[int, AdminAction], Awaitable[bool]], letter_id: int, action: AdminAction
) -> LetterOutcome:
    """Replay or discard one letter; what forbids it is in the outcome, not raised."""
    try:
        return LetterOutcome(id=letter_id, changed=await do(letter_id, action))
    except (Conflict, NotFound) as error:
        return LetterOutcome(id=letter_id, changed=False, problem=str(error))


@router.get("/admin/ground-truths", reply="All versions.")
async def list_ground_truths(truths: GroundTruths) -> GroundTruthList:
    """List ground truth versions."""
    return GroundTruthList(versions=await truths.all())


@router.post(
    "/admin/ground-truths",
    reply=_LOADED,
    status=_loaded,
    body=Body(TruthFile, _FILE_TYPES[0], "The file of docs/SPEC.md, section 1."),
)
async def load_ground_truth(
    truths: GroundTruths, request: web.Request, query: LoadQuery, action: AdminAction
) -> LoadedView:
    """Load a ground truth file.

    The body is the file: JSON, plain or packed with gzip.
    """
    return await truths.load(await _file(request), action, current=query.current)


@router.post(
    "/admin/ground-truths/reload",
    reply=_LOADED,
    status=_loaded,
    problems=("file_not_found", "no_ground_truth_folder"),
)
async def reload_ground_truth(
    truths: GroundTruths, body: ReloadBody, action: AdminAction
) -> LoadedView:
    """Load a ground truth file of the server's own folder."""
    return await truths.reload(body.file, action, current=body.current)


@router.post("/admin/ground-truths/current", reply=_CHANGED, problems=("ground_truth_not_found",))
async def choose_ground_truth(
    truths: GroundTruths, body: ChooseBody, action: AdminAction
) -> ChangeAnswer:
    """Choose the ground truth that uploads are checked against."""
    return ChangeAnswer(changed=await truths.choose(body.version, action))


@router.get("/admin/judging", reply="How judging stands.")
async def read_judging(hold: HoldJudging) -> JudgingView:
    """Read whether judging is held."""
    return await hold.state()


@router.post("/admin/judging/pause", reply=_CHANGED)
async def pause_judging(hold: HoldJudging, action: AdminAction) -> ChangeAnswer:
    """Pause all judging, also of runs to come."""
    return ChangeAnswer(changed=await hold.pause(action))


@router.post("/admin/judging/resume", reply=_CHANGED)
async def resume_judging(hold: HoldJudging, action: AdminAction) -> ChangeAnswer:
    """Resume judging."""
    return ChangeAnswer(changed=await hold.resume(action))


@router.get("/admin/costs", reply=Reply("What judging cost.", {JSON: CostsPage, CSV: None}))
async def read_costs(costs: Costs, query: CostsQuery) -> CostsPage | web.Response:
    """Read what judging cost.

    By run, submission, judge, endpoint or day, against what was estimated; the latest first.
    """
    page = await costs.page(query)
    return page if query.format == "json" else costs_file(page)


def costs_file(page: CostsPage) -> web.Response:
    """Return a page of costs as a CSV file."""
    headers = {**PRIVATE, "Content-Disposition": 'attachment; filename="costs.csv"'}
    return web.Response(text=costs_csv(page), content_type=CSV, headers=headers)


@router.post(
    "/admin/rescores",
    reply="The job.",
    status=202,
    problems=("ground_truth_not_found", "nothing_to_rescore", "rescore_unfinished"),
)
async def start_rescore(
    rescoring: Rescoring, body: RescoreBody, action: AdminAction
) -> RescoreJobView:
    """Score entries anew, beside the scores in force.

    Nothing changes on a board until the job is applied.
    """
    return await rescoring.start(
        action, version=body.ground_truth, board=body.board, entry_ids=body.entries
    )


@router.get("/admin/rescores", reply="A page of jobs, newest first.")
async def list_rescores(rescoring: Rescoring, query: PageQuery) -> JobsPage:
    """List re-score jobs."""
    return await _jobs(rescoring, query, "rescore")


async def _jobs(rescoring: Rescoring, query: PageQuery, kind: JobKind) -> JobsPage:
    found = await rescoring.page(position_of(query.cursor), query.limit + 1, kind)
    shown, cursor = cut(found, query.limit, lambda job: cursor_of((job.created_at, job.id)))
    return JobsPage(jobs=shown, next_cursor=cursor)


@router.get("/admin/rescores/{id}", reply="The job.", problems=("rescore_not_found",))
async def read_rescore(rescoring: Rescoring, id: RescoreId) -> RescoreDetail:
    """Read a re-score job with its difference.

    Every entry's rank before and after, and the values that change.
    """
    job = await rescoring.find(id)
    preview = await rescoring.preview(job.id)
    return rescore_detail(job, preview, await rescoring.failures(job.id))


@router.post(
    "/admin/rescores/{id}/apply",
    reply=_CHANGED,
    problems=(
        "rescore_not_found",
        "rescore_not_ready",
        "rescore_failures",
        "entries_unranked",
        "preview_outdated",
    ),
)
async def apply_rescore(
    rescoring: Rescoring, id: RescoreId, body: ApplyBody, action: AdminAction
) -> ChangeAnswer:
    """Put a job's scores in force, all at once."""
    return ChangeAnswer(changed=await rescoring.apply(id, action, body.wanted()))


@router.post(
    "/admin/rescores/{id}/discard",
    reply=_CHANGED,
    problems=("rescore_not_found", "rescore_applied"),
)
async def discard_rescore(rescoring: Rescoring, id: RescoreId, action: AdminAction) -> ChangeAnswer:
    """Drop a re-score job."""
    return ChangeAnswer(changed=await rescoring.discard(id, action))


@router.post(
    "/admin/rereads",
    reply="The job.",
    status=202,
    problems=(
        "ground_truth_not_found",
        "judge_version_not_found",
        "same_parser",
        "nothing_to_reread",
        "rescore_unfinished",
    ),
)
async def start_reread(
    rereading: Rereading, body: RereadBody, action: AdminAction
) -> RescoreJobView:
    """Read a judge's kept replies with another parser.

    Beside the values in force, into another judge version, at no cost. Nothing changes on a board
    until the job is applied.
    """
    return await rereading.start(
        action,
        parser=body.parser,
        judge=body.judge_version,
        board=body.board,
        entry_ids=body.entries,
    )


@router.get("/admin/rereads", reply="A page of jobs, newest first.")
async def list_rereads(rescoring: Rescoring, query: PageQuery) -> JobsPage:
    """List jobs that read replies again."""
    return await _jobs(rescoring, query, "reread")


@router.get("/admin/rereads/{id}", reply="The job.", problems=("rescore_not_found",))
async def read_reread(rescoring: Rescoring, id: RescoreId) -> RescoreDetail:
    """Read such a job with its difference."""
    return await read_rescore(rescoring, id)


@router.post(
    "/admin/rereads/{id}/apply",
    reply=_CHANGED,
    problems=("rescore_not_found", "rescore_not_ready", "rescore_failures", "preview_outdated"),
)
async def apply_reread(
    rescoring: Rescoring, id: RescoreId, body: ApplyJudgedBody, action: AdminAction
) -> ChangeAnswer:
    """Put in force what was read again, all at once."""
    return ChangeAnswer(changed=await rescoring.apply(id, action, body.wanted()))


@router.post(
    "/admin/rereads/{id}/discard",
    reply=_CHANGED,
    problems=("rescore_not_found", "rescore_applied"),
)
async def discard_reread(rescoring: Rescoring, id: RescoreId, action: AdminAction) -> ChangeAnswer:
    """Drop such a job."""
    return ChangeAnswer(changed=await rescoring.discard(id, action))


async def _file(request: web.Request) -> bytes:
    """Read a file sent as the body; raises InvalidInput, TooLarge."""
    sent = media_type(request)
    if sent not in _FILE_TYPES:
        raise InvalidInput(
            f"the body is {sent}.",
            fix=f"Send the file as {' or '.join(_FILE_TYPES)}.",
            code="unsupported_media_type",
        )
    data = bytearray()
    try:
        async with asyncio.timeout(_READ_SECONDS):
            while piece := await request.content.readany():
                data += piece
                if len(data) > LARGEST_FILE:
                    raise TooLarge(
                        f"the file has more than {LARGEST_FILE:,} bytes.", fix="Pack it with gzip."
                    )
    except TimeoutError:
        raise InvalidInput(
            "the file came too slowly.", fix="Send it again.", code="body_too_slow"
        ) from None
    except (web.RequestPayloadError, ClientError, ConnectionError) as error:
        raise InvalidInput(
            "the file was cut off.", fix="Send it again.", code="bad_request"
        ) from error
    return bytes(data)
