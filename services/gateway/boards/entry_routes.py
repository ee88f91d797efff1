"""The address of an entry and what answers it."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel

from medvid.benchmark.tasks import SCORINGS, Board, Scoring
from services.gateway.boards import entry_wire
from services.gateway.boards.current import CACHE_CONTROL, Boards
from services.gateway.boards.ports import BoardHistory
from services.gateway.boards.routes import known_board
from services.gateway.boards.wire import LeaderboardEntry
from services.gateway.web.endpoints import JSON, Endpoint, json_reply
from services.gateway.web.parameters import uuid_of
from services.gateway.web.representations import represent
from services.gateway.web.responses import send
from services.gateway.web.security import READ_HEADERS
from shared.runtime.errors import NotFound

_SPANS: Final = 1_000


class EntryPath(BaseModel):
    """The address of an entry."""

    board: Board
    id: UUID


def entry_endpoints(boards: Boards, history: BoardHistory) -> list[Endpoint]:
    """Return the endpoint that reads an entry."""

    async def entry(request: web.Request) -> web.Response:
        board = known_board(request.match_info["board"])
        details = await entry_of(boards, history, board, request.match_info["id"])
        return send(
            request,
            represent(
                details.model_dump_json().encode(),
                content_type=JSON,
                cache_control=CACHE_CONTROL,
                headers=READ_HEADERS,
            ),
        )

    return [
        Endpoint(
            "GET",
            "/leaderboards/{board}/entries/{id}",
            entry,
            summary="Read an entry",
            description=(
                "Its scores by source dataset with what they were computed from, how much of the "
                "test set they cover, and where it stood since it was listed."
            ),
            tag="boards",
            path_model=EntryPath,
            replies={200: json_reply("The entry.", entry_wire.EntryDetails, etag=True)},
            problems=("board_not_found", "entry_not_found"),
        )
    ]


async def entry_of(
    boards: Boards, history: BoardHistory, board: Board, entry_id: str
) -> entry_wire.EntryDetails:
    """Return an entry that is on a board now; raises NotFound."""
    known = uuid_of(entry_id)
    found = await history.entry(board, known, spans=_SPANS) if known is not None else None
    if found is None or known is None:
        raise NotFound(
            f"the {board} board has no entry {entry_id[:40]!r}.",
            fix="Boards name theirs in 'entry_id'; a removed one is gone from its board.",
            code="entry_not_found",
        )
    await boards.rank_of(board, known)  # so that a new entry is on our board, too
    return entry_wire.entry_details(found, _places(boards, board, known))


def _places(
    boards: Boards, board: Board, entry_id: UUID
) -> dict[Scoring, tuple[LeaderboardEntry, int]]:
    places: dict[Scoring, tuple[LeaderboardEntry, int]] = {}
    for scoring in SCORINGS:
        ready = boards.get(board, scoring)
        if entry_id in ready.entries:
            places[scoring] = (ready.entries[entry_id], ready.ranked)
    return places
