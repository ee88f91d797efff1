"""Addresses of judging and what answers them."""

from __future__ import annotations

from typing import Final, cast, get_args

from aiohttp import web
from pydantic import BaseModel

from services.gateway import judging_wire, wire
from services.gateway.domain.credentials import bearer_token
from services.gateway.events import EventStreams
from services.gateway.handlers import not_found
from services.gateway.judging import ReadJudging, RequestJudging, SteerRun
from services.gateway.judging_ports import VerdictFilter, VerdictQuery
from services.gateway.routes import submission_id
from shared.benchmark.tasks import JUDGE_METRIC_KEYS
from shared.runtime.errors import InvalidInput

_JSON: Final = "application/json"
_PRIVATE: Final = {"Cache-Control": "no-store", "Vary": "Authorization"}
_PAGE_SIZE: Final = 100
_LARGEST_PAGE: Final = {"json": 1_000, "csv": 20_000}
_LAST_PAGE: Final = 1_000_000


def judging_routes(
    ask: RequestJudging, steer: SteerRun, read: ReadJudging, streams: EventStreams
) -> list[web.RouteDef]:
    """Return the routes of judging."""

    async def judge(request: web.Request) -> web.Response:
        found = submission_id(request)
        run = await ask(found, _token(request))
        return _answer(judging_wire.judging_receipt(found, run), status=202)

    async def pause(request: web.Request) -> web.Response:
        run = await steer.pause(submission_id(request), _token(request))
        return _answer(judging_wire.JudgeRun.of(run, owner=True))

    async def resume(request: web.Request) -> web.Response:
        run = await steer.resume(submission_id(request), _token(request))
        return _answer(judging_wire.JudgeRun.of(run, owner=True), status=202)

    async def events(request: web.Request) -> web.StreamResponse:
        found = submission_id(request)
        if await read.access.submissions.find(found) is None:
            raise not_found()
        return await streams.serve(request, found)

    async def verdicts(request: web.Request) -> web.Response:
        form = _choice(request, "format", tuple(_LARGEST_PAGE)) or "json"
        query = VerdictQuery(
            metric=_choice(request, "metric", JUDGE_METRIC_KEYS),
            state=cast(VerdictFilter | None, _choice(request, "state", get_args(VerdictFilter))),
            page=_number(request, "page", 1, _LAST_PAGE),
            page_size=_number(request, "page_size", _PAGE_SIZE, _LARGEST_PAGE[form]),
        )
        found, total = await read.verdicts(submission_id(request), _token(request), query)
        page = judging_wire.verdict_page(found, total, query)
        if form == "json":
            return _answer(page)
        disposition = 'attachment; filename="verdicts.csv"'
        headers = {**_PRIVATE, "Content-Disposition": disposition, "X-Total-Count": str(total)}
        return web.Response(
            text=judging_wire.verdicts_csv(page), content_type="text/csv", headers=headers
        )

    address = f"{wire.API}/submissions/{{id:[^/]+}}"
    return [
        web.post(f"{address}/judge", judge),
        web.post(f"{address}/judge/pause", pause),
        web.post(f"{address}/judge/resume", resume),
        web.get(f"{address}/events", events, allow_head=False),
        web.get(f"{address}/verdicts", verdicts),
    ]


def _token(request: web.Request) -> str | None:
    return bearer_token(request.headers.get("Authorization"))


def _answer(body: BaseModel, status: int = 200) -> web.Response:
    return web.Response(
        text=body.model_dump_json(), status=status, content_type=_JSON, headers=_PRIVATE
    )


def _choice(request: web.Request, name: str, choices: tuple[str, ...]) -> str | None:
    value = request.query.get(name)
    if value is None or value in choices:
        return value
    raise InvalidInput(
        f"{name} is {value[:40]!r}.", fix=f"Use {' or '.join(choices)}.", code="invalid_query"
    )


def _number(request: web.Request, name: str, default: int, largest: int) -> int:
    value = request.query.get(name, str(default))
    if value.isascii() and value.isdigit() and len(value) <= 9 and 1 <= int(value) <= largest:
        return int(value)
    raise InvalidInput(
        f"{name} is {value[:40]!r}.", fix=f"Use a number from 1 to {largest}.", code="invalid_query"
    )
