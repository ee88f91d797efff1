"""Connections that fail: why, in words; whether it passes by itself; whether it may cost."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress

import pytest

from medvid.judging.calls import CallFailed
from medvid.judging.connections import read_connection_failure
from medvid.judging.endpoint import OpenAiEndpoint, Sampling, open_client
from medvid.judging.prompt import Form
from services.judge.stub.server import MODEL, running_stub
from tests.patience import HANG_SECONDS


async def failure_of(url: str, seconds: float = HANG_SECONDS) -> CallFailed:
    client = open_client(api_key="sk-a-key-of-a-test", base_url=url, seconds=seconds)
    async with client:
        endpoint = OpenAiEndpoint(client, Sampling(MODEL, 100), seconds)
        assert not await endpoint.is_up()
        with pytest.raises(CallFailed) as caught:
            await endpoint.ask([{"role": "user", "content": "x"}], Form.JSON)
    return caught.value


@contextmanager
def silent_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that connecting to it times out."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        held = [socket.socket() for _ in range(4)]
        for one in held:
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
        for one in held:
            one.close()


@asynccontextmanager
async def port_that_hangs_up(*, after_request: bool) -> AsyncIterator[int]:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if after_request:
            await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_connection_never_made_costs_nothing() -> None:
    with silent_port() as port:
        failure = await failure_of(f"http://127.0.0.1:{port}/v1", seconds=1.5)
    assert (failure.kind, failure.maybe_billed) == ("failing", False)
    assert "no connection could be made in time" in failure.detail


async def test_a_closed_port_is_told() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    failure = await failure_of(f"http://127.0.0.1:{port}/v1")
    assert (failure.kind, failure.maybe_billed) == ("failing", False)
    assert "nothing listens" in failure.detail


async def test_tls_to_a_server_without_it_is_a_wrong_address() -> None:
    async with running_stub() as url:
        failure = await failure_of(url.replace("http:", "https:"))
    assert (failure.kind, failure.cause, failure.maybe_billed) == ("unusable", "address", False)
    assert "MEDVID_JUDGE_BASE_URL" in failure.detail
    assert "http:// instead of https://" in failure.detail


async def test_an_address_of_another_kind_is_told() -> None:
    failure = await failure_of("ftp://127.0.0.1/v1")
    assert (failure.kind, failure.cause) == ("unusable", "address")


async def test_a_call_that_was_sent_may_be_billed() -> None:
    async with port_that_hangs_up(after_request=True) as port:
        failure = await failure_of(f"http://127.0.0.1:{port}/v1")
    assert (failure.kind, failure.maybe_billed) == ("failing", True)


@asynccontextmanager
async def endless_answer(head: bytes, piece: bytes) -> AsyncIterator[tuple[int, list[int]]]:
    """A port whose answers never end, and how many bytes of them were sent."""
    sent = [0]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % head)
            while True:
                writer.write(piece)
                await writer.drain()
                sent[0] += len(piece)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], sent


@pytest.mark.parametrize("is_packed", [False, True])
async def test_an_answer_without_an_end_is_given_up_before_memory_is(*, is_packed: bool) -> None:
    """Also one that is small until it is unpacked."""
    piece = gzip.compress(bytes(10_000_000)) if is_packed else b" " * 65_536
    head = b"Content-Encoding: gzip\r\nConnection: close" if is_packed else b"Connection: close"
    async with endless_answer(head, piece) as (port, sent):
        failure = await failure_of(f"http://127.0.0.1:{port}/v1")
    assert (failure.kind, failure.maybe_billed) == ("failing", True)
    assert failure.detail == "the answer is larger than 8 MiB"
    assert sent[0] < 64 << 20


async def test_a_packed_answer_is_read() -> None:
    body = gzip.compress(b'{"error": {"message": "Incorrect API key provided"}}')
    head = b"HTTP/1.1 401 No\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, open_client(api_key="x", base_url=_url(server), seconds=9) as client:
        endpoint = OpenAiEndpoint(client, Sampling(MODEL, 100), 9)
        with pytest.raises(CallFailed, match="Incorrect API key provided") as caught:
            await endpoint.ask([{"role": "user", "content": "x"}], Form.JSON)
    assert (caught.value.kind, caught.value.cause) == ("unusable", "key")


def _url(server: asyncio.Server) -> str:
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


def chained(*errors: Exception) -> Exception:
    """Errors, each the cause of the one before."""
    for outer, inner in itertools.pairwise(errors):
        outer.__cause__ = inner
    return errors[0]


def certificate_error() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (chained(OSError("x"), socket.gaierror(-2, "Name or service not known")),
         "failing", "cannot be resolved (DNS: Name or service not known)"),
        (chained(OSError("x"), certificate_error()), "unusable", "self-signed certificate"),
        (chained(OSError("x"), OSError(113, "No route to host")), "failing", "unreachable"),
        (ExceptionGroup("all", [ConnectionRefusedError(111, "no")]), "failing", "nothing listens"),
    ],
)  # fmt: skip
def test_the_chain_of_causes_is_read(error: Exception, kind: str, text: str) -> None:
    failure = read_connection_failure(error, 30)
    assert (failure.kind, failure.maybe_billed) == (kind, False)
    assert text in failure.detail


def test_our_own_deadline_may_have_cost() -> None:
    failure = read_connection_failure(TimeoutError(), 30)
    assert (failure.kind, failure.maybe_billed) == ("failing", True)
    assert failure.detail == "no answer within 30 s"


def test_a_chain_that_bites_its_tail_ends() -> None:
    one, two = OSError("one"), OSError("two")
    one.__cause__, two.__cause__ = two, one
    assert read_connection_failure(one, 30).kind == "failing"
