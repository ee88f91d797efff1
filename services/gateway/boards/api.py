"""Operations that read boards. Only the past waits for the database."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from aiohttp import hdrs, web
from pydantic import Field

from medvid.benchmark.names import FIELD_LIMITS
from medvid.benchmark.tasks import Board, Scoring
from medvid.models.boards import Leaderboard, LeaderboardIndex
from medvid.models.comparisons import EntryComparison
from medvid.models.entries import EntryDetails
from medvid.models.second_opinions import SecondOpinions
from medvid.models.tombstones import WithdrawnPage
from services.gateway.boards.current import CACHE_CONTROL, Boards
from services.gateway.boards.cursors import BoardCursor, Form, TableForm
from services.gateway.boards.entries import entry_of
from services.gateway.boards.events import BoardStreams
from services.gateway.boards.forms import BOARD_TYPES, accepted_form, accepted_table, content_type
from services.gateway.boards.moments import PATTERN, read_as_of
from services.gateway.boards.names import BoardName, BoardsName, EntryText, SnapshotId
from services.gateway.boards.narrowing import Narrowing, NarrowingQuery
from services.gateway.boards.reader_weights import LONGEST_WEIGHTS, read_weights
from services.gateway.boards.second_opinions import second_opinions_csv
from services.gateway.boards.store import SnapshotStore
from services.gateway.boards.urls import boards_of
from services.gateway.boards.views import BoardViews, Window, weights_of
from services.gateway.boards.withdrawn import GoneEntries, withdrawn_page
from services.gateway.web.endpoints import CSV, EVENTS, JSON, Handle, Reply, ReplyLink, json_reply
from services.gateway.web.event_streams import EventHeaders
from services.gateway.web.negotiation import negotiate
from services.gateway.web.paging import position_of
from services.gateway.web.parameters import Number, PageQuery, Parameters
from services.gateway.web.representations import Representation, represent
from services.gateway.web.responses import send
from services.gateway.web.router import Router
from services.gateway.web.security import READ_HEADERS
from shared.runtime.errors import InvalidInput

router: Final = Router("boards")
_AS_OF: Final = {"format": "as-of", "examples": ["2026-04-15", "2026-04-15T12:00:00Z", "42"]}
_READS: Final = frozenset({"GET", "HEAD"})
_LARGEST_PAGE: Final = 1_000
_LINKS: Final = {
    "snapshot": ReplyLink("GET", "/snapshots/{id}", {"id": "$response.body#/snapshot"}),
    "entry": ReplyLink(
        "GET",
        "/leaderboards/{board}/entries/{id}",
        {"board": "$response.body#/board", "id": "$response.body#/entries/0/entry_id"},
    ),
}
_COUNT: Final = "in other forms than JSON: the number of entries on all pages"
_BOARD: Final = Reply(
    "The board, or a page of it.",
    dict.fromkeys(BOARD_TYPES) | {JSON: Leaderboard},
    headers={
        "Link": "the next page, and what an erratum names, if there are any",
        "X-Total-Count": _COUNT,
    },
    etag=True,
    links=_LINKS,
)
_BOARD_PROBLEMS: Final = (
    "board_not_found",
    "snapshot_not_found",
    "invalid_cursor",
    "invalid_weights",
)


WeightsText = Annotated[str, Field(max_length=LONGEST_WEIGHTS, examples=["cvs_acc:2,dvc_llm:0"])]


_TRACK: Final = Field(
    None, description="entries of this track only, ranked among themselves (`view_rank`)"
)
_FORM: Final = Field(None, description="wins over the Accept header")


class _ViewQuery(Parameters):
    """Which view of a board is asked for, but for filters."""

    scoring: Scoring = Field(
        "compat", description="compat: as the published boards score; strict: without their faults"
    )
    track: Annotated[str, Field(max_length=FIELD_LIMITS["track"])] | None = _TRACK
    as_of: Annotated[str, Field(pattern=PATTERN, json_schema_extra=_AS_OF)] | None = Field(
        None,
        description=(
            "the board as it was, by what is kept of it: a date (its end, UTC), a time, or the "
            "number of a snapshot"
        ),
    )
    weights: WeightsText | None = Field(
        None,
        description=(
            "your own, metric:number; metrics that are not named weigh 1. Entries are in the order "
            "that these give (`view_rank`), ties by the board's; it is never the board's rank"
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
            "board, and brings the rest of the query with it"
        ),
    )
    format: Form | None = _FORM


class BoardQuery(NarrowingQuery, _ViewQuery):  # the fields of the last base come first
    """Which view of a board is asked for."""


class _SnapshotQuery(Parameters):
    """What of a snapshot is asked for, but for filters."""

    track: Annotated[str, Field(max_length=FIELD_LIMITS["track"])] | None = _TRACK
    format: Form | None = _FORM


class SnapshotQuery(NarrowingQuery, _SnapshotQuery):
    """What of a snapshot is asked for, and in what form."""


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


@router.get("/leaderboards", reply=json_reply("The boards.", LeaderboardIndex, etag=True))
async def list_boards(boards: Boards) -> Representation:
    """List the boards."""
    return boards.index


# Before the address that its pattern would match as well.
@router.get("/leaderboards/{board}.csv", reply=_BOARD, problems=_BOARD_PROBLEMS)
async def read_board_csv(
    views: BoardViews, board: BoardName, query: BoardQuery, address: str
) -> Representation:
    """Read a board as CSV.

    The same as the board, in CSV unless `format` says otherwise.
    """
    return await _board(views, board, query, query.format or "csv", address)


@router.get("/leaderboards/{board}", reply=_BOARD, problems=_BOARD_PROBLEMS)
async def read_board(
    views: BoardViews, request: web.Request, board: BoardName, query: BoardQuery, address: str
) -> Representation:
    """Read a board.

    Ranked entries, best first; values are rounded to 4 decimals, then to 3, null where there is
    none, and null ranks last. Entries without any value in the scoring follow, with `rank` and
    `mean_rank` null and no `ranks`. How firm the order is (`statistics`) follows within seconds of
    a new snapshot. With `track` the entries are in the order of `view_rank`, and `rank` stays that
    of the whole board.

    Filters narrow it by what is stated of the models (`facts`); what is unknown passes none. They
    keep the board's ranks and order, unless `rerank` ranks those that are left (`view_rank`).
    """
    return await _board(views, board, query, query.format or accepted_form(request), address)


async def _board(
    views: BoardViews, board: Board, query: BoardQuery, form: Form, address: str
) -> Representation:
    if query.cursor is not None:
        return await views.page(board, BoardCursor.read(query.cursor), form, address=address)
    if query.rerank and query.weights is not None:
        raise InvalidInput(
            "rerank and weights are two orders.",
            fix="Leave one out: rerank goes by the board's own rule, weights by yours.",
            code="invalid_query",
        )
    weights, narrowing = weights_of(query.weights), Narrowing.of(query)
    window = Window(form, query.track, limit=query.limit, weights=weights, narrowing=narrowing)
    if query.as_of is None:
        return await views.current(board, query.scoring, window, address=address)
    as_of = read_as_of(query.as_of)
    return await views.past(board, query.scoring, as_of, window, address=address)


@router.get("/snapshots/{id}", reply=_BOARD, problems=("snapshot_not_found",))
async def read_snapshot(
    views: BoardViews, request: web.Request, id: SnapshotId, query: SnapshotQuery, address: str
) -> Representation:
    """Read a snapshot.

    A board as it was ranked once. Its rows never change, so it can be cited; `notes` has its
    errata, which may come later: a faulty snapshot names the one that corrects it, also as
    `Link: <...>; rel="successor-version"`. Old ones may be thinned out: the last of each day stays,
    after a year the last of each month, and those of errata.

    Filters are those of boards. They look at the facts that were stated when it was ranked; what
    was stated later does not count.
    """
    form, narrowing = query.format or accepted_form(request), Narrowing.of(query)
    return await views.permalink(id, form, track=query.track, narrowing=narrowing, address=address)


@router.get(
    "/leaderboards/{board}/entries/{id}",
    reply=json_reply("The entry.", EntryDetails, etag=True),
    problems=("board_not_found", "entry_not_found", "entry_gone"),
)
async def read_entry(
    boards: Boards, store: SnapshotStore, departed: GoneEntries, board: BoardName, id: EntryText
) -> Representation:
    """Read an entry.

    Its scores by source dataset with what they were computed from, how much of the test set they
    cover, where it stood since it was listed, and what was sent with the same API key before. An
    address never dies: of an entry that left its board 410 says what is kept.
    """
    details = await entry_of(boards, store, board, id, departed)
    return represent(
        details.model_dump_json().encode(),
        content_type=JSON,
        cache_control=CACHE_CONTROL,
        headers=READ_HEADERS,
    )


@router.get(
    "/leaderboards/{board}/withdrawn", reply="A page of them.", problems=("board_not_found",)
)
async def list_withdrawn(
    departed: GoneEntries, board: BoardName, query: PageQuery
) -> WithdrawnPage:
    """List the entries that were taken off a board.

    Those that had a rank, the last one first: names, dates, ranks, and who took them back.
    """
    found = await departed.page(board, position_of(query.cursor), query.limit + 1)
    return withdrawn_page(board, found, query.limit)


class ComparisonQuery(Parameters):
    """Which entries are compared."""

    a: UUID = Field(description="an entry's id")
    b: UUID = Field(description="the id of the entry that is subtracted")
    scoring: Scoring = Field("compat", description="the values that are compared")


@router.get(
    "/leaderboards/{board}/comparisons",
    reply=json_reply("The comparison.", EntryComparison, etag=True),
    problems=("board_not_found", "entry_not_found"),
)
async def compare_entries(
    views: BoardViews, board: BoardsName, query: ComparisonQuery, address: str
) -> Representation:
    """Compare two entries of a board, or of both.

    Differences are paired: both are measured on the same 1,000 draws of whole videos. A difference
    is beyond chance where `p_holm` is below 0.05 and it does not rest on few videos.
    """
    found = await views.comparison(
        boards_of(board), query.scoring, query.a, query.b, address=address
    )
    return represent(
        found.model_dump_json().encode(),
        content_type=JSON,
        cache_control=CACHE_CONTROL,
        headers=READ_HEADERS,
    )


class OpinionsQuery(Parameters):
    """Of which board second opinions are asked for, and with what weights."""

    scoring: Scoring = Field("compat", description="the values that are ranked")
    as_of: Annotated[str, Field(pattern=PATTERN, json_schema_extra=_AS_OF)] | None = Field(
        None, description="the board as it was: a date (its end, UTC), a time, or a snapshot"
    )
    weights: WeightsText | None = Field(
        None, description="your own, metric:number; metrics that are not named weigh 1"
    )
    format: TableForm | None = Field(None, description="wins over the Accept header")


@router.get(
    "/leaderboards/{board}/second-opinions",
    reply=Reply("The second opinions.", {JSON: SecondOpinions, CSV: None}, etag=True),
    problems=(
        "board_not_found",
        "snapshot_not_found",
        "invalid_weights",
        "board_too_large",
    ),
)
async def read_second_opinions(
    views: BoardViews, request: web.Request, board: BoardName, query: OpinionsQuery, address: str
) -> Representation:
    """Read second opinions on a board's order.

    How firm each rank is, how far it moves when one other entry or one metric is left out, and
    where other rules place the entry: pairwise majority, a mean over sources, and weights of your
    own, which are never stored and never the board's rank.
    """
    form = query.format or accepted_table(request)
    weights = read_weights(query.weights) if query.weights is not None else None
    as_of = read_as_of(query.as_of) if query.as_of is not None else None
    found = await views.second_opinions(board, query.scoring, as_of, weights, address=address)
    headers = {**READ_HEADERS, "Vary": "Accept, Accept-Encoding"}
    if form == "csv":
        name = f"medvidbench-{board}-{query.scoring}-second-opinions.csv"
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    body = second_opinions_csv(found) if form == "csv" else found.model_dump_json()
    return represent(
        body.encode(),
        content_type=content_type(CSV if form == "csv" else JSON),
        cache_control=CACHE_CONTROL,
        headers=headers,
    )


@router.get(
    "/leaderboards/{board}/events",
    reply=Reply("The events, without end.", {EVENTS: None}),
    headers=EventHeaders,
    problems=("board_not_found",),
    head=False,
)
async def follow_board(
    streams: BoardStreams, request: web.Request, board: BoardName, address: str
) -> web.StreamResponse:
    """Follow a board.

    Server-sent events of the type 'board', each with the board's revision (also its id) and its
    number of entries: one at once unless Last-Event-ID names the present revision, then one for
    each change; rank statistics come after their revision, with the same id.
    """
    return await streams.serve(request, board, address)
