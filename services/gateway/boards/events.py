"""A board's changes as a stream (SSE), for every page that is open on it.

Clients hear that there is something new, and fetch it where it is served from memory. An event
carries the board's revision as its id, so a client that comes back with `Last-Event-ID` gets at
once what was missed, and nothing where nothing was.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web
from aiohttp_sse import EventSourceResponse

from medvid.benchmark.tasks import SCORINGS, Board
from medvid.models.boards import BoardNews
from services.gateway.boards.current import Boards
from services.gateway.web.addresses import LOCAL
from services.gateway.web.event_streams import last_event_id, wait
from services.gateway.web.middleware import stream_headers
from shared.runtime.errors import Unavailable

_HEARTBEAT_SECONDS: Final = 15.0
"""Well below the minute after which proxies cut a silent connection."""
_STALLED_SECONDS: Final = 20.0
"""A client that takes no bytes for so long is cut off; it comes back by itself."""
_GONE_SECONDS: Final = 2.0
"""How often is looked whether a client has left, so that its place is free again."""


@dataclass(slots=True, eq=False)
class _Listener:
    address: str
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False
    """Another address took its place."""


class BoardStreams:
    """The streams that are open in this process."""

    def __init__(self, boards: Boards, *, limit: int) -> None:
        self._boards = boards
        self._limit = limit
        self._listeners: dict[_Listener, None] = {}  # in the order in which they came
        self._stopping = False
        boards.on_change(self._wake)

    async def stop(self, _: web.Application | None = None) -> None:
        """End every stream; clients come back to another process, where they left off."""
        self._stopping = True
        self._wake()

    def _wake(self) -> None:
        for listener in self._listeners:
            listener.woken.set()

    def _make_room(self, address: str) -> None:
        """Raise Unavailable when all places are taken, unless another address has more of them.

        That one gives up its newest place; so no address can keep all others from listening.
        """
        if len(self._listeners) < self._limit:
            return
        counts = Counter(each.address for each in self._listeners)
        ((greediest, most),) = counts.most_common(1)
        if most <= counts[address] + 1:
            raise Unavailable(
                "too many event streams are open.", fix="Try again, or ask for the board itself."
            )
        newest = next(each for each in reversed(self._listeners) if each.address == greediest)
        newest.ended = True
        newest.woken.set()
        del self._listeners[newest]

    async def serve(
        self, request: web.Request, board: Board, address: str = LOCAL
    ) -> web.StreamResponse:
        """Tell of a board's revisions until the client leaves or we stop.

        Raises Unavailable when as many clients listen as may.
        """
        sent = last_event_id(request)
        if self._stopping:
            raise Unavailable("the server is stopping.", fix="Try again.")
        self._make_room(address)
        listener = _Listener(address)
        woken = listener.woken
        measured = self._news(board).statistics
        self._listeners[listener] = None
        response = EventSourceResponse(
            headers=stream_headers(request),
            ping_interval=_HEARTBEAT_SECONDS,
            send_timeout=_STALLED_SECONDS,
        )
        try:
            await response.prepare(request)
            async with response:
                with contextlib.suppress(ConnectionResetError, TimeoutError):
                    while not (self._stopping or listener.ended or request.transport is None):
                        woken.clear()
                        news = self._news(board)
                        if (news.revision, news.statistics) != (sent, measured):
                            sent, measured = news.revision, news.statistics
                            data = news.model_dump_json()
                            await response.send(data, id=str(sent), event="board")
                        await wait(woken)
            return response
        finally:
            self._listeners.pop(listener, None)

    def _news(self, board: Board) -> BoardNews:
        shown = {scoring: self._boards.get(board, scoring).board for scoring in SCORINGS}
        return BoardNews(
            board=board,
            revision=max(each.revision for each in shown.values()),
            entries=len(shown["compat"].entries),
            snapshots={scoring: each.snapshot for scoring, each in shown.items()},
            statistics={scoring: each.measured_at is not None for scoring, each in shown.items()},
        )
