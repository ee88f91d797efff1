"""The example of a front-end, from a host of its own: it draws the board and follows it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web
from playwright.async_api import Browser, expect

from tests.browser.site import Site
from tests.servers import free_port

EXAMPLE: Final = Path(__file__).parents[2] / "docs" / "examples" / "board.html"


async def test_the_example_page_draws_the_board_and_follows_it(
    browser: Browser, site: Site
) -> None:
    app = web.Application()
    app.router.add_static("/", EXAMPLE.parent)
    runner, port = web.AppRunner(app), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    context = await browser.new_context()
    complaints: list[str] = []
    page = await context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    try:
        await page.goto(f"http://127.0.0.1:{port}/board.html?site={site.url}/")
        async with site.client.get("/api/v1/leaderboards/community") as answer:
            board = await answer.json()
        rows = page.locator("tbody tr")
        await expect(rows).to_have_count(len(board["entries"]))
        first = board["entries"][0]
        await expect(rows.first).to_contain_text(first["model_name"])
        await expect(rows.first).to_contain_text(f"{first['values']['nap_acc']:.3f}")
        added = await site.submit()
        await expect(page.locator("tbody")).to_contain_text(added.model_name)  # nothing is reloaded
        await expect(page.get_by_role("status")).to_contain_text(
            f"{len(board['entries']) + 1} models"
        )
    finally:
        await context.close()
        await runner.cleanup()
    assert complaints == []


def test_the_example_page_is_short_and_needs_nothing_else() -> None:
    text = EXAMPLE.read_text("utf-8")
    assert len(text.splitlines()) <= 65
    assert " src=" not in text
    assert "import " not in text
