"""Boards of any size in a browser: the site's page of the community board, made of other rows."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from playwright.async_api import Page, Route

from medvid.models.boards import Leaderboard
from services.gateway.pages.board_view import View
from services.gateway.pages.rendering import Pages
from tests.browser.conftest import Visitor


async def open_board(
    visitor: Visitor, board: Leaderboard, address: str = "/community", **profile: Any
) -> Page:
    """Open the community's page as it would be with this board."""
    pages = Pages()

    async def answer(route: Route) -> None:
        view = View.of(parse_qsl(urlsplit(route.request.url).query))
        await route.fulfill(body=pages.board(board, view=view), content_type="text/html")

    page = await visitor.open(**profile)
    await page.route("**/community*", answer)
    await page.goto(address)
    return page
