"""Attacks with values: whatever is in an address or a header, every request gets its answer."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from pathlib import Path

from shared.storage.database import Database
from tests.acceptance.fuzzing import ADMINISTRATION, Answer, exchange, faults, fuzzed
from tests.acceptance.gateway_harness import Gateway, row, running_gateway
from tests.depth import examples
from tests.proxy_servers import nginx_before

REQUESTS = examples(1_000)
ADMIN = "the-administrators-own-and-long-key"
_CLOSE = b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


async def with_board(gateway: Gateway) -> None:
    revision = await gateway.rank("community", [row(1), row(2)], hint=True)
    await gateway.shown("community", revision)


def port_of(gateway: Gateway) -> int:
    return int(gateway.url.rpartition(":")[2])


async def test_strange_requests_behind_nginx(database: Database, tmp_path: Path) -> None:
    """None is left without an answer, so nginx takes no gateway for down."""
    async with AsyncExitStack() as stack:
        gateways = [
            await stack.enter_async_context(running_gateway(database, load=False)) for _ in range(2)
        ]
        await with_board(gateways[0])
        urls = [gateway.url for gateway in gateways]
        nginx = await stack.enter_async_context(nginx_before(urls, tmp_path))
        found = await faults(nginx.port, fuzzed(1, REQUESTS))
        assert (found, nginx.errors(), nginx.retried()) == ([], "", [])


async def test_strange_requests_without_a_proxy(database: Database) -> None:
    """What nginx refuses by itself reaches a gateway here."""
    async with running_gateway(database, load=False) as gateway:
        await with_board(gateway)
        assert await faults(port_of(gateway), fuzzed(2, REQUESTS // 2)) == []


async def test_strange_requests_of_an_administrator(database: Database) -> None:
    async with running_gateway(database, load=False, admin_key=ADMIN) as gateway:
        await with_board(gateway)
        cookie = b"Cookie: " + await signed_in(port_of(gateway))
        requests = fuzzed(3, REQUESTS // 3, ADMINISTRATION, cookie)
        assert await faults(port_of(gateway), requests) == []


async def signed_in(port: int) -> bytes:
    """Sign in on the administrators' page; gives the cookie."""
    before = await exchange(port, b"GET /admin" + _CLOSE + b"\r\n")
    token = re.search(rb'name="csrf" value="([0-9a-f]{64})"', before.body)
    assert token
    form = b"csrf=" + token[1] + b"&key=" + ADMIN.encode()
    fields = b"Content-Type: application/x-www-form-urlencoded\r\nCookie: " + _cookie(before)
    fields += b"\r\nContent-Length: %d\r\n\r\n" % len(form)
    after = await exchange(port, b"POST /admin/sign-in" + _CLOSE + fields + form)
    assert after.status == 303
    return _cookie(after)


def _cookie(answer: Answer) -> bytes:
    found = re.search(rb"\r\nset-cookie: ([^;]+)", answer.head, re.IGNORECASE)
    assert found
    return found[1]


async def test_a_redirect_names_what_was_asked_for_and_nothing_more(database: Database) -> None:
    async with running_gateway(database, load=False) as gateway:
        asked = "/compare?models=a%0d%0aX:1&models=b%26board%3dofficial%23%00&models=%F0%9F%A9%BA"
        status, headers, _ = await gateway.get(asked)
        assert (status, headers["Location"]) == (
            303,
            "/compare?board=community&models=a%0D%0AX%3A1,b%26board%3Dofficial%23%00,%F0%9F%A9%BA",
        )
        assert "X" not in headers
        assert (await gateway.get(headers["Location"]))[0] == 200
