"""The administrators' pages in a real browser: by hand, without scripts, on a phone."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.site import ADMIN_KEY
from tests.depth import deep, is_deep, some_of

PHONE = {"width": 360, "height": 740}
PAGES = {
    "admin": "/admin",
    "admin-submissions": "/admin/submissions",
    "admin-verdicts": "/admin/submissions/{submission}/verdicts",
    "admin-entries": "/admin/entries",
    "admin-entry": "/admin/entries/{entry}",
    "admin-boards": "/admin/boards",
    "admin-rescores": "/admin/rescores",
    "admin-rescore": "",  # where the job is
    "admin-notes": "/admin/notes",
    "admin-costs": "/admin/costs?by=judge",
    "admin-ground-truths": "/admin/ground-truths",
    "admin-dead-letters": "/admin/dead-letters",
    "admin-keys": "/admin/keys",
    "admin-audit": "/admin/audit",
}
FEW = ("admin", "admin-entry", "admin-rescore", "admin-keys")
"""What each run looks at: axe takes two seconds a page. A deep one looks at all."""
WHY = "to see how it looks"


async def signed_in(visitor: Visitor, **profile: object) -> Page:
    page = await visitor.open("/admin", **profile)
    await page.get_by_label("Administrator's key").fill(ADMIN_KEY)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    return page


@deep
async def test_replies_are_read_again_and_dropped_on_the_page(visitor: Visitor) -> None:
    """The stand-in's replies are read alike by both parsers: a difference without a change."""
    page = await signed_in(visitor)
    await page.goto("/admin/rescores")
    form = page.get_by_role("form", name="Read a judge's replies again")
    await form.get_by_label("Why").fill(WHY)
    await form.get_by_role("button").click()
    await expect(page.get_by_role("status")).to_contain_text("are being read")
    await page.get_by_role("row", name="parser 2").get_by_role("link").first.click()
    drop = page.get_by_role("form", name="Drop the job")
    for _ in range(120):
        if await page.get_by_role("heading", name="Put these scores in force").count():
            break
        await page.wait_for_timeout(500)
        await page.reload()
    await expect(page.get_by_text("MEDVID_JUDGE_PARSER=2")).to_be_visible()
    await visitor.shoot(page, "admin-reread")
    assert await visitor.barriers(page) == []
    await drop.get_by_label("Why").fill(WHY)
    await drop.get_by_role("button").click()
    await expect(page.get_by_role("status")).to_contain_text("dropped")


async def test_the_pages_are_accessible_and_fit_a_phone(visitor: Visitor) -> None:
    """A re-score job is made by keyboard and dropped again; every page is looked at meanwhile."""
    page = await visitor.open("/admin")
    assert await visitor.barriers(page) == []
    page = await signed_in(visitor)
    await page.goto("/admin/rescores")
    form = page.get_by_role("form", name="Score entries anew")
    await form.get_by_label("Why").fill(WHY)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("being scored")
    await page.locator("tbody a").first.click()
    ready = page.get_by_role("heading", name="Put these scores in force")
    for _ in range(120):
        if await ready.count():
            break
        await page.wait_for_timeout(500)
        await page.reload()
    await expect(ready).to_be_visible()
    job = page.url
    same = page.locator("tbody tr", has_text="the same")
    await expect(same.filter(has_text="Demo model").first).to_be_visible()
    for name, pattern in PAGES.items():
        if name not in FEW and not is_deep():
            continue
        address = visitor.site.address(pattern) or job
        await page.set_viewport_size({"width": 1280, "height": 860})
        await page.emulate_media(color_scheme="light")
        await page.goto(address)
        await visitor.shoot(page, f"{name}-light")
        assert await visitor.barriers(page) == [], name
        await visitor.shoot(page, f"{name}-dark")
        await page.set_viewport_size(PHONE)
        widths = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        await visitor.shoot(page, f"{name}-phone")
        assert widths[0] <= widths[1] == PHONE["width"], name
    await page.goto(job)
    drop = page.get_by_role("form", name="Drop the job")
    await drop.get_by_label("Why").fill(WHY)
    await drop.get_by_role("button").click()
    await expect(page.get_by_role("status")).to_contain_text("dropped")


@pytest.mark.parametrize("scripts", some_of((True, False), False))
async def test_an_entry_is_renamed_with_and_without_scripts(
    visitor: Visitor, *, scripts: bool
) -> None:
    """What is refused is told at the top, and the focus is there; what is done is on the board."""
    fresh = await visitor.site.submit()
    status = await visitor.site.ranked(fresh)
    page = await signed_in(visitor, java_script_enabled=scripts)
    await page.goto(f"/admin/entries/{status['entry']['id']}")
    form = page.get_by_role("form", name="Rename")
    await form.get_by_label("New name").fill("Demo model")
    await form.get_by_label("Why").fill(WHY)
    await form.get_by_role("button").click()
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("has a model of this name already")
    if scripts:
        await expect(alert).to_be_focused()
        visitor.forgive("status of 409")
    name = f"Renamed {fresh.model_name}"
    await form.get_by_label("New name").fill(name)
    await form.get_by_label("Why").fill(WHY)
    await form.get_by_role("button").click()
    await expect(page.get_by_role("status")).to_contain_text(name)
    await page.goto("/admin/audit")
    await expect(page.locator("tbody tr").first).to_contain_text(WHY)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Administrator's key")).to_be_visible()
    visitor.complaints[:] = [each for each in visitor.complaints if "409" not in each]
