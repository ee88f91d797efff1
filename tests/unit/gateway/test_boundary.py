"""No error leaves the boundary as it is: also one of an answer that cannot be written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson
import pytest
from aiohttp import ClientSession, web
from structlog.testing import capture_logs

from medvid.models.problems import ProblemDetails
from services.gateway.web.endpoints import Handle
from services.gateway.web.middleware import boundary
from services.gateway.web.server import Runner


async def begun_and_broken(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"half")
    raise ValueError("no more")


def with_header(value: str) -> Handle:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="x", headers={"Location": value})

    return answer


@asynccontextmanager
async def serving(handle: Handle) -> AsyncIterator[ClientSession]:
    def error_page(problem: ProblemDetails) -> str:
        return f"page: {problem.code} {problem.request_id}"

    def around(_: Handle) -> Handle:
        return boundary(handle, error_page)

    runner = Runner(
        web.Application(), around, lingering_seconds=1, drain_seconds=1, error_page=error_page
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
            yield client
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("value", ["/a\r\nX: 1", "a\nb", "a\0b", "\x7f"])
async def test_a_header_that_cannot_be_written_is_told_and_logged(value: str) -> None:
    async with serving(with_header(value)) as client:
        with capture_logs() as logs:
            async with client.get("/api/some%0d%0aplace?secret=1", allow_redirects=False) as answer:
                problem = await answer.json(content_type="application/problem+json")
        assert (answer.status, problem["code"]) == (500, "internal")
        assert "Location" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        [line] = [line for line in logs if line["event"] == "request_failed"]
        assert line["request_id"] == problem["request_id"] == answer.headers["X-Request-ID"]
        assert (line["method"], line["path"]) == ("GET", "/api/some%0D%0Aplace")
        async with client.get("/page", allow_redirects=False) as answer:
            assert (await answer.text()).startswith("page: internal ")


async def test_an_answer_that_was_begun_ends_with_its_connection() -> None:
    """A second head in the midst of a body would be taken for a part of it."""
    async with serving(begun_and_broken) as client, client.get("/") as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


@pytest.mark.parametrize(
    ("head", "status", "is_page"),
    [
        (b"GET /about HTTP/1.1\r\nHost: x\r\nCookie: " + b"c" * 9_000, 431, True),
        (b"GET /about?" + b"q" * 9_000, 431, True),
        (b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\nX-Long: " + b"c" * 9_000, 431, False),
        (b"GET /about HTTP/1.1\r\nHost: x\r\nno header\r\n\r\n", 400, True),
        (b"BREW /about HTTP/1.1\r\n\r\n", 400, False),
        (b"nonsense\r\n\r\n", 400, False),
    ],
)
async def test_a_head_that_is_none_gets_an_answer_that_its_sender_reads(
    head: bytes, status: int, is_page: bool
) -> None:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(text="fine")

    async with serving(handle) as client:
        async with client.get("/about") as first:
            port = first.url.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        # First a request like any other: what is remembered of it is not the next one's.
        writer.write(b"GET /about HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"fine" in await reader.readuntil(b"fine")
        for piece in (head[:100], head[100:]):
            writer.write(piece)
            await writer.drain()
        answer = await reader.read()
        writer.close()
    begin, _, body = answer.partition(b"\r\n\r\n")
    assert int(begin.split()[1]) == status
    code = b"head_too_long" if status == 431 else b"bad_request"
    assert code == (body.split()[1] if is_page else orjson.loads(body)["code"].encode())
    assert (b"text/html" in begin) == is_page
    assert b"X-Content-Type-Options: nosniff" in begin
