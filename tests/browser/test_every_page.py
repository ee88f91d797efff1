"""What holds for every page: accessible in both schemes, no sideways scrolling on a phone."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.browser.conftest import Visitor
from tests.depth import deep

PAGES = {
    "official": "/",
    "official-strict": "/?scoring=strict",
    "community": "/community",
    "community-strict": "/community?scoring=strict",
    "compare": "/compare",
    "second-opinions": "/boards/official/second-opinions?weights=cvs_acc:3,dvc_llm:0",
    "over-time": "/boards/official/best-over-time",
    "tasks": "/boards/community/tasks",
    "task": "/boards/community/tasks/tal",
    "both": "/both?sort=-cvs_acc",
    "submit": "/submit",
    "submission": "/submissions/{submission}#token={token}",
    "verdicts": "/submissions/{submission}/verdicts#token={token}",
    "entry": "/boards/community/entries/{entry}",
    "tracks": "/tracks",
    "track": "/tracks/medvidu-2026",
    "about": "/about",
    "status": "/status",
    "docs": "/docs",
    "problems": "/problems",
    "not-found": "/there-is-no-such-page",
}
# The same pages with other numbers.
STRICT = ("official-strict", "community-strict")
EACH = [pytest.param(name, marks=deep if name in STRICT else ()) for name in PAGES]
# A long list of like parts, of which one is looked at: axe takes a minute for all.
WITHIN = {"docs": ".reference > section:nth-of-type(2)"}
PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize("name", EACH)
async def test_is_accessible_in_both_schemes_and_fits_a_phone(visitor: Visitor, name: str) -> None:
    """axe finds nothing serious or critical, in light and in dark; nothing but a table of its own
    scrolls sideways at 360 px. To load a page costs more than to look at it.
    """
    page = await visitor.open()
    await page.goto(visitor.site.address(PAGES[name]))
    await visitor.shoot(page, f"{name}-light", full=name not in WITHIN)
    assert await visitor.barriers(page, WITHIN.get(name, "html")) == []
    await visitor.shoot(page, f"{name}-dark", full=name not in WITHIN)
    await become_a_phone(page)
    widths = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    await visitor.shoot(page, f"{name}-phone", full=name not in WITHIN)
    assert widths[0] <= widths[1] == PHONE["width"]
    if name == "not-found":
        visitor.forgive("status of 404")


async def become_a_phone(page: Page) -> None:
    """Show a page as Playwright's profiles of phones do, without loading it again."""
    devtools = await page.context.new_cdp_session(page)
    screen = {**PHONE, "mobile": True, "deviceScaleFactor": 1}
    await devtools.send("Emulation.setDeviceMetricsOverride", screen)
    await devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": True})


async def test_barriers_are_found_where_there_are_some(visitor: Visitor) -> None:
    """What looks for barriers sees one that is there: a picture without words, grey on grey."""
    page = await visitor.open("/about")
    await page.evaluate(
        """() => { document.querySelector("h1").append(document.createElement("img"));
        document.querySelector(".lead").style.color = "light-dark(#ddd, #333)"; }"""
    )
    found = " ".join(await visitor.barriers(page, ".hero"))
    assert "light" in found
    assert "dark" in found
    for rule in ("image-alt", "color-contrast"):
        assert rule in found


async def test_what_is_too_wide_for_a_phone_is_found(visitor: Visitor) -> None:
    page = await visitor.open("/about")
    await page.evaluate("""() => { document.querySelector(".lead").style.width = "600px"; }""")
    await become_a_phone(page)
    assert await page.evaluate(
        "document.documentElement.scrollWidth > innerWidth || innerWidth > 360"
    )
