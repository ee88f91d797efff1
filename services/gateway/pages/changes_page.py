"""The page of what changed on boards: readable without a feed reader and without scripts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from medvid.models.notes import BoardChange, ChangesAnswer, PublicNote
from services.gateway.boards.changes import change_title, note_title
from services.gateway.boards.notes import PublicNotes
from services.gateway.pages.rendering import Pages
from services.gateway.pages.views import FRESH
from services.gateway.web.endpoints import HTML
from services.gateway.web.representations import represent
from services.gateway.web.responses import send
from services.gateway.web.security import PAGE_HEADERS
from services.gateway.web.urls import PAGES


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """The page, with what it is made from."""

    notes: PublicNotes
    pages: Pages

    def routes(self) -> list[web.RouteDef]:
        """Return its route."""
        return [web.get(PAGES["changes"], self._page)]

    async def _page(self, request: web.Request) -> web.Response:
        found = in_time(await self.notes.changes(None))
        text = self.pages.render("changes.html", found=found)
        page = represent(
            text.encode(), content_type=HTML, cache_control=FRESH, headers=PAGE_HEADERS
        )
        return send(request, page)


def in_time(
    found: ChangesAnswer,
) -> list[tuple[datetime, str, BoardChange | None, PublicNote | None]]:
    """Return changes and notes by when they came, the newest first: each with its title."""
    items: list[tuple[datetime, str, BoardChange | None, PublicNote | None]] = [
        (change.at, change_title(change), change, None) for change in found.changes
    ]
    items += [
        (note.published_at or note.changed_at, note_title(note), None, note) for note in found.notes
    ]
    return sorted(items, key=lambda item: item[0], reverse=True)
