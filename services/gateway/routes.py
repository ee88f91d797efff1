"""Addresses and what answers them."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from aiohttp import hdrs, web

from services.gateway import wire
from services.gateway.boards import Boards, ReadyBoard
from services.gateway.domain.credentials import bearer_token
from services.gateway.domain.http import accepts_gzip, etag_matches
from services.gateway.handlers import AcceptSubmission, ReadStatus, not_found
from services.gateway.judging import ReadJudging
from services.gateway.middleware import Handle
from services.gateway.pages import Pages
from services.gateway.representations import Representation, represent
from services.gateway.security import API_HEADERS
from services.gateway.uploads import Receiver
from shared.benchmark.tasks import BOARDS, SCORINGS
from shared.runtime.errors import InvalidInput, NotFound

_JSON: Final = "application/json"
_READS: Final = frozenset({"GET", "HEAD"})
_PRIVATE: Final = "private, no-cache"


def send(request: web.Request, representation: Representation) -> web.Response:
    """Answer with ready bytes, or 304 where the asker has them."""
    asked = request.headers
    gzip_accepted = accepts_gzip(asked.get(hdrs.ACCEPT_ENCODING, ""))
    variant = representation.gzip if gzip_accepted else representation.identity
    tags = asked.get(hdrs.IF_NONE_MATCH)
    if tags is not None:
        if etag_matches(tags, variant.etag):
            return web.Response(status=304, headers=variant.not_modified)
    elif hdrs.IF_MODIFIED_SINCE in asked and representation.last_modified is not None:
        since = request.if_modified_since
        if since is not None and representation.last_modified <= since:
            return web.Response(status=304, headers=variant.not_modified)
    return web.Response(body=variant.body, headers=variant.headers)


def ready_first(boards: Boards, handle: Handle) -> Handle:
    """Answer reads of boards at their usual addresses at once; `handle` answers the rest.

    Routing takes a tenth of such a read's time. The routes of boards answer the same at every
    other spelling of an address.
    """

    async def first(request: web.Request) -> web.StreamResponse:
        ready = boards.by_address.get(request.raw_path)
        if ready is not None and request.method in _READS and hdrs.EXPECT not in request.headers:
            return send(request, ready)
        return await handle(request)

    return first


def board_routes(boards: Boards, pages: Pages) -> list[web.RouteDef]:
    """Return the routes that read boards: JSON, pages, static files. None of them waits."""

    async def unknown_board(request: web.Request) -> web.Response:
        raise NotFound(
            f"there is no board {request.match_info['board']!r}.",
            fix=f"Boards are {' and '.join(BOARDS)}.",
            code="board_not_found",
        )

    async def index(request: web.Request) -> web.Response:
        return send(request, boards.index)

    async def asset(request: web.Request) -> web.Response:
        found = pages.assets.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        return send(request, found)

    routes = [web.get(f"{wire.API}/leaderboards", index)]
    for board in BOARDS:  # addresses of their own, which are found faster than by a pattern
        json, page = _board_handlers(boards, board)
        routes += [
            web.get(f"{wire.API}/leaderboards/{board}", json),
            web.get(wire.page_url(board, "compat"), page),
        ]
    return [
        *routes,
        web.get(f"{wire.API}/leaderboards/{{board:[^/]+}}", unknown_board),
        web.get("/static/{name}", asset),
    ]


def _board_handlers(boards: Boards, board: str) -> tuple[Handle, Handle]:
    async def json(request: web.Request) -> web.Response:
        return send(request, _find(boards, board, request).json)

    async def page(request: web.Request) -> web.Response:
        return send(request, _find(boards, board, request).page)

    return json, page


def _find(boards: Boards, board: str, request: web.Request) -> ReadyBoard:
    scoring = request.query.get("scoring", "compat") if "?" in request.raw_path else "compat"
    found = boards.get(board, scoring)
    if found is None:
        raise InvalidInput(
            f"there is no scoring {scoring[:40]!r}.",
            fix=f"Scorings are {' and '.join(SCORINGS)}.",
            code="invalid_query",
        )
    return found


def submission_routes(
    accept: AcceptSubmission,
    read_status: ReadStatus,
    read_judging: ReadJudging,
    receiver: Receiver,
) -> list[web.RouteDef]:
    """Return the routes of submissions."""

    async def submit(request: web.Request) -> web.Response:
        async with receiver.receive(request) as upload:
            receipt = await accept(upload, request.headers.get("Idempotency-Key"))
        answer = wire.SubmissionReceipt.of(receipt)
        return web.Response(
            text=answer.model_dump_json(),
            status=202,
            content_type=_JSON,
            headers={"Cache-Control": "no-store", "Location": answer.status_url},
        )

    async def status(request: web.Request) -> web.Response:
        token = bearer_token(request.headers.get("Authorization"))
        found = await read_status(submission_id(request), token)
        judging = await read_judging.status(found.submission.id)
        body = wire.submission_status(found, judging).model_dump_json().encode()
        headers = {**API_HEADERS, "Vary": "Accept-Encoding, Authorization"}
        return send(
            request,
            represent(body, content_type=_JSON, cache_control=_PRIVATE, headers=headers),
        )

    return [
        web.post(f"{wire.API}/submissions", submit),
        web.get(f"{wire.API}/submissions/{{id:[^/]+}}", status),
    ]


def submission_id(request: web.Request) -> UUID:
    """Return the id in the address; raises NotFound where it is none."""
    text = request.match_info["id"]
    try:
        found = UUID(text)
    except ValueError:
        raise not_found() from None
    if str(found) != text.lower():  # UUID() also takes braces, urn: and missing hyphens
        raise not_found()
    return found
