"""Addresses of pages and static files, and what answers them."""

from __future__ import annotations

from aiohttp import web

from services.gateway import board_wire
from services.gateway.answers import send
from services.gateway.board_routes import ready_board
from services.gateway.boards import Boards
from services.gateway.endpoints import Handle
from services.gateway.pages import Pages
from shared.benchmark.tasks import BOARDS


def page_routes(boards: Boards, pages: Pages) -> list[web.RouteDef]:
    """Return the routes for people's browsers: pages and what they refer to."""

    async def asset(request: web.Request) -> web.Response:
        found = pages.assets.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        return send(request, found)

    return [
        *(web.get(board_wire.page_url(board, "compat"), _page(boards, board)) for board in BOARDS),
        web.get("/static/{name}", asset),
    ]


def _page(boards: Boards, board: str) -> Handle:
    async def page(request: web.Request) -> web.Response:
        return send(request, ready_board(boards, board, request).page)

    return page
