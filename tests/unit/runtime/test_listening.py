"""Listening at every address serves both kinds; where there is no IPv6, the other one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from shared.runtime.listening import EVERYWHERE, close_door, host_and_port, open_door, serve_at


@asynccontextmanager
async def listening(host: str) -> AsyncIterator[int]:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    try:
        await serve_at(runner, open_door(host, 0))
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def reached(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


async def test_every_address_is_of_both_kinds() -> None:
    async with listening(EVERYWHERE) as port:
        assert await reached("127.0.0.1", port)
        assert await reached("::1", port)
    async with listening("127.0.0.1") as port:
        assert not await reached("::1", port)


async def test_without_ipv6_it_is_the_other_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    async with listening(EVERYWHERE) as port:
        assert await reached("127.0.0.1", port)


async def test_a_port_that_is_taken_is_an_error() -> None:
    async with listening(EVERYWHERE) as port:
        for host in (EVERYWHERE, "localhost"):
            with pytest.raises(OSError, match="in use"):
                open_door(host, port)


def test_a_door_is_open_before_it_is_served() -> None:
    """So two that start at once never take the same port."""
    door = open_door("127.0.0.1", 0)
    port = door[0].getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)), pytest.raises(OSError, match="in use"):
        open_door("127.0.0.1", port)
    close_door(door)
    close_door(open_door("127.0.0.1", port))


def test_a_name_is_all_of_its_addresses() -> None:
    door = open_door("localhost", 0)
    hosts = {each.getsockname()[0] for each in door}
    close_door(door)
    assert "127.0.0.1" in hosts
    assert hosts <= {"127.0.0.1", "::1"}


def test_ipv6_addresses_are_in_brackets() -> None:
    assert host_and_port("::1", 80) == "[::1]:80"
    assert host_and_port("127.0.0.1", 80) == "127.0.0.1:80"
