"""The scripts of a site below a path of its host, behind a real nginx."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
from playwright.async_api import expect

from shared.storage.database import connect
from tests.acceptance.gateway_harness import records, row, running_gateway
from tests.browser.conftest import Visitor
from tests.depth import deep
from tests.proxy_servers import nginx_before

BELOW = "/leaderboard/"
LOCATION = f"location {BELOW} {{ proxy_pass http://gateways; }}"


@deep
async def test_a_board_follows_and_a_form_submits(
    visitor: Visitor, postgres_url: str, tmp_path: Path
) -> None:
    """What scripts ask and where they lead stays below the path; the browser keeps the token."""
    file = tmp_path / "predictions.json"
    file.write_bytes(orjson.dumps(records()))
    async with (
        connect(postgres_url, size=5, application_name="test") as database,
        running_gateway(database, public_url=f"https://board.example{BELOW}") as gateway,
        nginx_before([gateway.url], tmp_path, locations=LOCATION) as nginx,
    ):
        visitor.site = replace(visitor.site, url=f"http://127.0.0.1:{nginx.port}{BELOW}")
        await gateway.shown("community", await gateway.rank("community", [row(1)], hint=True))
        board = await visitor.open("community?q=model")
        await expect(board.locator("#live")).to_be_visible()
        await gateway.rank("community", [row(1), row(2)], hint=True)
        await expect(board.locator("tbody tr", has_text="Model 2")).to_be_visible()
        await board.context.close()

        page = await visitor.open("submit")
        await page.set_input_files("#file", file)
        await page.get_by_label("Model name").fill("Below")
        await page.get_by_label("Organization").fill("A lab")
        await page.get_by_role("button", name="Submit").click()
        await page.wait_for_url(f"{visitor.site.url}submissions/*")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Below")
        await page.goto("submit")
        await page.locator("#mine").get_by_role("link", name="Below").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Below")
        await page.context.close()
