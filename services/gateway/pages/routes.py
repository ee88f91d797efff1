"""Addresses of pages and static files, and what answers them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import web

from medvid.benchmark.tasks import BOARDS, SCORINGS, Board, Scoring
from services.gateway.boards import wire as board_wire
from services.gateway.boards.current import Boards
from services.gateway.boards.entry_routes import entry_of
from services.gateway.boards.ports import BoardHistory
from services.gateway.boards.routes import known_board
from services.gateway.boards.views import BoardViews
from services.gateway.pages.board_view import View
from services.gateway.pages.comparison import asked_models
from services.gateway.pages.rendering import Pages, compare_url
from services.gateway.pages.views import PageViews, page_of
from services.gateway.web.endpoints import Handle
from services.gateway.web.responses import send
from shared.runtime.errors import InvalidInput

_MODELS_NAMED: Final = 20
_DIGITS: Final = 18


def page_routes(
    boards: Boards,
    views: BoardViews,
    made: PageViews,
    history: BoardHistory,
    pages: Pages,
    address: Callable[[web.Request], str],
) -> list[web.RouteDef]:
    """Return the routes for people's browsers: pages and what they refer to."""
    about_page = page_of(pages.about())

    async def asset(request: web.Request) -> web.Response:
        found = pages.assets.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        return send(request, found)

    async def about(request: web.Request) -> web.Response:
        return send(request, about_page)

    async def compare(request: web.Request) -> web.Response:
        board = known_board(request.query.get("board", "community"))
        scoring = _scoring(request)
        asked = asked_models(request.query.getall("models", []))[:_MODELS_NAMED]
        if len(request.query.getall("models", [])) > 1:  # as a form sends it; not to be shared
            headers = {"Location": compare_url(board, scoring, asked)}
            return web.Response(status=303, headers=headers)
        shown = boards.get(board, scoring).board
        valueless = frozenset(
            (each, scoring) for each in BOARDS for scoring in boards.get(each, "compat").valueless
        )
        who = address(request)
        return send(request, await made.comparison(shown, asked, valueless, address=who))

    async def entry(request: web.Request) -> web.Response:
        board = known_board(request.match_info["board"])
        details = await entry_of(boards, history, board, request.match_info["id"])
        shown = boards.get(board, "compat").board
        return send(request, await made.entry(shown, details, address=address(request)))

    async def snapshot(request: web.Request) -> web.Response:
        board = known_board(request.match_info["board"])
        number = request.match_info["number"]
        if not (number.isascii() and number.isdigit() and len(number) <= _DIGITS):
            raise web.HTTPNotFound
        who = address(request)
        shown = await views.snapshot(int(number), address=who)
        if shown.board != board:
            raise web.HTTPNotFound
        view = View.of(request.query.items())
        return send(request, await made.board(shown, view, past=True, address=who))

    return [
        *(
            web.get(board_wire.page_url(board, "compat"), _page(boards, made, board, address))
            for board in BOARDS
        ),
        web.get("/about", about),
        web.get("/compare", compare),
        web.get("/boards/{board}/entries/{id}", entry),
        web.get("/boards/{board}/snapshots/{number}", snapshot),
        web.get("/static/{name}", asset),
    ]


def _page(
    boards: Boards, made: PageViews, board: Board, address: Callable[[web.Request], str]
) -> Handle:
    async def page(request: web.Request) -> web.Response:
        ready = boards.get(board, _scoring(request))
        view = View.of(request.query.items())
        if view == View():
            return send(request, ready.page)
        who = address(request)
        return send(request, await made.board(ready.board, view, ready.valueless, address=who))

    return page


def _scoring(request: web.Request) -> Scoring:
    asked = request.query.get("scoring", "compat")
    for scoring in SCORINGS:
        if scoring == asked:
            return scoring
    raise InvalidInput(
        f"there is no scoring {asked[:40]!r}.",
        fix=f"Scorings are {' and '.join(SCORINGS)}.",
        code="invalid_query",
    )
