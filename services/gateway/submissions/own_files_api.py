"""A submission's file, for its owner: as it was sent, and how each prediction is read."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from uuid import UUID

from aiohttp import web
from pydantic import Field

from medvid.benchmark.parsed import parse
from medvid.benchmark.tasks import Task
from medvid.benchmark.test_set import TestItem, TestSet
from medvid.models.submissions import ParsedPage, ParsedPrediction
from services.gateway.accounts.rules import Caller
from services.gateway.submissions.access import SubmissionAccess, SubmissionId
from services.gateway.submissions.records import StoredSubmission
from services.gateway.web.endpoints import OWNERS, Reply
from services.gateway.web.parameters import Number, Parameters
from services.gateway.web.responses import PRIVATE
from services.gateway.web.router import Router
from services.gateway.web.turns import Turns
from shared.runtime.errors import NotFound, Permanent, Unavailable
from shared.runtime.truth_workers import TruthWorkers, stored_predictions
from shared.runtime.workers import WorkerCrashed, WorkerTimeout

router: Final = Router("submissions")
_GZIP: Final = "application/gzip"
_DENIED: Final = ("submission_not_found", "token_required", "invalid_token", "not_the_owner")
_LARGEST_PAGE: Final = 1_000
_LAST_PAGE: Final = 1_000_000


class PredictionsQuery(Parameters):
    """Which predictions are asked for."""

    task: Task | None = Field(None, description="only those of this task")
    unread: bool = Field(False, description="only those of which nothing is read")
    page: Number = Field(1, ge=1, le=_LAST_PAGE, description="which page, from 1")
    page_size: Number = Field(100, ge=1, le=_LARGEST_PAGE, description="predictions a page")


class OwnFiles:
    """Reads files of submissions. One is parsed at a time, as an address's turn comes."""

    def __init__(self, access: SubmissionAccess, workers: TruthWorkers, *, seconds: float) -> None:
        self._access = access
        self._workers = workers
        self._seconds = seconds
        self._turns = Turns()

    async def file(self, submission_id: UUID, caller: Caller) -> bytes:
        """Return the file (gzip); raises NotFound, NotAllowed."""
        submission, _ = await self._access.check(submission_id, caller)
        return await self._payload(submission)

    async def predictions(
        self, submission_id: UUID, caller: Caller, query: PredictionsQuery
    ) -> ParsedPage:
        """Return a page; raises NotFound, NotAllowed, Busy, Unavailable."""
        submission, _ = await self._access.check(submission_id, caller)
        return await self._turns.get(
            caller.address,
            (submission_id, query.model_dump_json()),
            lambda: None,
            lambda: self._parsed(submission, query),
        )

    async def _parsed(self, submission: StoredSubmission, query: PredictionsQuery) -> ParsedPage:
        payload = await self._payload(submission)
        try:
            return await self._workers.run(
                parsed_page, submission.ground_truth_version, payload, query, timeout=self._seconds
            )
        except (WorkerTimeout, WorkerCrashed, Permanent) as error:
            raise Unavailable(
                "the file could not be read again.", fix="Try again later."
            ) from error

    async def _payload(self, submission: StoredSubmission) -> bytes:
        payload = await self._access.submissions.payload(submission.id)
        if payload is None:
            raise NotFound(
                "the submission's file is not kept any more.",
                fix="Its scores and its report stay; parse your own copy with 'medvid peek'.",
                code="file_gone",
            )
        return payload


def parsed_page(test_set: TestSet, payload: bytes, query: PredictionsQuery) -> ParsedPage:
    """Parse a file; runs in a worker. Of the test set only what is public is used."""
    public = test_set.public
    predictions = stored_predictions(payload, public)
    found = [
        parsed
        for item, text in zip(public.items, predictions, strict=True)
        if query.task in (None, item.task)
        for parsed in [_parsed(item, text)]
        if not (query.unread and parsed.is_read)
    ]
    begin = (query.page - 1) * query.page_size
    return ParsedPage(
        page=query.page,
        page_size=query.page_size,
        total=len(found),
        predictions=found[begin : begin + query.page_size],
    )


def _parsed(item: TestItem, text: str | None) -> ParsedPrediction:
    parsed = None if text is None else parse(text, item)
    return ParsedPrediction(
        index=item.index,
        id=item.id,
        qa_type=item.qa_type or item.task,
        prediction=text,
        is_read=parsed is not None and parsed.is_read,
        parsed=parsed.value if parsed else None,
        styles=list(parsed.styles) if parsed else [],
    )


@router.get(
    "/submissions/{id}/file",
    reply=Reply("The file, compressed with gzip.", {_GZIP: None}),
    access=OWNERS,
    problems=(*_DENIED, "file_gone"),
)
async def read_file(own_files: OwnFiles, id: SubmissionId, caller: Caller) -> web.Response:
    """Download the predictions as they were sent."""
    content = await own_files.file(id, caller)
    disposition = f'attachment; filename="{id}.predictions.gz"'
    headers = {**PRIVATE, "Content-Disposition": disposition}
    return web.Response(body=content, status=HTTPStatus.OK, content_type=_GZIP, headers=headers)


@router.get(
    "/submissions/{id}/predictions",
    reply="A page of predictions, in test-set order.",
    access=OWNERS,
    problems=(*_DENIED, "file_gone", "too_many_at_once"),
)
async def read_predictions(
    own_files: OwnFiles, id: SubmissionId, caller: Caller, query: PredictionsQuery
) -> ParsedPage:
    """Read how each prediction is parsed.

    By the same rules as for scores, and by nothing that depends on what is true of a sample.
    """
    return await own_files.predictions(id, caller, query)
