"""Pages that depend on what a reader asks for: made once, in fair turns, kept within limits.

When a board changes, every page that is open on it asks again, most of them for the same few views.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime
from typing import Final

from medvid.benchmark.tasks import Board, Scoring
from medvid.models.boards import Leaderboard
from medvid.models.comparisons import EntryComparison
from medvid.models.entries import EntryDetails
from medvid.models.second_opinions import SecondOpinions
from services.gateway.boards.models import MeasuredBoard
from services.gateway.pages.board_view import View
from services.gateway.pages.compare_page import render_comparison
from services.gateway.pages.entry_page import render_entry
from services.gateway.pages.rendering import Pages, Valueless
from services.gateway.pages.second_opinions import render_opinions
from services.gateway.web.addresses import LOCAL
from services.gateway.web.endpoints import HTML
from services.gateway.web.render_cache import RenderCache, bytes_of
from services.gateway.web.representations import Representation, represent
from services.gateway.web.security import PAGE_HEADERS
from services.gateway.web.turns import USUAL, Turns, WaitingLimits

FRESH: Final = "public, max-age=1, must-revalidate"
_KEPT_BYTES: Final = 16 << 20
_WEIGHED_SHARE: Final = 4
_HOUR: Final = "%Y-%m-%dT%H"
_QUICKLY: Final = 3
"""How hard views are packed, which few ask for: a sixth more bytes in half of the time."""


class PageViews:
    """Makes pages of boards."""

    def __init__(
        self,
        pages: Pages,
        *,
        kept_bytes: int = _KEPT_BYTES,
        limits: WaitingLimits = USUAL,
    ) -> None:
        self._pages = pages
        turns = Turns(limits)
        self._made = RenderCache(turns, bytes_of, kept_bytes)
        # Every reader may have weights of their own: they push out one another, and nothing else.
        self._weighed = RenderCache(turns, bytes_of, kept_bytes // _WEIGHED_SHARE)

    async def board(
        self,
        shown: Leaderboard,
        view: View,
        valueless: frozenset[Scoring] = frozenset(),
        *,
        past: bool = False,
        address: str = LOCAL,
    ) -> Representation:
        """Return a board's page as `view` looks at it."""

        def make() -> str:
            return self._pages.board(shown, valueless, view, past=past)

        return await self._get((_identity(shown), valueless, view, past), make, address)

    async def comparison(
        self,
        shown: Sequence[Leaderboard],
        asked: Sequence[str],
        valueless: Valueless,
        found: Sequence[EntryComparison] = (),
        *,
        address: str = LOCAL,
    ) -> Representation:
        """Return the page of models side by side; other boards are offered where they have any.

        `found` are the comparisons of the others with the first.
        """
        return await self.about_boards(
            shown,
            ("comparison", tuple(asked), valueless, bool(found)),
            lambda: render_comparison(self._pages, shown, asked, valueless, found),
            address=address,
        )

    async def second_opinions(
        self, found: SecondOpinions, board: Board, scoring: Scoring, *, address: str = LOCAL
    ) -> Representation:
        """Return the page of second opinions on a board's order."""
        measured = any(each.statistics for each in found.entries[:1])
        weights = tuple((found.weights or {}).items())
        key = ("opinions", board, scoring, found.snapshot, measured, weights)
        return await self._get(
            key,
            lambda: render_opinions(self._pages, found, board, scoring),
            address,
            self._weighed if weights else None,
        )

    async def about_boards(
        self,
        shown: Sequence[Leaderboard],
        facts: Hashable,
        write: Callable[[], str],
        *,
        address: str = LOCAL,
    ) -> Representation:
        """Return a page about boards, of which `facts` say which one, and all but the boards."""
        return await self._get(("about", *map(_identity, shown), facts), write, address)

    async def about(
        self, boards: Sequence[MeasuredBoard], *, address: str = LOCAL
    ) -> Representation:
        """Return the page about the benchmark."""
        return await self.about_boards(
            boards, "about", lambda: self._pages.about(boards), address=address
        )

    async def entry(
        self, shown: Leaderboard, details: EntryDetails, *, address: str = LOCAL
    ) -> Representation:
        """Return the page of an entry; `shown` is its board in compat scoring.

        It takes 4 ms at 240 entries, but 14 ms with a history of 1,000 ranks.
        """
        now = datetime.now(UTC)
        facts = hashlib.sha256(details.model_dump_json().encode()).digest()
        key = (
            _identity(shown),
            facts,
            now.strftime(_HOUR),
        )  # its history is drawn until now
        return await self._get(key, lambda: render_entry(self._pages, shown, details, now), address)

    async def _get(
        self,
        key: Hashable,
        write: Callable[[], str],
        address: str,
        kept: RenderCache[Representation] | None = None,
    ) -> Representation:
        # In a thread: a board of thousands takes a while to write and to pack.
        return await (kept or self._made).get(
            address,
            key,
            lambda: asyncio.to_thread(lambda: _page(write())),
        )


def _page(text: str) -> Representation:
    """Return a page as it is sent."""
    return represent(
        text.encode(),
        content_type=HTML,
        cache_control=FRESH,
        headers=PAGE_HEADERS,
        gzip_level=_QUICKLY,
    )


def _identity(shown: Leaderboard) -> Hashable:
    measured = any(entry.statistics for entry in shown.entries[:1])
    notes = tuple(note.id for note in shown.notes)
    return (shown.board, shown.scoring, shown.snapshot, shown.revision, measured, notes)
