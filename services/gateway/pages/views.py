"""Pages that depend on what a reader asks for: made once, one after another, kept within limits.

When a board changes, every page that is open on it asks again, most of them for the same few views.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Final

from services.gateway.boards.current import HTML
from services.gateway.boards.wire import Leaderboard
from services.gateway.domain.board_view import View
from services.gateway.domain.standing import standings
from services.gateway.http.representations import Representation, represent
from services.gateway.http.security import PAGE_HEADERS
from services.gateway.pages.rendering import Pages, Valueless
from shared.benchmark.tasks import Scoring

FRESH: Final = "public, max-age=1, must-revalidate"
_KEPT_BYTES: Final = 16 << 20


class PageViews:
    """Makes pages of boards."""

    def __init__(self, pages: Pages, *, kept_bytes: int = _KEPT_BYTES) -> None:
        self._pages = pages
        self._kept_bytes = kept_bytes
        self._made: OrderedDict[Hashable, Representation] = OrderedDict()
        # One at a time: whoever asks for many different views waits for them, reads of boards do
        # not, and none is made twice because two ask for it.
        self._making = asyncio.Lock()

    async def board(
        self,
        shown: Leaderboard,
        view: View,
        valueless: frozenset[Scoring] = frozenset(),
        *,
        past: bool = False,
    ) -> Representation:
        """Return a board's page as `view` looks at it."""

        def make() -> str:
            return self._pages.board(shown, standings(shown.entries), valueless, view, past=past)

        return await self._get((_identity(shown), valueless, view, past), make)

    async def comparison(
        self, shown: Leaderboard, asked: Sequence[str], valueless: Valueless
    ) -> Representation:
        """Return the page of models side by side; other boards are offered where they have any."""
        key = (_identity(shown), tuple(asked), valueless)
        return await self._get(key, lambda: self._pages.compare(shown, asked, valueless))

    async def _get(self, key: Hashable, make: Callable[[], str]) -> Representation:
        if key not in self._made:
            async with self._making:
                if key not in self._made:
                    # In a thread: a board of thousands takes a while to render.
                    made = page_of(await asyncio.to_thread(make))
                    self._keep(key, made)
                    return made
        self._made.move_to_end(key)
        return self._made[key]

    def _keep(self, key: Hashable, made: Representation) -> None:
        self._made[key] = made
        while sum(_size(each) for each in self._made.values()) > self._kept_bytes:
            self._made.popitem(last=False)


def page_of(text: str, cache_control: str = FRESH) -> Representation:
    """Return a page as it is sent."""
    return represent(
        text.encode(), content_type=HTML, cache_control=cache_control, headers=PAGE_HEADERS
    )


def _identity(shown: Leaderboard) -> Hashable:
    return (shown.board, shown.scoring, shown.snapshot, shown.revision)


def _size(made: Representation) -> int:
    return len(made.identity.body) + len(made.gzip.body) + 2_000
