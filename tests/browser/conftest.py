"""A real Chromium on a live leaderboard, one of each for all tests of a worker.

Every page that a test opens is watched: an error on its console, an exception of a script or a
request to another host fails the test. `./scripts/test all` keeps screenshots in `var/screenshots`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    async_playwright,
    expect,
)

from services.operate.boards import published_boards
from tests.browser.site import Site, running_site
from tests.depth import is_deep
from tests.many_models import MANY, imported_rows
from tests.patience import HANG_SECONDS

FOLDER: Final = Path(__file__).parent
SCREENSHOTS: Final = FOLDER.parents[1] / "var" / "screenshots"
# The shell is the same engine without the windows, for two thirds of the processor time.
SHELL: Final = "/usr/bin/chromium-headless-shell"
CHROMIUM: Final = os.environ.get("CHROMIUM", SHELL if Path(SHELL).exists() else "/usr/bin/chromium")
FLAGS: Final = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_SECONDS: Final = 2 * HANG_SECONDS
_PATIENCE_MS: Final = 90_000
_LIKE_ROWS: Final = "tbody tr:nth-child(n+7)"
"""Rows of a long table that are like the ones before: axe takes seconds for all of them."""
_WCAG: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of this folder on one event loop, which the browser and the site live on."""
    for item in items:
        if FOLDER in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.timeout(_SECONDS))  # the first test starts everything


@dataclass(slots=True)
class Visitor:
    """Someone with a fresh browser profile."""

    browser: Browser
    site: Site
    stack: AsyncExitStack
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str = "", **profile: Any) -> Page:
        """Open a page in a new profile: `profile` has Playwright's context options."""
        size = {"width": 1280, "height": 860}
        context = await self.browser.new_context(
            base_url=self.site.url, **{"viewport": size, "reduced_motion": "reduce", **profile}
        )
        self.stack.push_async_callback(context.close)
        context.set_default_timeout(_PATIENCE_MS)
        context.on("page", lambda page: self.watch(page))  # it keeps notes on its listeners
        page = await context.new_page()
        if path:
            await page.goto(path)
        return page

    def watch(self, page: Page) -> None:
        """Note everything that a page complains about."""

        def console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.complaints.append(f"{page.url}: console: {message.text}")

        def asked(request: Request) -> None:
            if not request.url.startswith((self.site.url, "blob:", "data:")):
                self.complaints.append(f"{page.url}: asks another host: {request.url}")

        page.on("console", console)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("request", asked)

    def forgive(self, text: str) -> None:
        """Drop what the browser itself notes of an answer that the test asked for."""
        assert any(text in complaint for complaint in self.complaints), self.complaints
        self.complaints[:] = [each for each in self.complaints if text not in each]

    async def shoot(self, page: Page, name: str, *, full: bool = True) -> None:
        """Keep a picture for people to look at: a sixth of all that these tests cost."""
        if is_deep():
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            await page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=full)

    async def barriers(self, page: Page, within: str = "html", *, dark: bool = False) -> list[str]:
        """Return what axe finds serious or critical within an element, and in the dark scheme,
        whose colours all pages share; a deep run looks at every page in both.
        """
        context = {"include": [[within]], "exclude": [[_LIKE_ROWS]]}
        found = []
        schemes = (("light", None), ("dark", ["color-contrast"]))
        for scheme, rules in schemes if dark or is_deep() else schemes[:1]:
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": _WCAG}
            options = {"resultTypes": ["violations"], "runOnly": only}
            results = await Axe().run(page, context=context, options=options)
            found += [
                f"{scheme} {page.url}: {violation['id']} ({violation['impact']}): "
                + "; ".join(" ".join(node["target"]) for node in violation["nodes"][:4])
                for violation in results.response["violations"]
                if violation["impact"] in ("serious", "critical")
            ]
        return found


@asynccontextmanager
async def _site(boards: bytes | None) -> AsyncIterator[Site]:
    # Not below pytest's folder, which other users may not enter: Postgres does not run as root.
    with tempfile.TemporaryDirectory(prefix="medvid-site-") as folder:
        async with running_site(Path(folder), boards=boards) as site:
            yield site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site() -> AsyncIterator[Site]:
    """The live leaderboard, with one model that was submitted and judged."""
    async with _site(published_boards()) as site:
        yield site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def new_site() -> AsyncIterator[Site]:
    """A leaderboard that was just installed."""
    async with _site(None) as site:
        yield site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def full_site() -> AsyncIterator[Site]:
    """A leaderboard of many models, one of which was submitted and judged."""
    async with _site(orjson.dumps({"community": imported_rows(MANY - 1)})) as site:
        yield site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    async with async_playwright() as playwright:
        # Playwright makes a fresh user-data-dir for each launch and removes it afterwards.
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        expect.set_options(timeout=_PATIENCE_MS)  # its five seconds ask for a quiet machine
        yield browser
        await browser.close()


@asynccontextmanager
async def _visiting(browser: Browser, site: Site) -> AsyncIterator[Visitor]:
    async with AsyncExitStack() as stack:
        visitor = Visitor(browser, site, stack)
        yield visitor
    assert visitor.complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser, site: Site) -> AsyncIterator[Visitor]:
    """Someone who looks at the site; whatever their pages complained about fails the test."""
    async with _visiting(browser, site) as visitor:
        yield visitor


@pytest_asyncio.fixture(loop_scope="session")
async def visitor_of_none(browser: Browser, new_site: Site) -> AsyncIterator[Visitor]:
    """The same on a site that was just installed."""
    async with _visiting(browser, new_site) as visitor:
        yield visitor


@pytest_asyncio.fixture(loop_scope="session")
async def visitor_of_many(browser: Browser, full_site: Site) -> AsyncIterator[Visitor]:
    """The same on a site of many models."""
    async with _visiting(browser, full_site) as visitor:
        yield visitor
