"""A board in a frame and a badge, on a page of another site with a strict policy of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from aiohttp import web
from playwright.async_api import expect

from shared.storage.database import connect
from tests.acceptance.gateway_harness import row, running_gateway
from tests.browser.conftest import Visitor
from tests.processes import free_port

HOST = "http://127.0.0.1:"


@asynccontextmanager
async def another_site(port: int, board: str, badge: str) -> AsyncIterator[str]:
    """Serve a page that shows both; gives its address. Its policy allows them and nothing else."""
    origin = "/".join(board.split("/")[:3])
    policy = f"default-src 'none'; img-src {origin}; frame-src {origin}"
    body = f'<title>A lab</title><img src="{badge}" alt="Rank"><iframe src="{board}"></iframe>'

    async def show(_: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": policy}
        return web.Response(text=body, content_type="text/html", headers=headers)

    app = web.Application()
    app.router.add_get("/", show)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"{HOST}{port}/"
    finally:
        await runner.cleanup()


async def test_a_board_and_a_badge_on_another_site(visitor: Visitor, postgres_url: str) -> None:
    """The frame is shown where its setting names the site; the badge is drawn either way."""
    port, entry = free_port(), row(1, model_name="A model")
    badge = f"/boards/community/entries/{entry['entry_id']}/badge.svg"
    async with connect(postgres_url, size=5, application_name="test") as database:
        for ancestors in (f"{HOST}{port}", ""):
            async with (
                running_gateway(database, frame_ancestors=ancestors) as gateway,
                another_site(port, f"{gateway.url}/framed/community", gateway.url + badge) as lab,
            ):
                await gateway.shown(
                    "community", await gateway.rank("community", [entry], hint=True)
                )
                visitor.site = replace(visitor.site, url=lab)
                page = await visitor.open("")
                await page.goto(lab)
                assert (
                    await page.get_by_alt_text("Rank").evaluate("each => each.naturalWidth") > 100
                )
                model = page.frame_locator("iframe").get_by_role("link", name="A model")
                if ancestors:
                    await expect(model).to_be_visible()
                else:
                    await expect(model).to_have_count(0)
                await page.context.close()
                visitor.complaints[:] = [
                    each for each in visitor.complaints
                    if f"asks another host: {gateway.url}" not in each
                ]  # fmt: skip
    visitor.forgive("frame-ancestors")
