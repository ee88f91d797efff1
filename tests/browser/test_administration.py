"""Administering in a browser: signing in, one deed and its trace, signing out."""

from __future__ import annotations

from uuid import uuid4

from playwright.async_api import expect

from tests.browser.conftest import Visitor
from tests.browser.site import ADMIN_KEY


async def test_a_wrong_key_is_refused_in_words(visitor: Visitor) -> None:
    page = await visitor.open("/admin")
    await page.get_by_label("Administrator's key").fill("not the key")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    assert await visitor.barriers(page) == []
    visitor.forgive("the server responded with a status of 4")


async def test_an_entry_added_by_hand_is_on_the_board_and_in_the_log(visitor: Visitor) -> None:
    """Every section is accessible, the deed shows on an open board, and the log says why."""
    name = f"By hand {uuid4().hex[:6]}"
    board = await visitor.open("/")
    await expect(board.locator("#live")).to_be_visible()
    page = await visitor.open("/admin")
    await page.get_by_label("Administrator's key").fill(ADMIN_KEY)
    await page.get_by_role("button", name="Sign in").click()
    sections = page.get_by_role("navigation", name="Administration").get_by_role("link")
    await expect(sections.first).to_be_visible()
    addresses = [str(await link.get_attribute("href")) for link in await sections.all()]
    assert len(addresses) > 4
    for address in addresses:
        await page.goto(address)
        widths = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], address
        assert await visitor.barriers(page) == [], address
        await visitor.shoot(page, f"admin{address.removeprefix('/admin').replace('/', '-')}")

    await page.goto("/admin/entries")
    form = page.get_by_role("form", name="Add an entry by hand")
    await form.get_by_label("Board").select_option("official")
    await form.get_by_label("Model", exact=True).fill(name)
    await form.get_by_label("Organization").fill("A lab")
    await form.get_by_label("Date").fill("2026-04-15")
    await form.get_by_label("CVS_acc").fill("0.5")
    await form.get_by_label("Why").fill("published in a paper")
    await form.get_by_role("button", name="Add the entry").click()
    await expect(page.get_by_role("status").first).to_be_visible()
    row = board.locator("tbody tr", has_text=name)
    await expect(row).to_be_visible()
    await expect(row.locator("td[data-column=cvs_acc]")).to_contain_text("0.500")
    await expect(row.locator("td[data-column=nap_acc]")).to_have_text("n/a")

    await page.get_by_role("link", name="Audit").first.click()
    await expect(page.get_by_text("published in a paper").first).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await page.goto("/admin/entries")
    await expect(page.get_by_label("Administrator's key")).to_be_visible()
