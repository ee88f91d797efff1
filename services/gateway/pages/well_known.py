"""Files that programs look for at a site: favicon, robots.txt, sitemap.xml and CITATION.cff."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from aiohttp import web

from medvid.benchmark.tasks import BOARDS
from services.gateway.boards.citations import citation_cff
from services.gateway.boards.current import Boards
from services.gateway.pages.rendering import Pages
from services.gateway.web.representations import Representation, represent
from services.gateway.web.responses import send
from services.gateway.web.security import PAGE_HEADERS
from services.gateway.web.site import site
from services.gateway.web.urls import PAGES, url

_CACHE: Final = "public, max-age=86400"
_FRESH: Final = "public, max-age=600"
_SITEMAP: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
_MOST_ADDRESSES: Final = 50_000
"""That a sitemap may have, by its standard."""
_STEADY: Final = ("about", "compare", "submit", "docs", "problems", "changes", "status")
"""Pages that crawlers are shown beside boards and entries."""


class WellKnownFiles:
    """The files; what they say of boards is made anew when one has changed."""

    def __init__(self, boards: Boards, pages: Pages, *, challenges: bool) -> None:
        self._boards = boards
        self._steady = (*_STEADY, "tracks") if challenges else _STEADY
        self._icon = _ready(pages.assets["favicon.ico"].identity.body, "image/x-icon", _CACHE)
        self._robots = _ready(robots_txt().encode(), "text/plain; charset=utf-8", _CACHE)
        self._made: dict[str, tuple[object, Representation]] = {}
        self._making = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Return their routes; a sitemap needs to know the site's host."""
        always = [
            web.get(PAGES["favicon"], self._show_icon),
            web.get(PAGES["robots"], self._show_robots),
            web.get(PAGES["citation"], self._show_citation),
        ]
        return [*always, web.get(PAGES["sitemap"], self._show_sitemap)] if site().origin else always

    async def _show_icon(self, request: web.Request) -> web.Response:
        return send(request, self._icon)

    async def _show_robots(self, request: web.Request) -> web.Response:
        return send(request, self._robots)

    async def _show_citation(self, request: web.Request) -> web.Response:
        return send(
            request, await self._current("citation", "text/yaml; charset=utf-8", self._citation)
        )

    async def _show_sitemap(self, request: web.Request) -> web.Response:
        return send(
            request, await self._current("sitemap", "application/xml; charset=utf-8", self._sitemap)
        )

    async def _current(
        self, name: str, content_type: str, write: Callable[[], bytes]
    ) -> Representation:
        """Return a file that says what the boards are now."""
        async with self._making:
            newest = [ready.state for ready in self._boards.all()]
            made = self._made.get(name)
            if made is None or made[0] != newest:
                # In a thread: a board of thousands takes a while.
                file = await asyncio.to_thread(lambda: _ready(write(), content_type, _FRESH))
                made = self._made[name] = newest, file
        return made[1]

    def _citation(self) -> bytes:
        return citation_cff(self._boards.get("official", "compat").board).encode()

    def _sitemap(self) -> bytes:
        return sitemap_xml(self._addresses())

    def _addresses(self) -> Iterator[tuple[str, str | None]]:
        """Yield each page's address and the day of its last change, as far as that is known."""
        shown = [self._boards.get(board, "compat").board for board in BOARDS]
        days = [
            board.updated_at.date().isoformat() if board.updated_at else None for board in shown
        ]
        for board, day in zip(shown, days, strict=True):
            yield url(board.board), day
        yield from ((url(name), None) for name in self._steady)
        for board, day in zip(shown, days, strict=True):
            for entry in board.entries:
                yield url("entry", board=board.board, id=entry.entry_id), day


def robots_txt() -> str:
    """Return what crawlers may read: all but private rooms and the many views of one board."""
    lines = ["User-agent: *"]
    lines += [f"Disallow: {address}" for address in _not_crawled()]
    if site().origin:
        lines.append(f"Sitemap: {site().absolute(url('sitemap'))}")
    return "\n".join(lines) + "\n"


def _not_crawled() -> Iterator[str]:
    yield url("admin")
    yield url("submission", id="")
    yield url("compare") + "?"
    yield url("official") + "*?*sort="


def sitemap_xml(addresses: Iterator[tuple[str, str | None]]) -> bytes:
    """Return a sitemap of addresses below the site's host, each with the day of its last change."""
    root = Element("urlset", {"xmlns": _SITEMAP})
    for (address, day), _ in zip(addresses, range(_MOST_ADDRESSES), strict=False):
        found = SubElement(root, "url")
        SubElement(found, "loc").text = site().absolute(address)
        if day is not None:
            SubElement(found, "lastmod").text = day
    text: str = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}'.encode()


def _ready(body: bytes, content_type: str, cache: str) -> Representation:
    return represent(body, content_type=content_type, cache_control=cache, headers=PAGE_HEADERS)
