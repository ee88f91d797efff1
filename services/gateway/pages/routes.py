"""Addresses of pages and static files, and what answers them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final
from uuid import UUID

from aiohttp import web

from medvid.benchmark.tasks import BOARDS, SCORINGS, Board, Scoring
from medvid.models.boards import COLUMNS
from medvid.models.comparisons import EntryComparison
from services.gateway.boards.current import CACHE_CONTROL, Boards
from services.gateway.boards.entries import entry_of
from services.gateway.boards.names import known_board
from services.gateway.boards.narrowing import NAMES as NARROWING
from services.gateway.boards.narrowing import Narrowing
from services.gateway.boards.reader_weights import read_weights, weights_text
from services.gateway.boards.store import BoardHistory
from services.gateway.boards.urls import BOTH, compare_url, page_url
from services.gateway.boards.views import BoardViews
from services.gateway.boards.withdrawn import GoneEntries, withdrawn_page
from services.gateway.pages.board_view import View
from services.gateway.pages.compare_page import chosen_of
from services.gateway.pages.comparison import asked_models
from services.gateway.pages.intervals import picture
from services.gateway.pages.metric_pages import metric_guides
from services.gateway.pages.redirects import moved
from services.gateway.pages.rendering import Pages, with_query
from services.gateway.pages.second_opinions import opinions_url, weights_of
from services.gateway.pages.views import PageViews
from services.gateway.status.service import StatusReader
from services.gateway.web.errors import Gone
from services.gateway.web.paging import position_of
from services.gateway.web.parameters import require_once
from services.gateway.web.responses import send
from services.gateway.web.urls import PAGES, url
from shared.runtime.errors import InvalidInput, NotFound, Transient

_ENTRIES: Final = 50
_MODELS_NAMED: Final = 20
_DIGITS: Final = 18
_AS_WRITTEN: Final = {column.label.casefold(): column.key for column in COLUMNS}
"""Metrics by the names that boards and papers write."""


@dataclass(frozen=True, slots=True)
class PublicPages:
    """The pages for people's browsers, with what they are made from."""

    boards: Boards
    views: BoardViews
    made: PageViews
    history: BoardHistory
    departed: GoneEntries
    pages: Pages
    status: StatusReader
    address: Callable[[web.Request], str]

    def routes(self) -> list[web.RouteDef]:
        """Return their routes."""
        return [
            *(web.get(PAGES[board], partial(self._board, board)) for board in BOARDS),
            web.get(PAGES["about"], self._about),
            web.get(PAGES["metric"], self._metric),
            web.get(PAGES["intervals"], self._intervals),
            web.get(PAGES["compare"], self._compare),
            web.get(PAGES["entry"], self._entry),
            web.get(PAGES["second_opinions"], self._opinions),
            web.get(PAGES["withdrawn"], self._withdrawn),
            web.get(PAGES["snapshot"], self._snapshot),
            web.get(PAGES["static"], self._asset),
            web.get(PAGES["status"], self._status),
        ]

    async def _board(self, board: Board, request: web.Request) -> web.Response:
        if "weights" in request.query:  # a reader's order, which is on a page of its own
            asked = read_weights(request.query["weights"])
            address = opinions_url(board, asked_scoring(request), weights_text(asked))
            return web.Response(status=303, headers={"Location": address})
        ready = self.boards.get(board, asked_scoring(request))
        view = _view(request)
        if len(request.query.getall("columns", [])) > 1:  # as a form sends it; not to be shared
            address = with_query(page_url(board, asked_scoring(request)), view.query)
            return web.Response(status=303, headers={"Location": address})
        if view == View():
            return send(request, ready.page)
        who = self.address(request)
        return send(request, await self.made.board(ready.board, view, ready.valueless, address=who))

    async def _about(self, request: web.Request) -> web.Response:
        shown = [self.boards.get(board, "compat").board for board in BOARDS]
        return send(request, await self.made.about(shown, address=self.address(request)))

    async def _metric(self, request: web.Request) -> web.Response:
        asked = request.match_info["metric"]
        found = metric_guides().get(asked)
        if found is None:
            meant = _AS_WRITTEN.get(asked.casefold())
            if meant is None:
                raise web.HTTPNotFound
            return moved(url("metric", metric=meant), request)
        return self._text("metric.html", HTTPStatus.OK, metric=found, columns=COLUMNS)

    async def _intervals(self, _: web.Request) -> web.Response:
        return self._text("intervals.html", HTTPStatus.OK, **picture())

    async def _compare(self, request: web.Request) -> web.Response:
        name, scoring = request.query.get("board", "community"), asked_scoring(request)
        boards = BOARDS if name == BOTH else (known_board(name),)
        asked = asked_models(request.query.getall("models", []))[:_MODELS_NAMED]
        if len(request.query.getall("models", [])) > 1:  # as a form sends it; not to be shared
            headers = {"Location": compare_url(name, scoring, asked)}
            return web.Response(status=303, headers=headers)
        shown = [self.boards.get(board, scoring).board for board in boards]
        who = self.address(request)
        chosen = [entry.entry_id for entry in chosen_of(shown, asked)]
        found = await self._differences(boards, scoring, chosen, who)
        made = await self.made.comparison(shown, asked, self.boards.valueless, found, address=who)
        return send(request, made)

    async def _differences(
        self, boards: Sequence[Board], scoring: Scoring, chosen: Sequence[UUID], address: str
    ) -> list[EntryComparison]:
        """Return how the others differ from the first; nothing while the database is away."""
        try:
            return [
                await self.views.comparison(boards, scoring, other, chosen[0], address=address)
                for other in chosen[1:]
            ]
        except (NotFound, Transient):  # the values, in memory, are shown all the same
            return []

    async def _entry(self, request: web.Request) -> web.Response:
        board = known_board(request.match_info["board"])
        try:
            details = await entry_of(
                self.boards, self.history, board, request.match_info["id"], self.departed
            )
        except Gone as error:
            return self._text("gone.html", HTTPStatus.GONE, entry=error.tombstone)
        shown = self.boards.get(board, "compat").board
        return send(request, await self.made.entry(shown, details, address=self.address(request)))

    async def _opinions(self, request: web.Request) -> web.Response:
        board, scoring = known_board(request.match_info["board"]), asked_scoring(request)
        asked = weights_of(request.query)  # as the form sends them; not to be shared
        if asked is not None:
            headers = {"Location": opinions_url(board, scoring, asked)}
            return web.Response(status=303, headers=headers)
        text = request.query.get("weights")
        weights = read_weights(text) if text else None
        who = self.address(request)
        found = await self.views.second_opinions(board, scoring, None, weights, address=who)
        return send(request, await self.made.second_opinions(found, board, scoring, address=who))

    async def _withdrawn(self, request: web.Request) -> web.Response:
        board = known_board(request.match_info["board"])
        before = position_of(request.query.get("cursor"))
        page = withdrawn_page(
            board, await self.departed.page(board, before, _ENTRIES + 1), _ENTRIES
        )
        return self._text("withdrawn.html", HTTPStatus.OK, page=page)

    def _text(self, template: str, status: int, **facts: object) -> web.Response:
        return web.Response(
            text=self.pages.render(template, **facts),
            status=status,
            content_type="text/html",
            charset="utf-8",
            headers={"Cache-Control": CACHE_CONTROL},
        )

    async def _snapshot(self, request: web.Request) -> web.Response:
        board = known_board(request.match_info["board"])
        number = request.match_info["number"]
        if not (number.isascii() and number.isdigit() and len(number) <= _DIGITS):
            raise web.HTTPNotFound
        who = self.address(request)
        shown = await self.views.snapshot(int(number), address=who)
        if shown.board != board:
            raise web.HTTPNotFound
        view = _view(request)
        return send(request, await self.made.board(shown, view, past=True, address=who))

    async def _asset(self, request: web.Request) -> web.Response:
        found = self.pages.assets.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        return send(request, found)

    async def _status(self, request: web.Request) -> web.Response:
        return send(request, (await self.status.ready()).page)


def _view(request: web.Request) -> View:
    """Return the view of a board that is asked for; raises InvalidInput for a wrong filter."""
    require_once(request.query, NARROWING)
    narrowing = Narrowing.in_address(request.query)
    return View.of(request.query.items(), narrowing.filters, rerank=narrowing.rerank)


def asked_scoring(request: web.Request) -> Scoring:
    """Return the scoring that an address asks for; raises InvalidInput for an unknown one."""
    asked = request.query.get("scoring", "compat")
    for scoring in SCORINGS:
        if scoring == asked:
            return scoring
    raise InvalidInput(
        f"there is no scoring {asked[:40]!r}.",
        fix=f"Scorings are {' and '.join(SCORINGS)}.",
        code="invalid_query",
    )
