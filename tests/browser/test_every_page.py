"""What holds for every page: accessible in both schemes, no sideways scrolling on any screen.

Deep runs look at four widths, with 15 entries, with none and with 241.
"""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.browser.conftest import Visitor
from tests.browser.screens import NARROW, SCREENS, fits
from tests.depth import deep, is_deep
from tests.many_models import MANY

PAGES = {
    "official": "/",
    "official-strict": "/?scoring=strict",
    "community": "/community",
    "community-strict": "/community?scoring=strict",
    "community-one-metric": "/community?sort=-cvs_acc&columns=cvs_acc",
    "community-cards": "/community?columns=all",
    "compare": "/compare",
    "compare-both": "/compare?board=both",
    "second-opinions": "/boards/official/second-opinions?weights=cvs_acc:3,dvc_llm:0",
    "over-time": "/boards/official/best-over-time",
    "size-and-cost": "/boards/community/size-and-cost",
    "tasks": "/boards/community/tasks",
    "task": "/boards/community/tasks/tal",
    "both": "/both?sort=-cvs_acc",
    "framed": "/framed/community?columns=cvs_acc,dvc_llm",
    "submit": "/submit",
    "submission": "/submissions/{submission}#token={token}",
    "verdicts": "/submissions/{submission}/verdicts#token={token}",
    "entry": "/boards/community/entries/{entry}",
    "tracks": "/tracks",
    "track": "/tracks/medvidu-2026",
    "about": "/about",
    "metric": "/about/metrics/dvc_f1",
    "judged-metric": "/about/metrics/vs_llm",
    "intervals": "/about/intervals",
    "changes": "/changes",
    "status": "/status",
    "docs": "/docs",
    "docs-administration": "/docs/administration",
    "problems": "/problems",
    "not-found": "/there-is-no-such-page",
}
# Pages with other numbers, and those made of what others have: deep runs look at them.
OTHER_VIEWS = (
    "official-strict", "community-strict", "community-one-metric", "community-cards",
    "judged-metric", "docs-administration", "compare-both", "size-and-cost", "tasks", "framed",
    "tracks", "intervals", "problems", "metric", "community", "both", "task", "about", "docs",
)  # fmt: skip
EACH = [pytest.param(name, marks=deep if name in OTHER_VIEWS else ()) for name in PAGES]
# A long list of like parts, of which one is looked at: axe takes a minute for all.
WITHIN = dict.fromkeys(("docs", "docs-administration"), ".reference > section:nth-of-type(2)")
WITH_BOARDS = (
    "official", "official-strict", "community", "community-strict", "community-one-metric",
    "community-cards", "compare", "compare-both", "second-opinions", "over-time", "tasks", "task",
    "size-and-cost",
    "both", "submit", "tracks", "track", "status",
)  # fmt: skip
"""Pages that look otherwise with other entries."""
PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize("name", EACH)
async def test_is_accessible_and_fits_a_phone(visitor: Visitor, name: str) -> None:
    """axe finds nothing serious or critical, some in both schemes; nothing but a table of its own
    scrolls sideways at 360 px. To load a page costs more than to look at it.
    """
    page = await visitor.open()
    await page.goto(visitor.site.address(PAGES[name]))
    dark = name in ("official", "entry", "submission")
    assert await visitor.barriers(page, WITHIN.get(name, "html"), dark=dark) == []
    if is_deep():
        await fits_every_screen(visitor, page, name)
    await become_a_phone(page)
    widths = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1] == PHONE["width"]
    assert await tabs_out_of_sight(page) == []
    if name == "not-found":
        visitor.forgive("status of 404")


async def tabs_out_of_sight(page: Page) -> list[str]:
    """Return the links of navigation that one finds by scrolling sideways alone."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll("nav a")].filter((link) => {
        const { left, right, width } = link.getBoundingClientRect();
        return width && (left < 0 || right > innerWidth);
        }).map((link) => link.textContent)"""
    )
    return found


async def fits_every_screen(visitor: Visitor, page: Page, name: str) -> None:
    """Look at a page at four widths in both schemes, and at its barriers on the narrowest."""
    full = name not in WITHIN and not name.endswith(str(MANY))
    for screen in SCREENS:
        await page.set_viewport_size(screen)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert await fits(page), (name, screen)
            await visitor.shoot(page, f"{name}-{screen['width']}-{scheme}", full=full)
    assert page.viewport_size == NARROW
    assert await visitor.barriers(page, WITHIN.get(name, "html")) == []


@deep
@pytest.mark.parametrize("name", WITH_BOARDS)
async def test_a_new_site_fits_every_screen(visitor_of_none: Visitor, name: str) -> None:
    """No entry, no test set: every page says so, and is as accessible."""
    page = await visitor_of_none.open(PAGES[name])
    assert await visitor_of_none.barriers(page) == []
    await fits_every_screen(visitor_of_none, page, f"{name}-0")


@deep
@pytest.mark.parametrize("name", [*WITH_BOARDS, "entry"])
async def test_many_models_fit_every_screen(visitor_of_many: Visitor, name: str) -> None:
    page = await visitor_of_many.open()
    await page.goto(visitor_of_many.site.address(PAGES[name]).replace("official", "community"))
    if name.startswith("community"):
        assert await page.locator("#board tbody tr[id]").count() == MANY
    assert await visitor_of_many.barriers(page) == []
    await fits_every_screen(visitor_of_many, page, f"{name}-{MANY}")


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
    found = " ".join(await visitor.barriers(page, ".hero", dark=True))
    assert "light" in found
    assert "dark" in found
    for rule in ("image-alt", "color-contrast"):
        assert rule in found


async def test_a_tab_that_is_out_of_sight_is_found(visitor: Visitor) -> None:
    """On the narrowest of phones, too, all stand in lines; in one line some do not fit."""
    page = await visitor.open("/about", viewport={"width": 320, "height": 740})
    assert await tabs_out_of_sight(page) == []
    await page.evaluate("""() => { document.querySelector(".tabs").style.flexWrap = "nowrap"; }""")
    assert "Account" in await tabs_out_of_sight(page)


async def test_what_is_too_wide_for_a_phone_is_found(visitor: Visitor) -> None:
    page = await visitor.open("/about")
    await page.evaluate("""() => { document.querySelector(".lead").style.width = "600px"; }""")
    await become_a_phone(page)
    assert await page.evaluate(
        "document.documentElement.scrollWidth > innerWidth || innerWidth > 360"
    )
