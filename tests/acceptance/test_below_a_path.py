"""A site below a path of its host, behind a real nginx that knows nothing but this path."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import pytest
from rich.console import Console

from medvid import AsyncClient
from medvid.cli import status_text
from medvid.models.submissions import SubmissionStatus
from shared.storage.database import Database
from tests.acceptance.fuzzing import exchange
from tests.acceptance.gateway_harness import Gateway, records, running_gateway
from tests.proxy_servers import nginx_before
from tests.rows import add_listed_entry

ADMIN: Final = "an-administrators-key-of-a-site-below-a-path"
PREFIX: Final = "/leaderboard"
LOCATION: Final = f"location {PREFIX}/ {{ proxy_pass http://gateways; }}"
_SECURE: Final = {"X-Forwarded-Proto": "https"}


@dataclass(frozen=True, slots=True)
class Site:
    """What readers see: `client` asks nginx, `url` is the site's address."""

    gateway: Gateway
    client: aiohttp.ClientSession
    url: str


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncIterator[Site]:
    setting = f"https://board.example{PREFIX}/"
    async with (
        running_gateway(database, public_url=setting, admin_key=ADMIN) as gateway,
        nginx_before([gateway.url], tmp_path, locations=LOCATION) as nginx,
        aiohttp.ClientSession(f"http://127.0.0.1:{nginx.port}") as client,
    ):
        yield Site(gateway, client, f"http://127.0.0.1:{nginx.port}{PREFIX}")


class Addresses(HTMLParser):
    """Collects what a page leads to: links, files, forms, and what its scripts are handed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        self.found |= {
            value
            for name, value in attrs
            if value and (name in ("href", "src", "action", "formaction") or name[:5] == "data-")
            if value.startswith("/")
        }


def addresses_of(content_type: str, body: str) -> set[str]:
    """Return every address of the site that an answer names."""
    if "html" in content_type:
        page = Addresses()
        page.feed(body)
        return page.found
    if "atom" in content_type:
        linked = re.findall(r'href="https://board\.example([^"]*)"', body)
        assert linked
        return set(linked)
    if content_type == "application/json":
        return {text for text in _texts(orjson.loads(body)) if text.startswith("/")}
    return set()


def _texts(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        for value in found.values():
            yield from _texts(value)
    elif isinstance(found, list):
        for value in found:
            yield from _texts(value)
    elif isinstance(found, str):
        yield found


async def test_every_address_that_the_site_names_leads_into_it(site: Site) -> None:
    """From the first page on, through pages, JSON, feeds and what scripts ask."""
    for name in ("First", "Second"):
        await add_listed_entry(site.gateway.database, name, {"cvs_acc": 0.5})
    await site.gateway.rank_listed()
    await site.gateway.submit(orjson.dumps(records()))
    waiting, seen = [f"{PREFIX}/", f"{PREFIX}/api/v1/leaderboards", f"{PREFIX}/admin"], set()
    wrong: list[str] = []
    while waiting:
        address = waiting.pop().partition("#")[0].replace("/ID", "/no-such-id")
        if address in seen:
            continue
        seen.add(address)
        async with site.client.get(address, allow_redirects=False) as answer:
            known = answer.headers.get("X-Request-ID")  # nginx itself gives none
            is_dead = answer.status == 404 and "no-such-id" not in address
            if not address.startswith(f"{PREFIX}/") or known is None or is_dead:
                wrong.append(f"{answer.status} {address}")
            if answer.status == 200 and "openapi" not in address:
                if answer.content_type not in ("text/event-stream", "image/png"):
                    waiting += addresses_of(answer.content_type, await answer.text())
            elif "Location" in answer.headers:
                waiting.append(answer.headers["Location"])
    assert wrong == []
    assert len(seen) > 60


async def test_the_client_and_its_links(site: Site) -> None:
    async with AsyncClient(site.url) as client:
        receipt = await client.submit(
            orjson.dumps(records()), model_name="Below a path", organization="Lab"
        )
        status = await client.status(receipt)
        assert isinstance(status, SubmissionStatus)
        assert receipt.status_url == f"{PREFIX}/api/v1/submissions/{receipt.id}"
        boards = (await client.boards()).boards
    assert status.entry is not None
    shown = io.StringIO()
    status_text.show(status, Console(file=shown, width=200), site.url)
    assert f"{site.url}/boards/community/entries/{status.entry.id}" in shown.getvalue()
    assert boards[0].url.startswith(f"{PREFIX}/api/v1/leaderboards/")
    async with site.client.get(f"{PREFIX}/api/v1/openapi.json") as answer:
        assert (await answer.json())["servers"] == [{"url": PREFIX}]
    async with site.client.get(f"{PREFIX}/api/v1/no-such") as answer:
        assert (await answer.json())["type"] == f"{PREFIX}/problems/not_found"


async def test_a_proxy_may_take_the_path_off(site: Site) -> None:
    """Probes never have it; a reader may leave out the last slash, a client name the host."""
    for path in ("/about", "/api/v1/leaderboards/community?scoring=strict", "/healthz", "/"):
        same = [path, PREFIX + path, *([PREFIX] if path == "/" else [])]
        answers = [await site.gateway.get(each) for each in same]
        assert {(status, body) for status, _, body in answers} == {(200, answers[0][2])}
    head = f"GET http://board.example{PREFIX}/healthz HTTP/1.1\r\nHost: board.example\r\n\r\n"
    answer = await exchange(int(site.gateway.url.rpartition(":")[2]), head.encode())
    assert answer.status == 200


async def test_the_cookie_of_an_administrator_stays_below_the_path(site: Site) -> None:
    """A __Host- cookie would go to all other sites of the host, too."""
    async with site.client.get(f"{PREFIX}/admin", headers=_SECURE) as answer:
        token = re.search(r'name="csrf" value="([0-9a-f]{64})"', await answer.text())
        assert token
        before = answer.headers["Set-Cookie"]
    form = {"csrf": token[1], "key": ADMIN}
    headers = _SECURE | {"Cookie": before.partition(";")[0]}
    async with site.client.post(
        f"{PREFIX}/admin/sign-in", data=form, headers=headers, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, f"{PREFIX}/admin")
        (cookie,) = (c for c in answer.headers.getall("Set-Cookie") if "medvid-admin=" in c)
    assert cookie.startswith("__Secure-medvid-admin=")
    assert f"Path={PREFIX}/admin" in cookie
    headers = {"Cookie": cookie.partition(";")[0]} | _SECURE
    async with site.client.get(f"{PREFIX}/admin", headers=headers) as answer:
        assert "Sign out" in await answer.text()
