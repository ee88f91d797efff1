"""Attacks with connections: slow, idle, broken ones cost us little and others nothing."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from typing import Any

import orjson
import pytest
import pytest_asyncio

from shared.storage.database import connect
from tests.acceptance.gateway_harness import Gateway, new_database, records, running_gateway
from tests.conftest import Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOARD = b"/api/v1/leaderboards/official"
READ = b"GET " + BOARD + b" HTTP/1.1\r\nHost: x\r\n"
FORM = b"Content-Type: multipart/form-data; boundary=B\r\n"
SUBMIT = b"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\n" + FORM
PATIENCE_SECONDS = 20
SOON_SECONDS = 9
"""Deadlines of the gateway under test are a second; its usual ones are longer than this."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database_url(servers: Servers) -> str:
    return await new_database(servers)


@asynccontextmanager
async def attacked(database_url: str, **changes: Any) -> AsyncIterator[Gateway]:
    async with (
        connect(database_url, size=5, application_name="test") as database,
        running_gateway(database, **changes) as gateway,
    ):
        yield gateway
        await serves(gateway)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(database_url: str) -> AsyncIterator[Gateway]:
    limits = {"head_seconds": 1, "idle_seconds": 1, "upload_idle_seconds": 0.5}
    async with attacked(database_url, **limits, upload_seconds=1) as gateway:
        yield gateway


async def serves(gateway: Gateway) -> None:
    """Others are served, a new connection included, and not slowly."""
    begun = time.monotonic()
    answer = await raw(gateway, READ + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - begun < SOON_SECONDS


def address(gateway: Gateway) -> tuple[str, int]:
    host, port = gateway.url.removeprefix("http://").split(":")
    return host, int(port)


async def raw(gateway: Gateway, *pieces: bytes, pause: float = 0) -> bytes:
    """Send bytes as they are and return all that comes until the server closes."""
    reader, writer = await asyncio.open_connection(*address(gateway))
    came = bytearray()

    async def receive() -> bytes:
        while piece := await reader.read(1 << 16):  # all at once would be lost with a reset
            came.extend(piece)
        return bytes(came)

    received = asyncio.create_task(receive())
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            for piece in pieces:
                if received.done():
                    break
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
            return await received
    except ConnectionError:
        return bytes(came)
    finally:
        received.cancel()
        writer.transport.abort()


def status_of(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    assert found, answer[:100]
    return int(found[1])


def drip(data: bytes) -> list[bytes]:
    return [data[n : n + 1] for n in range(len(data))]


@pytest.mark.parametrize(
    "begin",
    [b"", READ, READ + b"X: " + b"a" * 500, b"GET " + BOARD, SUBMIT],
    ids=["silence", "no end of the head", "a long field", "half a line", "an upload's head"],
)
async def test_a_head_that_does_not_come_is_given_up(gateway: Gateway, begin: bytes) -> None:
    begun = time.monotonic()
    assert await raw(gateway, begin) == b""
    assert time.monotonic() - begun < SOON_SECONDS


async def test_a_head_that_drips_is_given_up(gateway: Gateway) -> None:
    begun = time.monotonic()
    await raw(gateway, *drip(READ * 20), pause=0.01)
    assert time.monotonic() - begun < SOON_SECONDS
    await serves(gateway)


async def test_a_second_head_that_drips_is_given_up_too(gateway: Gateway) -> None:
    begun = time.monotonic()
    answer = await raw(gateway, READ + b"\r\n", *drip(READ * 20), pause=0.01)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert time.monotonic() - begun < SOON_SECONDS


async def test_bodies_that_stop_or_drip_are_given_up(gateway: Gateway) -> None:
    """All at once, as each takes the deadlines' time."""
    part = b'--B\r\nContent-Disposition: form-data; name="model_name"\r\n\r\n'
    known, chunked = b"Content-Length: 100000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
    begun = time.monotonic()
    stops, stops_chunked, cut_off, drips, never = await asyncio.gather(
        raw(gateway, SUBMIT + known, b"--B\r\n"),
        raw(gateway, SUBMIT + chunked, b"5\r\n--B\r\n\r\n"),
        raw(gateway, SUBMIT + chunked + b"5\r\n--B"),
        raw(gateway, SUBMIT + known + part, *drip(b"a" * 500), pause=0.02),
        raw(gateway, READ + known),
    )
    assert status_of(stops) == status_of(drips) == status_of(stops_chunked) == 408
    assert status_of(cut_off) in (400, 408)
    assert status_of(never) == 200  # a read needs no body
    assert time.monotonic() - begun < 8
    await serves(gateway)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (READ + b"X: " + b"a" * 100_000 + b"\r\n\r\n", 431),
        (READ + b"".join(b"X%d: a\r\n" % n for n in range(5_000)) + b"\r\n", 400),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (READ + b"A" * 100_000 + b": a\r\n\r\n", 431),
    ],
    ids=["a giant value", "5,000 fields", "a giant address", "a giant name"],
)
async def test_a_giant_head_is_refused(gateway: Gateway, head: bytes, status: int) -> None:
    answer = await raw(gateway, head)
    assert status_of(answer) == status
    code = b"head_too_long" if status == 431 else b"bad_request"
    assert code in answer or b"<!doctype html>" in answer.lower()


