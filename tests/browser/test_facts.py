"""Facts of models: boards are narrowed by them, owners change them, readers see what changed."""

from __future__ import annotations

import asyncio

from playwright.async_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.site import Site
from tests.patience import HANG_SECONDS

MODELS = "tbody tr:visible .model"


async def choose_open_weights(page: Page) -> None:
    await page.locator("#fact-filters > summary").click()
    await page.get_by_label("Open weights").select_option("Yes")


async def demo_is_judged(site: Site) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            async with site.client.get("/api/v1/leaderboards/community") as answer:
                entries = (await answer.json())["entries"]
            (demo,) = [each for each in entries if each["entry_id"] == site.entry]
            if demo["values"]["rc_llm"] is not None:
                return
            await asyncio.sleep(0.05)


async def test_a_board_is_narrowed_without_scripts(visitor: Visitor) -> None:
    """A plain form; ranks stay the board's, unless those that are left are to be ranked."""
    await demo_is_judged(visitor.site)  # its rank changes no more
    page = await visitor.open("/community", java_script_enabled=False)
    row = page.locator("tr", has=page.get_by_role("link", name="Demo model", exact=True))
    await expect(row.get_by_text("trained on test videos")).to_be_visible()
    rank = await row.locator(".c-rank").get_attribute("data-value") or ""
    await choose_open_weights(page)
    await page.get_by_label("Parameters up to").select_option("8 B")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.locator(MODELS)).to_have_text(["Demo model"])
    assert await row.locator(".c-rank").get_attribute("data-value") == rank
    await page.locator("#fact-filters > summary").click()
    await expect(page.get_by_label("Open weights")).to_have_value("true")
    await page.get_by_label("Rank these among themselves").check()
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.get_by_text("Ranks are among the 1 model that is shown")).to_be_visible()
    assert await row.locator(".c-rank").get_attribute("data-value") == "1"
    await expect(row.get_by_title("Rank on the whole board")).to_contain_text(rank)
    await page.locator("#fact-filters > summary").click()
    await page.get_by_role("link", name="Show all models").click()
    assert await page.locator(MODELS).count() > 1


async def test_an_owner_changes_facts_and_the_address_of_a_filter_is_short(
    visitor: Visitor,
) -> None:
    mine = await visitor.site.submit(parameters="70e9")
    status = await visitor.site.ranked(mine)
    page = await visitor.open()
    await page.goto(f"/submissions/{mine.id}#token={mine.token}")
    await page.get_by_text("Facts of the model").click()
    await expect(page.get_by_label("Parameters", exact=False).first).to_have_value("70000000000")
    await page.get_by_label("Open weights").select_option("No")
    await page.get_by_label("CoPESD").check()
    await page.get_by_label("Resolution").fill("big")
    await page.get_by_role("button", name="Change the facts").click()
    await expect(page.locator("#facts-said")).to_contain_text("resolution")
    visitor.forgive("status of 422")
    await page.get_by_label("Resolution").fill("448x448")
    # From elsewhere another fact is changed: it stays, and news of it take nothing that was typed.
    address = f"/api/v1/submissions/{mine.id}/facts"
    headers = {"Authorization": f"Bearer {mine.token}"}
    async with visitor.site.client.patch(
        address, json={"licence": "MIT"}, headers=headers
    ) as answer:
        assert answer.status == 200
    assert await visitor.barriers(page, "#facts") == []
    await page.get_by_role("button", name="Change the facts").click()
    await expect(page.locator("#facts-said")).to_have_text("The facts are changed. ")

    await page.goto(status["entry"]["page"])
    card = page.locator("section", has=page.get_by_role("heading", name="The model"))
    for text in ("70 B", "448x448", "CoPESD", "MIT"):
        await expect(card.locator("dl").get_by_text(text)).to_be_visible()
    await card.get_by_text("3 changes of these facts").click()
    await expect(card.get_by_text("unknown → no", exact=False)).to_be_visible()
    await visitor.shoot(page, "entry-facts")

    await page.goto("/community?q=model")
    await page.locator("#fact-filters > summary").click()
    assert await visitor.barriers(page, ".tools") == []
    await visitor.shoot(page, "community-facts", full=False)
    await page.get_by_label("Access").select_option("Local")
    await page.get_by_role("button", name="Show", exact=True).click()
    await page.wait_for_url("**/community?q=model&access=local")
    await expect(page.get_by_text("No model matches")).to_be_visible()
    await page.goto("/community?open_weights=false")
    await expect(page.locator(MODELS)).to_have_text([mine.model_name])
    # What a script does on the page stays within the filter.
    await page.get_by_label("Search models").fill("zzz")
    await page.wait_for_url("**/community?q=zzz&open_weights=false")
    await page.get_by_label("Search models").fill("")
    await expect(page.locator(MODELS)).to_have_text([mine.model_name])
