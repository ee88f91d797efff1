"""Screens that people read on, and whether a page fits them."""

from __future__ import annotations

from typing import Final

from playwright.async_api import Page, ViewportSize

WIDE: Final[ViewportSize] = {"width": 1440, "height": 900}
MIDDLE: Final[ViewportSize] = {"width": 1024, "height": 768}
SMALL: Final[ViewportSize] = {"width": 768, "height": 1024}
NARROW: Final[ViewportSize] = {"width": 390, "height": 844}
SCREENS: Final = (WIDE, MIDDLE, SMALL, NARROW)


async def fits(page: Page) -> bool:
    """Tell whether nothing but tables and plots of their own scrolls sideways."""
    wide: int = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return wide <= 0
