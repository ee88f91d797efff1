"""What other sites show of a board: a picture beside a link to it, a badge, a frame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from functools import partial
from http import HTTPStatus
from typing import Final
from uuid import UUID

from aiohttp import hdrs, web

from medvid.benchmark.tasks import METRICS, Board
from medvid.models.boards import Leaderboard, LeaderboardEntry
from services.gateway.boards.current import Boards, ReadyBoard
from services.gateway.boards.models import rank_text
from services.gateway.boards.names import known_board
from services.gateway.boards.store import entry_not_found
from services.gateway.pages.board_view import View
from services.gateway.pages.cards import Card, CardRow, draw
from services.gateway.pages.framed import framed_board
from services.gateway.pages.rank_badges import gone_badge, rank_badge
from services.gateway.pages.rendering import Pages
from services.gateway.pages.routes import asked_scoring
from services.gateway.web.endpoints import HTML
from services.gateway.web.parameters import uuid_of
from services.gateway.web.render_cache import RenderCache, bytes_of
from services.gateway.web.representations import Representation, Variant, represent
from services.gateway.web.responses import send
from services.gateway.web.security import READ_HEADERS, framed_headers
from services.gateway.web.site import site
from services.gateway.web.turns import USUAL, Turns, WaitingLimits
from services.gateway.web.urls import PAGES
from shared.runtime.errors import Unavailable
from shared.runtime.workers import WorkerCrashed, WorkerPool, WorkerTimeout

_PNG: Final = "image/png"
_SVG: Final = "image/svg+xml"
_CACHE: Final = "public, max-age=60, must-revalidate"
_KEPT_BYTES: Final = 16 << 20
_SECONDS: Final = 20.0
_FIRST: Final = 5
_UNPACKED: Final = 1
"""How hard pictures are packed, which are packed already."""


class ShownElsewhere:
    """Pictures, badges and frames, made in fair turns and kept until a board changes."""

    def __init__(
        self,
        boards: Boards,
        pages: Pages,
        pool: WorkerPool,
        address: Callable[[web.Request], str],
        *,
        limits: WaitingLimits = USUAL,
    ) -> None:
        self._boards = boards
        self._pages = pages
        self._pool = pool
        self._address = address
        self._made = RenderCache(Turns(limits), bytes_of, _KEPT_BYTES)
        self._frame_headers = framed_headers(site().frame_ancestors)

    def routes(self) -> list[web.RouteDef]:
        """Return their routes."""
        return [
            web.get(PAGES["board_card"], self._board_card),
            web.get(PAGES["entry_card"], self._entry_card),
            web.get(PAGES["badge"], self._badge),
            web.get(PAGES["framed"], self._framed),
        ]

    async def _board_card(self, request: web.Request) -> web.Response:
        ready = self._boards.get(known_board(request.match_info["board"]), asked_scoring(request))
        return await self._picture(
            request, ("board", ready.state), partial(board_card, ready.board)
        )

    async def _entry_card(self, request: web.Request) -> web.Response:
        ready, entry = await self._entry(request)
        if entry is None:
            raise entry_not_found(ready.board.board, request.match_info["id"])
        key = ("entry", ready.state, entry.entry_id)
        return await self._picture(request, key, partial(entry_card, ready.board, entry))

    async def _badge(self, request: web.Request) -> web.Response:
        _, entry = await self._entry(request)
        text = gone_badge() if entry is None else rank_badge(rank_text(entry))
        found = represent(
            text.encode(), content_type=_SVG, cache_control=_CACHE, headers=READ_HEADERS
        )
        if entry is None:  # browsers draw it all the same; programs see that it is gone
            return _not_there(found.identity)
        return send(request, found)

    async def _framed(self, request: web.Request) -> web.Response:
        ready = self._boards.get(known_board(request.match_info["board"]), asked_scoring(request))
        view = View.of(request.query.items())
        chosen = view.columns if "columns" in request.query else ()
        most = request.query.get("limit", "")

        async def make() -> Representation:
            text = await asyncio.to_thread(
                framed_board, self._pages, ready.board, view, chosen, most
            )
            return represent(
                text.encode(),
                content_type=HTML,
                cache_control=_CACHE,
                headers=self._frame_headers,
            )

        key = (
            "framed",
            ready.board.board,
            ready.board.scoring,
            ready.state,
            view,
            chosen,
            most[:4],
        )
        return send(request, await self._made.get(self._address(request), key, make))

    async def _entry(self, request: web.Request) -> tuple[ReadyBoard, LeaderboardEntry | None]:
        board: Board = known_board(request.match_info["board"])
        entry_id: UUID | None = uuid_of(request.match_info["id"])
        if entry_id is not None:
            await self._boards.rank_of(board, entry_id)  # so that a new one is found
        ready = self._boards.get(board, asked_scoring(request))
        return ready, ready.entries.get(entry_id) if entry_id is not None else None

    async def _picture(
        self, request: web.Request, key: Hashable, write: Callable[[], Card]
    ) -> web.Response:
        async def make() -> Representation:
            try:
                content = await self._pool.run(draw, write(), timeout=_SECONDS)
            except (WorkerCrashed, WorkerTimeout) as error:
                raise Unavailable("the picture cannot be drawn now.", fix="Try again.") from error
            return represent(
                content,
                content_type=_PNG,
                cache_control=_CACHE,
                headers=READ_HEADERS,
                gzip_level=_UNPACKED,
            )

        return send(request, await self._made.get(self._address(request), key, make))


def _not_there(shown: Variant) -> web.Response:
    """Return what is shown of what is not there; always whole, as nothing of it may be kept."""
    headers = {name: text for name, text in shown.headers.items() if name != hdrs.ETAG}
    return web.Response(body=shown.body, status=HTTPStatus.NOT_FOUND, headers=headers)


def board_card(board: Leaderboard) -> Card:
    """Return what the picture of a board says: its first entries."""
    ranked = [entry for entry in board.entries if entry.rank is not None]
    strict = ", strict scoring" if board.scoring == "strict" else ""
    return Card(
        title=f"{board.board.capitalize()} board{strict}",
        subtitle="Video language models on eight medical and surgical tasks, by mean rank"
        if ranked
        else "No model is ranked yet",
        facts=" \N{MIDDLE DOT} ".join(filter(None, [_models(len(board.entries)), _day(board)])),
        rows=tuple(
            CardRow(rank_text(entry), entry.model_name, f"{entry.mean_rank:.2f}")
            for entry in ranked[:_FIRST]
        ),
    )


def entry_card(board: Leaderboard, entry: LeaderboardEntry) -> Card:
    """Return what the picture of an entry says: its rank and its values."""
    ranked = sum(each.rank is not None for each in board.entries)
    rank = rank_text(entry)
    return Card(
        title=entry.model_name,
        subtitle=" \N{MIDDLE DOT} ".join(
            filter(None, (*entry.badges, entry.organization, entry.team))
        ),
        facts=" \N{MIDDLE DOT} ".join(
            filter(None, [f"{board.board.capitalize()} board", _day(board)])
        ),
        rows=tuple(
            CardRow(
                "",
                metric.label,
                "n/a" if (value := entry.values.get(metric.key)) is None else f"{value:.3f}",
                share=0.0
                if value is None
                else (value - metric.minimum) / (metric.maximum - metric.minimum),
            )
            for metric in METRICS
        ),
        place=f"Rank {rank}" if rank else "Not ranked",
        below=f"of {_models(ranked)}" if rank else "",
    )


def _models(count: int) -> str:
    return f"{count:,} model{'' if count == 1 else 's'}"


def _day(board: Leaderboard) -> str:
    return f"{board.updated_at.day} {board.updated_at:%b %Y}" if board.updated_at else ""