@pytest.mark.parametrize(
    "body",
    [
        b"ffffffffffffffffffff\r\n",
        b"-1\r\n",
        b"zz\r\n--B\r\n",
        b"5\r\n--B\r\nX\r\n0\r\n\r\n",
    ],
    ids=["a giant chunk", "less than nothing", "no number", "a wrong end"],
)
async def test_broken_chunks_are_refused_or_given_up(gateway: Gateway, body: bytes) -> None:
    answer = await raw(gateway, SUBMIT + b"Transfer-Encoding: chunked\r\n\r\n" + body)
    assert status_of(answer) in (400, 408)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"\x00" * 1_000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"\r\n" * 2_000 + b"nonsense\r\n\r\n",
        READ + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        READ + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["TLS", "zeros", "HTTP/2", "two spaces", "lines", "two lengths", "smuggling"],
)
async def test_garbage_is_refused_at_first_and_behind_a_request(
    gateway: Gateway, garbage: bytes
) -> None:
    alone = await raw(gateway, garbage)
    assert not alone or 400 <= status_of(alone) < 500
    behind = await raw(gateway, READ + b"\r\n" + garbage)
    assert behind.count(b"HTTP/1.1 200 ") <= 1  # none where both came at once
    assert not re.search(rb"HTTP/1\.. 5", behind)


async def test_many_requests_at_once_are_answered_in_order(gateway: Gateway) -> None:
    answer = await raw(gateway, (READ + b"\r\n") * 200 + READ + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 ") == 201


async def test_a_reader_that_never_reads_holds_up_nobody(gateway: Gateway) -> None:
    with closing(socket.create_connection(address(gateway))) as greedy:
        greedy.setblocking(False)
        loop = asyncio.get_running_loop()
        sending = asyncio.create_task(loop.sock_sendall(greedy, (READ + b"\r\n") * 20_000))
        await asyncio.wait({sending}, timeout=0.5)
        await serves(gateway)
        sending.cancel()


async def test_half_closed_and_aborted_connections_leave_nothing(gateway: Gateway) -> None:
    before = len(asyncio.all_tasks())
    writers = []
    file = orjson.dumps(records())
    for sent in (READ + b"\r\n", SUBMIT + b"Content-Length: 9999\r\n\r\n--B", file):
        for abort in (True, False):
            _, writer = await asyncio.open_connection(*address(gateway))
            writer.write(sent)
            writer.write_eof()
            writers.append(writer)
            if abort:
                writer.transport.abort()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(asyncio.all_tasks()) > before:
            await asyncio.sleep(0.02)
    for writer in writers:
        writer.transport.abort()


async def test_a_thousand_idle_connections_hold_up_nobody(database_url: str) -> None:
    async with attacked(database_url, connections=800) as gateway, AsyncExitStack() as stack:
        opened = []
        for number in range(1_000):
            reader, writer = await asyncio.open_connection(*address(gateway))
            stack.callback(lambda writer=writer: writer.transport.abort())
            if number % 2:
                writer.write(READ)  # half of them begin a request
            opened.append(reader)
        await serves(gateway)
        # The longest idle ones had to go, the others are there yet.
        assert await asyncio.wait_for(opened[0].read(), PATIENCE_SECONDS) == b""
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(opened[-1].read(), 0.05)
        begun = time.monotonic()
        for _ in range(20):
            await serves(gateway)
        assert time.monotonic() - begun < PATIENCE_SECONDS
