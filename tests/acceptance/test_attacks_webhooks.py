"""Attacks through webhooks: nothing inside our network is reached, whatever a name resolves to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp.abc
import orjson
import pytest

from services.gateway.webhooks.sender import HttpSender
from shared.storage.database import Database
from tests.acceptance.gateway_harness import records, running_gateway

FILE = orjson.dumps(records())


class Names(aiohttp.abc.AbstractResolver):
    """A name server in the attacker's hands; gives one list of addresses after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        addresses = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            aiohttp.abc.ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else family or socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


class Inside:
    """A server of our own network, which must hear nothing."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.port = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append(await reader.read(100))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def inside() -> AsyncIterator[Inside]:
    server = Inside()
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server


async def attempt(url: str, *answers: list[str], **changes: Any) -> tuple[str | None, Names]:
    names = Names(*answers)
    options = {"private_networks": False, "seconds": 2.0, **changes}
    async with HttpSender(resolver=names, **options) as sender:
        outcome = await sender.send(url, b"{}", {})
    return outcome.error, names


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"],
)
async def test_a_name_that_leads_inside_is_not_followed(address: str) -> None:
    async with inside() as server:
        error, _ = await attempt(f"http://evil.example:{server.port}/", [address])
        assert error == "the name leads to an address inside a network."
        assert server.heard == []


async def test_a_name_with_an_address_inside_among_others_reaches_none_inside() -> None:
    async with inside() as server:
        error, _ = await attempt(
            f"http://evil.example:{server.port}/", ["127.0.0.1", "169.254.169.254", "127.0.0.2"]
        )
        assert error is not None
        assert server.heard == []


async def test_a_name_is_asked_for_once_so_that_it_cannot_change_its_mind() -> None:
    """DNS rebinding: the first answer would pass a check, the second leads inside."""
    async with inside() as server:
        url = f"http://evil.example:{server.port}/"
        error, names = await attempt(url, ["192.0.2.1"], ["127.0.0.1"], seconds=0.3)
        assert error is not None
        assert names.asked == 1
        assert server.heard == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "127.0.0.1.",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
    ],
)
async def test_no_spelling_of_an_address_inside_is_called(host: str) -> None:
    async with inside() as server:
        async with HttpSender(private_networks=False, seconds=2) as sender:
            outcome = await sender.send(f"http://{host}:{server.port}/", b"{}", {})
        assert outcome.status is None
        assert outcome.error
        assert server.heard == []


async def test_a_redirect_to_the_inside_is_not_followed() -> None:
    async with inside() as server:

        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            where = f"http://127.0.0.1:{server.port}/"
            answer = f"HTTP/1.1 307 x\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n"
            writer.write(answer.encode())
            await writer.drain()
            writer.close()

        listening = await asyncio.start_server(redirect, "127.0.0.1", 0)
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            error, _ = await attempt(
                f"http://evil.example:{port}/", ["127.0.0.1"], private_networks=True
            )
        assert error == "the answer was 307."
        assert server.heard == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with inside() as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.port}")
        error, _ = await attempt("http://evil.example/", ["127.0.0.1"])
        assert error == "the name leads to an address inside a network."
        assert server.heard == []


async def test_reasons_do_not_map_our_network() -> None:
    """An open port, a closed one and a host that is not there are told alike."""
    async with inside() as server:
        told = {
            (await attempt(f"http://evil.example:{port}/", [address]))[0]
            for port, address in ((server.port, "127.0.0.1"), (1025, "127.0.0.1"), (80, "10.9.9.9"))
        }
    assert told == {"the name leads to an address inside a network."}


REFUSED = {
    "http://127.0.0.1:8080/": "forbidden_address",
    "http://[::ffff:169.254.169.254]/": "forbidden_address",
    "http://localhost:5432/": "forbidden_address",
    "http://example.org:22/": "forbidden_port",
    "gopher://example.org/": "invalid_url",
    "http://example.org@127.0.0.1/": "invalid_url",
}


async def test_an_address_inside_is_refused_with_the_upload(database: Database) -> None:
    async with running_gateway(database) as gateway:
        for url, code in REFUSED.items():
            status, problem = await gateway.submit(FILE, webhook_url=url)
            assert status == 422
            found = [(item["location"], item["path"], item["code"]) for item in problem["errors"]]
            assert found == [("form", "$.webhook_url", code)], url
        assert await database.pool.fetchval("SELECT count(*) FROM webhooks") == 0
