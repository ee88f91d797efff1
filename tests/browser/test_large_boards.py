"""A board of more models than a page holds: whatever a reader looks for is asked of the server."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from playwright.async_api import Page, expect

from medvid.benchmark.tasks import METRIC_KEYS
from medvid.models.boards import Leaderboard, LeaderboardEntry
from services.gateway.pages.board_view import MOST_ROWS
from tests.browser.boards import open_board
from tests.browser.conftest import Visitor
from tests.depth import deep

COUNT = MOST_ROWS + 200


def _entry(rank: int) -> LeaderboardEntry:
    return LeaderboardEntry(
        rank=rank,
        entry_id=UUID(int=rank),
        model_name=f"Model {rank}",
        organization="Lab",
        submitted_on=date(2026, 1, 1),
        mean_rank=float(rank),
        values=dict.fromkeys(METRIC_KEYS, round(1 / rank, 3)),
        ranks=dict.fromkeys(METRIC_KEYS, rank),
    )


async def _large(visitor: Visitor) -> Page:
    """Open the community's page as it would be with so many models."""
    board = Leaderboard.empty("community", "compat").model_copy(
        update={"entries": [_entry(rank) for rank in range(1, COUNT + 1)]}
    )
    return await open_board(visitor, board)


@deep
async def test_a_search_finds_models_that_the_page_does_not_hold(visitor: Visitor) -> None:
    page = await _large(visitor)
    await expect(page.get_by_text(f"{MOST_ROWS} of {COUNT} models")).to_be_visible()
    await page.get_by_role("searchbox").fill(f"model {COUNT}")
    await page.keyboard.press("Enter")
    await expect(page.locator("#board tbody tr")).to_have_count(1)
    await expect(page.locator("#board tbody tr")).to_contain_text(f"Model {COUNT}")
    assert "q=model" in page.url


@deep
async def test_an_order_is_that_of_the_whole_board(visitor: Visitor) -> None:
    page = await _large(visitor)
    header = page.get_by_role("button", name="Rank", exact=True)
    await header.click()  # the best first is what it has; now the last
    await expect(page.locator("#board tbody tr").first).to_contain_text(f"Model {COUNT}")
