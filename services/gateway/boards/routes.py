"""Addresses of boards and what answers them. Only the past waits for the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

from aiohttp import hdrs, web
from pydantic import BaseModel, Field

from medvid.benchmark.names import FIELD_LIMITS
from medvid.benchmark.tasks import BOARDS, Board, Scoring
from services.gateway.boards import wire as board_wire
from services.gateway.boards.board_cursors import BoardCursor, Form
from services.gateway.boards.current import Boards
from services.gateway.boards.moments import PATTERN, read_as_of
from services.gateway.boards.views import BoardViews, Window
from services.gateway.web.endpoints import CSV, JSON, Endpoint, Handle, Link, Reply, json_reply
from services.gateway.web.negotiation import negotiate
from services.gateway.web.parameters import Number, Parameters, query_of
from services.gateway.web.responses import send
from shared.runtime.errors import NotFound

_AS_OF: Final = {"format": "as-of", "examples": ["2026-04-15", "2026-04-15T12:00:00Z", "42"]}
_READS: Final = frozenset({"GET", "HEAD"})
BOARD_TYPES: Final = (JSON, CSV)
_TAG: Final = "boards"
_LARGEST_PAGE: Final = 1_000
_LINKS: Final = {
    "snapshot": Link("GET", "/snapshots/{id}", {"id": "$response.body#/snapshot"}),
    "entry": Link(
        "GET",
        "/leaderboards/{board}/entries/{id}",
        {"board": "$response.body#/board", "id": "$response.body#/entries/0/entry_id"},
    ),
}
_COUNT: Final = "with CSV: the number of entries on all pages"
_BOARD_PROBLEMS: Final = ("board_not_found", "snapshot_not_found", "invalid_cursor")
_BOARD_DESCRIPTION: Final = (
    "Ranked entries, best first; values are rounded to 4 decimals, then to 3, null where there is "
    "none, and null ranks last. Entries without any value in the scoring follow, with `rank` and "
    "`mean_rank` null and no `ranks`. With `track` the entries keep the ranks of the whole board."
)


class BoardPath(BaseModel):
    """The address of a board."""

    board: Board


class BoardQuery(Parameters):
    """Which view of a board is asked for."""

    scoring: Scoring = Field(
        "compat", description="compat: as the published boards score; strict: without their faults"
    )
    track: Annotated[str, Field(max_length=FIELD_LIMITS["track"])] | None = Field(
        None, description="entries of this track only"
    )
    as_of: Annotated[str, Field(pattern=PATTERN, json_schema_extra=_AS_OF)] | None = Field(
        None,
        description=(
            "the board as it was, by what is kept of it: a date (its end, UTC), a time, or the "
            "number of a snapshot"
        ),
    )
    limit: Annotated[Number, Field(ge=1, le=_LARGEST_PAGE)] | None = Field(
        None, description="entries a page; without it, all are on one"
    )
    cursor: (
        Annotated[
            str,
            Field(
                json_schema_extra={"format": "board-cursor"},
            ),
        ]
        | None
    ) = Field(
        None,
        description=(
            "the next page, as 'next' names it. It stays in its snapshot, whatever happens to the "
            "board meanwhile, and brings the rest of the query with it"
        ),
    )
    format: Form | None = Field(None, description="wins over the Accept header")


class SnapshotPath(BaseModel):
    """The address of a snapshot."""

    id: int = Field(ge=1, lt=10**18)


class SnapshotQuery(Parameters):
    """In what form a snapshot is asked for."""

    format: Form | None = Field(None, description="wins over the Accept header")


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


def board_endpoints(
    boards: Boards, views: BoardViews, address: Callable[[web.Request], str]
) -> list[Endpoint]:
    """Return the endpoints that read boards."""

    async def index(request: web.Request) -> web.Response:
        return send(request, boards.index)

    async def board(request: web.Request) -> web.Response:
        asked = query_of(request, BoardQuery)
        return await _board(request, asked, asked.format or _form(request))

    async def board_csv(request: web.Request) -> web.Response:
        asked = query_of(request, BoardQuery)
        return await _board(request, asked, asked.format or "csv")

    async def _board(request: web.Request, asked: BoardQuery, form: Form) -> web.Response:
        name, who = known_board(request.match_info["board"]), address(request)
        if asked.cursor is not None:
            cursor = BoardCursor.read(asked.cursor)
            return send(request, await views.page(name, cursor, form, address=who))
        window = Window(form, asked.track, limit=asked.limit)
        if asked.as_of is None:
            return send(request, await views.current(name, asked.scoring, window, address=who))
        as_of = read_as_of(asked.as_of)
        return send(request, await views.past(name, asked.scoring, as_of, window, address=who))

    async def snapshot(request: web.Request) -> web.Response:
        form = query_of(request, SnapshotQuery).format or _form(request)
        who = address(request)
        return send(request, await views.permalink(_snapshot_id(request), form, address=who))

    return _declared(index, board, board_csv, snapshot)


def _declared(index: Handle, board: Handle, board_csv: Handle, snapshot: Handle) -> list[Endpoint]:
    replies = {
        200: Reply(
            "The board, or a page of it.",
            {JSON: board_wire.Leaderboard, CSV: None},
            headers={"Link": "the next page, if there is one", "X-Total-Count": _COUNT},
            etag=True,
            links=_LINKS,
        )
    }
    return [
        Endpoint(
            "GET",
            "/leaderboards",
            index,
            summary="List the boards",
            tag=_TAG,
            replies={200: json_reply("The boards.", board_wire.LeaderboardIndex, etag=True)},
        ),
        # Before the address that its pattern would match as well.
        Endpoint(
            "GET",
            "/leaderboards/{board}.csv",
            board_csv,
            summary="Read a board as CSV",
            description="The same as the board, in CSV unless `format` says otherwise.",
            tag=_TAG,
            path_model=BoardPath,
            query_model=BoardQuery,
            replies=replies,
            problems=_BOARD_PROBLEMS,
        ),
        Endpoint(
            "GET",
            "/leaderboards/{board}",
            board,
            summary="Read a board",
            description=_BOARD_DESCRIPTION,
            tag=_TAG,
            path_model=BoardPath,
            query_model=BoardQuery,
            replies=replies,
            problems=_BOARD_PROBLEMS,
        ),
        Endpoint(
            "GET",
            "/snapshots/{id}",
            snapshot,
            summary="Read a snapshot",
            description=(
                "A board as it was ranked once. It never changes, so it can be cited. Old ones may "
                "be thinned out: the last of each day stays, after a year the last of each month."
            ),
            tag=_TAG,
            path_model=SnapshotPath,
            query_model=SnapshotQuery,
            replies=replies,
            problems=("snapshot_not_found",),
        ),
    ]


def _form(request: web.Request) -> Form:
    accept = request.headers.get(hdrs.ACCEPT, "*/*")
    return "csv" if negotiate(accept, BOARD_TYPES) == CSV else "json"


def _snapshot_id(request: web.Request) -> int:
    text = request.match_info["id"]
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    raise NotFound(
        f"there is no snapshot {text[:40]!r}.",
        fix="Boards name theirs in 'permalink'.",
        code="snapshot_not_found",
    )


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
