"""Feeds of entries that are new on the boards, made anew when a board has changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from aiohttp import web

from medvid.benchmark.tasks import BOARDS, Board
from services.gateway.boards import models as board_models
from services.gateway.boards.api import known_board
from services.gateway.boards.atom import Feed, News
from services.gateway.boards.current import CACHE_CONTROL, Boards
from services.gateway.boards.entry_models import entry_page
from services.gateway.boards.store import Arrival, BoardHistory
from services.gateway.web.representations import Representation, represent
from services.gateway.web.responses import send
from services.gateway.web.security import READ_HEADERS

_LENGTH: Final = 50
_TYPE: Final = "application/atom+xml; charset=utf-8"
_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When a feed was updated that never had an entry; Atom wants a moment."""


class Feeds:
    """The feeds: of each board, and of all (named '')."""

    def __init__(self, boards: Boards, history: BoardHistory, public_url: str) -> None:
        self._boards = boards
        self._history = history
        self._base = public_url.rstrip("/")
        self._made: dict[Board | None, tuple[int, Representation]] = {}

    async def get(self, board: Board | None) -> Representation:
        """Return the feed of a board, or of all boards; raises Transient."""
        newest = max(ready.snapshot_id for ready in self._boards.all())
        made = self._made.get(board)
        if made is None or made[0] != newest:
            boards = BOARDS if board is None else (board,)
            arrivals = await self._history.arrivals(boards, _LENGTH)
            made = newest, self._represent(board, arrivals)
            self._made[board] = made
        return made[1]

    def _represent(self, board: Board | None, arrivals: Sequence[Arrival]) -> Representation:
        address = "/feed.atom" if board is None else f"/{board}/feed.atom"
        updated = arrivals[0].since if arrivals else _BEGINNING
        feed = Feed(
            id=uuid5(NAMESPACE_URL, f"medvidbench:{address}").urn,
            title=f"MedVidBench: new on the {board} board" if board else "MedVidBench: new entries",
            address=address,
            page=board_models.page_url(board or "official", "compat"),
            updated=updated,
            base=self._base,
        )
        return represent(
            feed.text([_news(arrival) for arrival in arrivals]),
            content_type=_TYPE,
            cache_control=CACHE_CONTROL,
            headers=READ_HEADERS,
            last_modified=updated,
        )


def _news(arrival: Arrival) -> News:
    return News(
        id=f"{arrival.id.urn}#{arrival.board}",
        title=f"{arrival.model_name} ({arrival.organization})",
        author=arrival.organization,
        summary=f"New on the {arrival.board} board, on rank {arrival.rank}.",
        page=entry_page(arrival.board, arrival.id),
        updated=arrival.since,
    )


def feed_routes(feeds: Feeds) -> list[web.RouteDef]:
    """Return the routes of the feeds."""

    async def everything(request: web.Request) -> web.Response:
        return send(request, await feeds.get(None))

    async def one(request: web.Request) -> web.Response:
        return send(request, await feeds.get(known_board(request.match_info["board"])))

    return [web.get("/feed.atom", everything), web.get("/{board}/feed.atom", one)]
