"""Signing in with a real browser at another site, and what an account's pages show and do."""

from __future__ import annotations

from uuid import uuid4

from playwright.async_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.screens import NARROW, WIDE, fits
from tests.browser.site import Site
from tests.browser.test_submitting import fill


async def signed_in(visitor: Visitor, path: str = "/account") -> Page:
    """Sign in from a page, by the provider's own, which is another site, and come back."""
    page = await visitor.open(path)
    await page.get_by_role("link", name="Sign in with Example").click()
    return page


async def suits(visitor: Visitor, page: Page, name: str) -> None:
    """Look for barriers, and at the page on a wide screen and on a phone."""
    assert await visitor.barriers(page) == []
    for screen in (WIDE, NARROW):
        await page.set_viewport_size(screen)
        assert await fits(page)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await visitor.shoot(page, f"{name}-{screen['width']}-{scheme}")


async def test_an_account_in_a_browser(visitor: Visitor) -> None:
    """Cookies come along from another site's page; submitting and steering need no token."""
    page = await visitor.open("/account")
    await suits(visitor, page, "account-sign-in")
    page = await signed_in(visitor)
    visitor.forgive("asks another host: http://localhost")
    await expect(page.get_by_role("heading", level=1)).to_have_text("ada")
    name = f"Account model {uuid4().hex[:6]}"
    await page.goto("/submit")
    await expect(page.get_by_text("Signed in as ada")).to_be_visible()
    await fill(page, name)
    await page.get_by_role("button", name="Submit", exact=True).click()
    await page.wait_for_url("**/submissions/*")
    submission = page.url.partition("#")[0]
    await page.goto("/about")  # the page of a submission would keep its token again
    await page.evaluate("localStorage.clear()")  # as on another machine: no owner token
    await page.goto(submission)
    await expect(page.locator(".rank")).to_be_visible()
    await expect(page.locator("#token-card")).to_be_hidden()
    await page.get_by_role("button", name="Ask the judge").click()
    await expect(page.locator("#judge")).to_contain_text("Done.")
    await page.get_by_role("link", name="The entry").click()
    await expect(page.get_by_text("verified identity")).to_be_visible()
    await page.goto("/account")
    await expect(page.get_by_role("link", name=name)).to_be_visible()
    await page.get_by_label("What it is for").fill("CI")
    await page.get_by_role("button", name="Make the key").click()
    await expect(page.locator("#made")).to_contain_text("mvk_")
    await suits(visitor, page, "account")


async def test_a_program_is_allowed_in_a_browser(visitor: Visitor, site: Site) -> None:
    async with site.client.post("/api/v1/sign-in/device", json={"label": "medvid on x"}) as answer:
        made = await answer.json()
    page = await signed_in(visitor, made["verification_uri_complete"])
    visitor.forgive("asks another host: http://localhost")
    await expect(page.get_by_text("It calls itself “medvid on x”")).to_be_visible()
    await suits(visitor, page, "activate")
    await page.get_by_role("button", name="Allow").click()
    await expect(page.locator("#done")).to_contain_text("is allowed")
    body = {"device_code": made["device_code"]}
    async with site.client.post("/api/v1/sign-in/device/key", json=body) as answer:
        assert (await answer.json())["key"].startswith("mvk_")


async def test_an_administrator_signs_in_as_a_person(visitor: Visitor) -> None:
    page = await signed_in(visitor, "/admin")
    visitor.forgive("asks another host: http://localhost")
    await expect(page.get_by_text("Signed in as example:subject-1 (ada)")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Administrator's key")).to_be_visible()
