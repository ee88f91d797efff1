"""The pages of challenges: their tracks, and of each its rules, its board and its final results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web

from medvid.models.boards import COLUMNS, Leaderboard
from medvid.models.tracks import ChallengeTrack, LeftSince
from services.gateway.boards.current import Boards
from services.gateway.boards.models import MeasuredBoard, page_of
from services.gateway.boards.views import BoardViews
from services.gateway.pages.board_view import MOST_ROWS
from services.gateway.pages.rendering import Pages
from services.gateway.pages.views import FRESH, PageViews
from services.gateway.status.rules import duration
from services.gateway.tracks.models import challenge_track, final_board, final_results
from services.gateway.tracks.service import TrackService
from services.gateway.web.responses import send
from services.gateway.web.urls import PAGES

_WORDS: Final = {
    "upcoming": "opens in {}",
    "open": "closes in {}",
    "grace": "takes late submissions for {} more",
    "closed": "closed; its results are frozen once every submission is scored and judged",
    "final": "closed; its results are final",
}


@dataclass(frozen=True, slots=True)
class TrackPages:
    """What the pages of challenges are made with."""

    tracks: TrackService
    boards: Boards
    views: BoardViews
    made: PageViews
    pages: Pages
    address: Callable[[web.Request], str]

    def routes(self) -> list[web.RouteDef]:
        """Return their routes."""
        return [
            web.get(PAGES["tracks"], self._tracks),
            web.get(PAGES["track"], self._track),
            web.get(PAGES["track_final"], self._final),
        ]

    async def _tracks(self, _: web.Request) -> web.Response:
        finals, now = await self.tracks.finals(), self.tracks.now()
        tracks = [challenge_track(t, finals.get(t.id), now) for t in self.tracks.tracks.all]
        text = self.pages.render("tracks.html", tracks=[(t, state_of(t, now)) for t in tracks])
        headers = {"Cache-Control": FRESH}
        return web.Response(text=text, content_type="text/html", charset="utf-8", headers=headers)

    async def _track(self, request: web.Request) -> web.Response:
        track, now = await self._asked(request)
        whole = self.boards.get("community", "compat").board
        shown = page_of(whole, track=track.name, offset=0, limit=None, form="json")
        return await self._send(request, track, now, shown)

    async def _final(self, request: web.Request) -> web.Response:
        track, now = await self._asked(request)
        final = await self.tracks.final(self.tracks.find(track.id))
        board = await final_board(self.views, final, "compat", self.address(request))
        left = await self.tracks.left_since([entry.entry_id for entry in board.entries])
        found = final_results(track.id, final, board, left)
        return await self._send(request, track, now, board, found.left_since)

    async def _asked(self, request: web.Request) -> tuple[ChallengeTrack, datetime]:
        found, now = self.tracks.find(request.match_info["track"]), self.tracks.now()
        return challenge_track(found, (await self.tracks.finals()).get(found.id), now), now

    async def _send(
        self,
        request: web.Request,
        track: ChallengeTrack,
        now: datetime,
        shown: MeasuredBoard,
        left: Sequence[LeftSince] | None = None,
    ) -> web.Response:
        """Send a track's page with a board; `left` only where that is the final one."""
        state = state_of(track, now)
        made = await self.made.about_boards(
            [shown],
            ("track", track.model_dump_json(), state, None if left is None else tuple(left)),
            lambda: render_track(self.pages, track, state, shown, left),
            address=self.address(request),
        )
        return send(request, made)


def state_of(track: ChallengeTrack, now: datetime) -> str:
    """Return a track's state in words, with the time that is left."""
    until = {"upcoming": track.opens_at, "open": track.closes_at, "grace": track.ends_at}
    left = until.get(track.state, now) - now
    return _WORDS[track.state].format(duration(left.total_seconds()))


def render_track(
    pages: Pages,
    track: ChallengeTrack,
    state: str,
    shown: Leaderboard,
    left: Sequence[LeftSince] | None,
) -> str:
    """Return a track's page: with its board of today, or the final one and what left it since."""
    return pages.render(
        "track.html",
        track=track,
        state=state,
        board=shown,
        entries=shown.entries[:MOST_ROWS],
        columns=COLUMNS,
        is_final=left is not None,
        left={each.entry_id: each for each in left or ()},
    )
