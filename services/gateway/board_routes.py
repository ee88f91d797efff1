"""Addresses of boards and what answers them. None of them waits."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web
from pydantic import BaseModel, Field

from services.gateway import board_wire
from services.gateway.answers import send
from services.gateway.boards import Boards, ReadyBoard
from services.gateway.domain.http import negotiate
from services.gateway.endpoints import CSV, JSON, Endpoint, Handle, json_reply
from services.gateway.parameters import Parameters, query_of
from shared.benchmark.tasks import BOARDS, Board, Scoring
from shared.runtime.errors import NotFound

_READS: Final = frozenset({"GET", "HEAD"})
BOARD_TYPES: Final = (JSON, CSV)
_TAG: Final = "boards"


class BoardPath(BaseModel):
    """The address of a board."""

    board: Board


class BoardQuery(Parameters):
    """Which view of a board is asked for."""

    scoring: Scoring = Field(
        "compat", description="compat: as the published boards score; strict: without their faults"
    )


def ready_first(boards: Boards, handle: Handle) -> Handle:
    """Answer reads of boards at their usual addresses at once; `handle` answers the rest.

    Routing takes a tenth of such a read's time. The routes of boards answer the same at every
    other spelling of an address.
    """

    async def first(request: web.Request) -> web.StreamResponse:
        ready = boards.by_address.get(request.raw_path)
        if ready is None or request.method not in _READS or hdrs.EXPECT in request.headers:
            return await handle(request)
        accept = request.headers.get(hdrs.ACCEPT)
        if accept is not None and negotiate(accept, BOARD_TYPES) != JSON:
            return await handle(request)
        return send(request, ready)

    return first


def board_endpoints(boards: Boards) -> list[Endpoint]:
    """Return the endpoints that read boards."""

    async def index(request: web.Request) -> web.Response:
        return send(request, boards.index)

    async def board(request: web.Request) -> web.Response:
        return send(request, ready_board(boards, request.match_info["board"], request).json)

    return [
        Endpoint(
            "GET",
            "/leaderboards",
            index,
            summary="List the boards",
            tag=_TAG,
            replies={200: json_reply("The boards.", board_wire.LeaderboardIndex, etag=True)},
        ),
        Endpoint(
            "GET",
            "/leaderboards/{board}",
            board,
            summary="Read a board",
            tag=_TAG,
            path_model=BoardPath,
            query_model=BoardQuery,
            replies={200: json_reply("The board.", board_wire.Leaderboard, etag=True)},
            problems=("board_not_found", "invalid_query"),
        ),
    ]


def known_board(name: str) -> Board:
    """Return a board's name; raises NotFound where there is none of it."""
    for board in BOARDS:
        if board == name:
            return board
    raise NotFound(
        f"there is no board {name!r}.",
        fix=f"Boards are {' and '.join(BOARDS)}.",
        code="board_not_found",
    )


def ready_board(boards: Boards, board: str, request: web.Request) -> ReadyBoard:
    """Return the board that an address and its query name; raises NotFound, InvalidInput."""
    board = known_board(board)
    return boards.get(board, query_of(request, BoardQuery).scoring)
