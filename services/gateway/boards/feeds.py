"""Feeds of entries that are new on the boards, made anew when a board has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from aiohttp import web

from medvid.benchmark.tasks import BOARDS, SCORINGS, Board
from services.gateway.boards.atom import ATOM_TYPE, Feed, News
from services.gateway.boards.changes import changes_feed
from services.gateway.boards.current import CACHE_CONTROL, Boards
from services.gateway.boards.names import known_board
from services.gateway.boards.notes import PublicNotes
from services.gateway.boards.store import Arrival, BoardHistory
from services.gateway.boards.urls import page_url
from services.gateway.web.representations import Representation, represent
from services.gateway.web.responses import send
from services.gateway.web.security import READ_HEADERS
from services.gateway.web.site import Site
from services.gateway.web.urls import PAGES, inside, url

_LENGTH: Final = 50
_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When a feed was updated that never had an entry; Atom wants a moment."""


class Feeds:
    """The feeds: of each board, of all (named ''), and of changes."""

    def __init__(
        self, boards: Boards, history: BoardHistory, notes: PublicNotes, site: Site
    ) -> None:
        self._boards = boards
        self._history = history
        self._notes = notes
        self._site = site
        self._made: dict[Board | None, tuple[object, Representation]] = {}

    async def get(self, board: Board | None) -> Representation:
        """Return the feed of a board, or of all boards; raises Transient."""
        newest = [ready.state for ready in self._boards.all()]
        made = self._made.get(board)
        if made is None or made[0] != newest:
            boards = BOARDS if board is None else (board,)
            arrivals = await self._history.arrivals(boards, _LENGTH)
            made = newest, self._represent(board, arrivals)
            self._made[board] = made
        return made[1]

    async def changes(self) -> Representation:
        """Return the feed of what changed apart from entries; raises Transient."""
        return changes_feed(await self._notes.changes(None), self._site)

    def _represent(self, board: Board | None, arrivals: Sequence[Arrival]) -> Representation:
        address = url("board_feed", board=board) if board else url("feed")
        updated = arrivals[0].since if arrivals else _BEGINNING
        feed = Feed(
            id=uuid5(NAMESPACE_URL, f"medvidbench:{inside(address)}").urn,
            title=f"MedVidBench: new on the {board} board" if board else "MedVidBench: new entries",
            address=self._site.absolute(address),
            page=self._site.absolute(page_url(board or "official", "compat")),
            updated=updated,
            subtitle=" ".join(self._heads((board,) if board else BOARDS)),
        )
        return represent(
            feed.text([self._news(arrival) for arrival in arrivals]),
            content_type=ATOM_TYPE,
            cache_control=CACHE_CONTROL,
            headers=READ_HEADERS,
            last_modified=updated,
        )

    def _heads(self, boards: Sequence[Board]) -> Iterator[str]:
        """Yield what a witness of a board's chain keeps, and the judge whose values it ranks."""
        for board in boards:
            links = [self._boards.get(board, scoring).board.link for scoring in SCORINGS]
            newest = max(filter(None, links), key=lambda link: link.number, default=None)
            if newest is not None:
                yield f"{board} board, link {newest.number}: {newest.sha256}."
            series = self._boards.get(board, "compat").board.series
            if series is not None and series.current is not None:
                yield f"{board} board, judge {series.current}."

    def _news(self, arrival: Arrival) -> News:
        return News(
            id=f"{arrival.id.urn}#{arrival.board}",
            title=f"{arrival.model_name} ({arrival.organization})",
            author=arrival.organization,
            summary=f"New on the {arrival.board} board, on rank {arrival.rank}.",
            page=self._site.absolute(url("entry", board=arrival.board, id=arrival.id)),
            updated=arrival.since,
        )


def feed_routes(feeds: Feeds) -> list[web.RouteDef]:
    """Return the routes of the feeds."""

    async def everything(request: web.Request) -> web.Response:
        return send(request, await feeds.get(None))

    async def one(request: web.Request) -> web.Response:
        return send(request, await feeds.get(known_board(request.match_info["board"])))

    async def changes(request: web.Request) -> web.Response:
        return send(request, await feeds.changes())

    return [
        web.get(PAGES["feed"], everything),
        web.get(PAGES["changes_feed"], changes),  # before the pattern that fits it, too
        web.get(PAGES["board_feed"], one),
    ]
