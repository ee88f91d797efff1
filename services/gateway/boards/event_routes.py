"""The address of a board's event stream."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from services.gateway.boards.events import BoardStreams
from services.gateway.boards.routes import BoardPath, known_board
from services.gateway.judging import wire as judging_wire
from services.gateway.web.endpoints import EVENTS, Endpoint, Reply


def board_event_endpoints(
    streams: BoardStreams, address: Callable[[web.Request], str]
) -> list[Endpoint]:
    """Return the endpoint of board events."""

    async def events(request: web.Request) -> web.StreamResponse:
        board = known_board(request.match_info["board"])
        return await streams.serve(request, board, address(request))

    return [
        Endpoint(
            "GET",
            "/leaderboards/{board}/events",
            events,
            summary="Follow a board",
            description=(
                "Server-sent events of the type 'board', each with the board's revision (also its "
                "id) and its number of entries: one at once unless Last-Event-ID names the present "
                "revision, then one for each change."
            ),
            tag="boards",
            path_model=BoardPath,
            header_model=judging_wire.EventHeaders,
            replies={200: Reply("The events, without end.", {EVENTS: None})},
            problems=("board_not_found", "invalid_query"),
            head=False,
        )
    ]
