"""The page of verdicts: its owner comes from the submission's page, chooses, turns pages."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import Visitor


async def test_an_owner_looks_for_the_worst_captions(visitor: Visitor) -> None:
    page = await visitor.open()
    await page.goto(visitor.site.address("/submissions/{submission}#token={token}"))
    await page.get_by_role("link", name="Verdicts, worst first").click()
    pairs = page.locator(".pair")
    await expect(pairs).to_have_count(50)
    means = [float(text) for text in await page.locator(".mean dd").all_inner_texts()]
    assert means == sorted(means)
    assert await visitor.barriers(page) == []
    await expect(page.locator(".reason")).to_have_count(0)  # which this judge gives
    await page.get_by_label("Score").select_option("R4")
    await page.get_by_label("At most").select_option("2")
    await page.get_by_label("Task").select_option(label="Region caption")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator(".pair .hint").first).to_contain_text("Region caption")
    scores = await page.locator(".chosen-aspect dd").all_inner_texts()
    assert scores == sorted(scores)
    assert set(scores) == {"1", "2"}
    await expect(page.get_by_label("At most")).to_have_value("2")


async def test_pages_keep_what_was_chosen(visitor: Visitor) -> None:
    page = await visitor.open()
    address = "/submissions/{submission}/verdicts?metric=dvc_llm&page_size=5#token={token}"
    await page.goto(visitor.site.address(address))
    await page.get_by_role("link", name="Next").click()
    await expect(page.get_by_role("status").first).to_contain_text("page 2 of")
    await expect(page.locator(".pair")).to_have_count(5)
    await expect(page.get_by_label("Task")).to_have_value("dvc_llm")


async def test_a_stranger_is_asked_for_the_token(visitor: Visitor) -> None:
    page = await visitor.open()
    await page.goto(visitor.site.address("/submissions/{submission}/verdicts"))
    await expect(page.get_by_text("Verdicts are for the owner")).to_be_visible()
    await expect(page.locator(".pair")).to_have_count(0)
    await page.get_by_label("The token that came with the receipt").fill(visitor.site.demo.token)
    await page.get_by_role("button", name="Show everything").click()
    await expect(page.locator(".pair")).to_have_count(50)
