"""The typed client's parts that know no network: events, retries, forms, errors, answers."""

from __future__ import annotations

import asyncio
import email.utils
import inspect
import os
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from medvid.api import (
    AsyncClient,
    Client,
    Conflict,
    Leaderboard,
    LimitReached,
    Refused,
    Retries,
    ServerFailed,
    Unintelligible,
    Unreachable,
    credentials,
)
from medvid.api.calls import ServerReply, read, retry_after
from medvid.api.errors import LeaderboardError
from medvid.api.retries import LASTING_CODES
from medvid.api.sse import ServerSentEvent, messages
from medvid.api.uploads import MultipartForm, UnreadableFile
from medvid.models.problem_codes import PROBLEM_CODES
from services.gateway.web.multipart import FormDataParser, PartBegins, PartData, boundary_of

STREAM = (
    ": ping\r\n\r\nid: 1\r\nevent: submission\r\ndata: {}\r\n\r\n"
    "data: two\ndata:  lines\n\n"
    "event: empty, so dropped\r\rid: 9\rdata: ä\r\r"
    "data: cut off"
).encode()
MESSAGES = [
    ServerSentEvent("1", "submission", "{}"),
    ServerSentEvent("1", "message", "two\n lines"),
    ServerSentEvent("9", "message", "ä"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_events_are_the_same_however_the_bytes_arrive(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in pairwise(bounds)]

    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def collect() -> list[ServerSentEvent]:
        return [message async for message in messages(arriving())]

    assert asyncio.run(collect()) == MESSAGES


def refused(status: int, code: str = "x", **headers: str) -> LeaderboardError:
    body = b'{"status": %d, "code": "%s", "detail": "D.", "fix": "F."}' % (status, code.encode())
    with pytest.raises(LeaderboardError) as raised:
        read(ServerReply(status, {k.replace("_", "-"): v for k, v in headers.items()}, body), Any)
    return raised.value


class Any(BaseModel):
    """Never made."""


def test_retries_wait_longer_each_time_up_to_a_limit() -> None:
    retries = Retries(attempts=9, first_wait=1, longest_wait=5)
    lost = Unreachable("lost")
    assert [retries.wait(lost, n, lambda: 1.0) for n in (1, 2, 3, 4)] == [1, 2, 4, 5]
    assert retries.wait(lost, 3, lambda: 0.25) == 1
    assert retries.wait(lost, 9, lambda: 1.0) is None


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (refused(503), True),
        (refused(429), True),
        (refused(408), True),
        (refused(503, "judge_not_configured"), False),
        (refused(500), False),
        (refused(409), False),
        (refused(422), False),
        (Unintelligible("what?"), False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: LeaderboardError, again: bool) -> None:
    assert (Retries().wait(error, 1, lambda: 1.0) is not None) is again


def test_the_codes_that_the_client_knows_are_the_servers() -> None:
    assert PROBLEM_CODES.keys() >= credentials.CODES | LASTING_CODES


def test_what_the_server_asks_for_is_waited_for_unless_it_is_long() -> None:
    assert Retries().wait(refused(429, retry_after="7"), 1, lambda: 0.0) == 7
    assert Retries().wait(refused(429, retry_after="3600"), 1, lambda: 0.0) is None


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("120") == 120
    assert retry_after(email.utils.formatdate(1_000_030, usegmt=True), now=1_000_000) == 30
    assert retry_after(email.utils.formatdate(5, usegmt=True), now=1_000_000) == 0
    assert retry_after("soon") is None
    assert retry_after(None) is None


def test_refusals_are_typed() -> None:
    assert isinstance(refused(409), Conflict)
    assert isinstance(refused(503), ServerFailed)
    limited = refused(429, retry_after="7")
    assert isinstance(limited, LimitReached)
    assert (limited.retry_after, limited.code, str(limited)) == (7, "x", "D. F.")
    assert type(refused(418)).__mro__[1] is Refused


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"message": "no"}', b"\xff"])
def test_what_is_not_this_api_is_told_as_such(body: bytes) -> None:
    for status in (200, 404, 500):
        with pytest.raises(Unintelligible, match="Check the address"):
            read(ServerReply(status, {}, body), Leaderboard)


def test_a_form_is_what_the_server_reads_and_as_long_as_it_says(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(bytes(range(256)) * 5_000)
    told: list[tuple[int, int]] = []
    form = MultipartForm({"model_name": "ä\r\n--b"}, file, lambda *sent: told.append(sent))
    length, body = asyncio.run(collected(form))
    assert len(body) == length
    assert told[-1] == (len(body), len(body))
    assert len(told) > 3
    parser = FormDataParser(boundary_of(form.content_type))
    events = list(parser.feed(body))
    parser.finish()
    assert [e.name for e in events if isinstance(e, PartBegins)] == ["model_name", "file"]
    data = b"".join(e.data for e in events if isinstance(e, PartData))
    assert data == "ä\r\n--b".encode() + file.read_bytes()


async def collected(form: MultipartForm) -> tuple[int, bytes]:
    async with form.body() as (length, chunks):
        return length, b"".join([chunk async for chunk in chunks])


def test_a_form_that_nobody_reads_to_its_end_leaves_no_open_file(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x" * 1_000_000)

    async def begin() -> None:
        async with MultipartForm({}, file).body() as (_, chunks):
            kept.append(chunks)
            await anext(chunks)
            await anext(chunks)

    kept: list[object] = []
    asyncio.run(begin())
    is_open = [os.path.realpath(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd")]
    assert str(file.resolve()) not in is_open


def test_a_file_that_changes_while_it_is_sent_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x" * 1000)
    form = MultipartForm({}, file)

    async def send(change: bytes) -> None:
        async with form.body() as (_, chunks):
            file.write_bytes(change)
            async for _chunk in chunks:
                pass

    for change in (b"x" * 10, b"x" * 2000):
        file.write_bytes(b"x" * 1000)
        with pytest.raises(UnreadableFile, match="changed"):
            asyncio.run(send(change))


def test_both_clients_show_each_call_as_it_is_written() -> None:
    with Client("http://127.0.0.1:1") as plain:
        for name in ("submit", "status", "watch", "verdicts"):
            ours = getattr(AsyncClient("http://127.0.0.1:1"), name)
            assert inspect.signature(getattr(plain, name)) == inspect.signature(ours)
            assert "transport" not in inspect.signature(ours).parameters
            assert ours.__doc__
