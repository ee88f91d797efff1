"""Behind nginx and HAProxy, with the blocks of the operations page: uploads, streams, addresses."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
import orjson
import pytest

from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, records, row, running_gateway
from tests.acceptance.test_board_events import EVENTS, next_event
from tests.depth import deep
from tests.processes import free_port
from tests.proxy_servers import haproxy, nginx_before

PAGE: Final = Path(__file__).parents[2] / "docs" / "operations.md"
PROXIES: Final = ("nginx", "haproxy")
_GATEWAY: Final = "127.0.0.1:8080"
_BIND: Final = "bind :443 ssl crt /etc/haproxy/leaderboard.pem"
CLIENT: Final = "203.0.113.9"


def block(language: str) -> str:
    """Return the first block of the page in a language."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    assert _GATEWAY in found[1]
    return found[1]


@asynccontextmanager
async def behind(name: str, gateway: Gateway, folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """Run a proxy before a gateway; gives a client of the proxy."""
    async with proxy(name, gateway, folder) as port:
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", timeout=timeout) as client:
            yield client


@asynccontextmanager
async def proxy(name: str, gateway: Gateway, folder: Path) -> AsyncIterator[int]:
    if name == "nginx":
        locations = block(name).replace(_GATEWAY, "gateways")
        async with nginx_before([gateway.url], folder, locations=locations) as nginx:
            yield nginx.port
        return
    port = free_port()
    assert _BIND in block(name)
    config = block(name).replace(_BIND, f"bind 127.0.0.1:{port}")
    config = config.replace(_GATEWAY, gateway.url.removeprefix("http://"))
    async with haproxy(config, port, folder):
        yield port


@pytest.mark.parametrize("name", PROXIES)
async def test_streams_and_addresses_pass(database: Database, tmp_path: Path, name: str) -> None:
    """An event comes through while its stream goes on; a client's address is its own."""
    async with (
        running_gateway(database, load=False, trusted_proxies="127.0.0.0/8") as gateway,
        behind(name, gateway, tmp_path) as client,
    ):
        async with client.get(EVENTS) as stream:
            await next_event(stream)
            revision = await gateway.rank("community", [row(1)], hint=True)
            assert (await next_event(stream))["data"]["revision"] == revision
        async with client.get("/api/v1/quotas", headers={"X-Forwarded-For": CLIENT}) as answer:
            assert (await answer.json())["account"] == f"address:{CLIENT}"


@pytest.mark.parametrize("name", PROXIES)
@deep
async def test_uploads_of_60_mb_pass(database: Database, tmp_path: Path, name: str) -> None:
    """As large as a file may be, and one over the limit gets the gateway's own words."""
    file = orjson.dumps(records())
    async with running_gateway(database) as gateway, behind(name, gateway, tmp_path) as client:
        for size, status, code in ((60_000_000, 202, None), (68_500_000, 413, "upload_too_large")):
            form = aiohttp.FormData({"model_name": f"Large {size}", "organization": "Lab"})
            large = tmp_path / f"{size}.json"
            large.write_bytes(file.ljust(size))
            with large.open("rb") as opened:
                form.add_field("file", opened, filename="predictions.json")
                async with client.post("/api/v1/submissions", data=form) as answer:
                    found = json.loads(await answer.text())
            assert (answer.status, found.get("code")) == (status, code), found
