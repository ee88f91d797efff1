"""Pages of views: made once, one after another, dropped when there are too many."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from services.gateway.boards.wire import Leaderboard
from services.gateway.domain.board_view import View
from services.gateway.pages.rendering import Pages
from services.gateway.pages.views import PageViews

BOARD = Leaderboard.empty("community", "compat").model_copy(
    update={"snapshot": 1, "updated_at": datetime(2026, 4, 15, tzinfo=UTC)}
)


def views(count: int) -> list[View]:
    return [View(search=f"word {number}") for number in range(count)]


async def test_a_view_is_made_once_however_many_ask() -> None:
    made = PageViews(Pages())
    view = views(1)[0]
    first, *others = await asyncio.gather(*(made.board(BOARD, view) for _ in range(5)))
    assert all(other is first for other in others)
    changed = BOARD.model_copy(update={"snapshot": 2})
    assert await made.board(changed, view) is not first
    assert await made.board(BOARD, view, past=True) is not first


async def test_the_longest_unused_is_dropped_first() -> None:
    one = len((await PageViews(Pages()).board(BOARD, View())).identity.body)
    made = PageViews(Pages(), kept_bytes=5 * one)
    first, second = views(2)
    kept = await made.board(BOARD, first)
    dropped = await made.board(BOARD, second)
    for view in views(12)[2:]:
        await made.board(BOARD, view)
        assert await made.board(BOARD, first) is kept
    assert await made.board(BOARD, second) is not dropped
