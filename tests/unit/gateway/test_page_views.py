"""Pages of views: made once, one after another, dropped when there are too many."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from uuid import UUID

from medvid.models.boards import Leaderboard
from medvid.models.entries import EntryDetails
from services.gateway.pages.board_view import View
from services.gateway.pages.rendering import Pages
from services.gateway.pages.views import PageViews
from services.gateway.web.errors import Busy
from services.gateway.web.turns import WaitingLimits

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


def entry(name: str) -> EntryDetails:
    return EntryDetails(
        id=UUID(int=1),
        board="community",
        model_name=name,
        organization="Lab",
        team=None,
        authors=None,
        model_url=None,
        track=None,
        badges=[],
        submitted_on=date(2026, 4, 15),
        verified_on=None,
        submission_id=None,
        url="/api",
        page="/page",
        places=[],
        scores=[],
        similarities={},
        judge=None,
        history=[],
    )


async def test_pages_of_entries_wait_for_their_turn_like_views() -> None:
    made = PageViews(Pages(), limits=WaitingLimits(total=4, per_address=3))
    crowd = [
        asyncio.create_task(made.entry(BOARD, entry(f"Model {number}"), address="203.0.113.9"))
        for number in range(20)
    ]
    await asyncio.sleep(0)
    other = await made.entry(BOARD, entry("Another"), address="198.51.100.7")
    assert b"Another" in other.identity.body
    found = await asyncio.gather(*crowd, return_exceptions=True)
    assert sum(isinstance(each, Busy) for each in found) == 20 - 1 - 3
    assert await made.entry(BOARD, entry("Another")) is other
    assert await made.entry(BOARD, entry("Yet another")) is not other
