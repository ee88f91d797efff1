"""The pages about the API: folded, with examples, and with reads to try."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Visitor
from tests.depth import deep


async def opened(page: Page, operation_id: str) -> Locator:
    """Follow a link to an operation, which opens it; gives the operation."""
    await page.goto(f"/docs#{operation_id}")
    operation = page.locator("details", has=page.locator(f"#{operation_id}"))
    await expect(operation).to_have_attribute("open", "")
    return operation


@deep
async def test_it_is_folded_and_a_link_opens_its_operation(visitor: Visitor) -> None:
    page = await visitor.open("/docs")
    height = await page.evaluate("document.documentElement.scrollHeight")
    assert height < 6_000
    assert await page.locator("details[open]").count() == 0
    groups = await page.locator("h2[id^=group-]").all_inner_texts()
    assert groups[0] == "Submissions"
    assert "Administration" not in groups
    operation = await opened(page, "get_leaderboards_board")
    await expect(operation.get_by_label("Read a board: curl")).to_contain_text(
        "$MEDVID_URL/api/v1/"
    )
    assert await visitor.barriers(page, f"#{'get_leaderboards_board'}") == []
    assert f"export MEDVID_URL={visitor.site.url}" in await page.locator("main").inner_text()


async def test_a_read_can_be_tried(visitor: Visitor) -> None:
    page = await visitor.open("/docs")
    board = await opened(page, "get_leaderboards_board")
    await board.get_by_label("board", exact=True).fill("official")
    await board.get_by_label("limit", exact=True).fill("2")
    await board.get_by_role("button", name="Send").click()
    await expect(board.get_by_role("status")).to_contain_text("200 application/json")
    answer = board.get_by_label("The answer")
    await expect(answer).to_contain_text('"board": "official"')
    await board.get_by_label("limit", exact=True).fill("none")
    await board.get_by_role("button", name="Send").click()
    await expect(board.get_by_role("status")).to_contain_text("400 application/problem+json")
    await expect(answer).to_contain_text("invalid_query")
    visitor.forgive("status of 400")


@deep
async def test_a_token_goes_with_what_needs_one_and_a_stream_can_be_stopped(
    visitor: Visitor,
) -> None:
    page = await visitor.open("/docs")
    mine = await opened(page, "get_submissions_id_predictions")
    await mine.get_by_label("id", exact=True).fill(visitor.site.demo.id)
    await mine.get_by_label("Token or key").fill(visitor.site.demo.token)
    await mine.get_by_role("button", name="Send").click()
    await expect(mine.get_by_role("status")).to_contain_text("200")
    await expect(mine.get_by_label("The answer")).to_contain_text('"predictions"')
    stream = await opened(page, "get_leaderboards_board_events")
    await stream.get_by_role("button", name="Send").click()
    await expect(stream.get_by_label("The answer")).to_contain_text("event: board")
    await stream.get_by_role("button", name="Stop").click()
    await expect(stream.get_by_role("status")).to_contain_text("stopped")


async def test_administration_has_a_page_of_its_own_that_asks_for_no_key(visitor: Visitor) -> None:
    page = await visitor.open("/docs/administration")
    await expect(page.get_by_role("heading", level=1)).to_have_text("The API for administrators")
    assert await page.locator("details[data-try]").count() == 0
    await page.goto("/docs/administration#post_admin_entries_id_promote")
    await expect(page.get_by_label("Verify an entry: it becomes official: curl")).to_contain_text(
        "$MEDVID_ADMIN_KEY"
    )
