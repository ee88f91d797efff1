"""What holds for every page: accessible in both schemes, no sideways scrolling on a phone."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Visitor

PAGES = {
    "official": "/",
    "community": "/community",
    "community-strict": "/community?scoring=strict",
    "compare": "/compare",
    "docs": "/docs",
    "problems": "/problems",
    "not-found": "/there-is-no-such-page",
}
PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize("name", PAGES)
async def test_is_accessible_in_both_schemes(visitor: Visitor, name: str) -> None:
    """axe finds nothing serious or critical, in light and in dark."""
    page = await visitor.open()
    await page.goto(PAGES[name])
    await visitor.shoot(page, f"{name}-light")
    assert await visitor.barriers(page) == []
    await visitor.shoot(page, f"{name}-dark")
    _expect_status(visitor, name)


@pytest.mark.parametrize("name", PAGES)
async def test_fits_a_phone(visitor: Visitor, name: str) -> None:
    """Nothing but a table of its own scrolls sideways at 360 px."""
    page = await visitor.open(viewport=PHONE, has_touch=True, is_mobile=True)
    await page.goto(PAGES[name])
    widths = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    await visitor.shoot(page, f"{name}-phone")
    assert widths[0] <= widths[1] == PHONE["width"]
    _expect_status(visitor, name)


def _expect_status(visitor: Visitor, name: str) -> None:
    """The browser itself notes on its console that a page was answered with 404."""
    if name == "not-found":
        visitor.complaints[:] = [c for c in visitor.complaints if "status of 404" not in c]
