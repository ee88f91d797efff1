"""The test set that a server publishes: fetched once, kept by its ETag, never believed unread."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console

from medvid.api import Client, Unintelligible
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.unpacking import LARGEST_PUBLIC_FILE
from medvid.cli.published_test_set import published_samples
from medvid.cli.session import Session

RECORDS = [{"id": "v&&1&&2&&1.0", "qa_type": "tal", "question": "When?"}]
SOUND = orjson.dumps(RECORDS)
BOMB = gzip.compress(b" " * (LARGEST_PUBLIC_FILE + 1), compresslevel=1)


class Publisher:
    """A server with one answer, which notes which ETags it was asked with."""

    def __init__(self) -> None:
        self.body, self.status, self.headers = SOUND, 200, {"ETag": '"one"'}
        self.asked: list[str | None] = []

    async def answer(self, request: web.Request) -> web.Response:
        tag = request.headers.get("If-None-Match")
        self.asked.append(tag)
        if tag is not None and tag == self.headers.get("ETag"):
            return web.Response(status=304, headers={"ETag": tag})
        return web.Response(body=self.body, status=self.status, headers=self.headers)


class Site:
    """The publisher, and what the command line makes of it."""

    def __init__(self, publisher: Publisher, url: str, cache: Path) -> None:
        self.publisher, self.url, self.cache = publisher, url, cache

    async def samples(self) -> TestSet | None:
        def ask() -> TestSet | None:
            with Client(self.url) as client:
                return published_samples(Session(client, self.url, Console()))

        return await asyncio.to_thread(ask)

    @property
    def kept(self) -> list[Path]:
        return list((self.cache / "medvid").glob("*"))


@pytest_asyncio.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    publisher, app = Publisher(), web.Application()
    app.router.add_get("/api/v1/test-set", publisher.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        yield Site(publisher, str(server.make_url("")).rstrip("/"), tmp_path)


async def test_it_is_fetched_once_and_again_when_it_changed(site: Site) -> None:
    first = await site.samples()
    assert first is not None
    assert [item.question for item in first.items] == ["When?"]
    assert await site.samples() == first
    site.publisher.headers = {"ETag": '"two"'}
    site.publisher.body = orjson.dumps([*RECORDS, {**RECORDS[0], "question": "Where?"}])
    changed = await site.samples()
    assert changed is not None
    assert len(changed) == 2
    assert await site.samples() == changed
    assert site.publisher.asked == [None, '"one"', '"one"', '"two"']
    assert len(site.kept) == 1
    assert site.kept[0].stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "damaged",
    [b"", b'"one"', b'"one"\n[{"id": 1', b'"one"\n', b"\xff\n[]", b"\n" + SOUND, b"x" * 100_000],
)
async def test_a_kept_file_that_is_damaged_is_fetched_again(site: Site, damaged: bytes) -> None:
    found = await site.samples()
    site.kept[0].write_bytes(damaged)
    assert await site.samples() == found
    assert site.publisher.asked == [None, None]
    assert site.kept[0].read_bytes() == b'"one"\n' + SOUND


@pytest.mark.parametrize("etag", [None, "x" * 300, '"\u00e9"'])
async def test_without_an_etag_that_can_be_sent_nothing_is_kept(
    site: Site, etag: str | None
) -> None:
    site.publisher.headers = {"ETag": etag} if etag else {}
    assert await site.samples() is not None
    assert site.kept == []


async def test_a_folder_that_cannot_be_written_does_no_harm(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.cache / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(site.cache / "file"))
    assert await site.samples() is not None


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<html>", {}),
        (b"[]", {}),
        (b"\xff\xfe", {}),
        (b"[" * 100_000, {}),
        (orjson.dumps([{"id": "v", "qa_type": "no task"}]), {}),
        (BOMB, {"Content-Encoding": "gzip"}),
    ],
    ids=["html", "empty", "no text", "deep", "no task", "bomb"],
)
async def test_what_is_no_test_set_is_an_error_and_not_kept(
    site: Site, body: bytes, headers: dict[str, str]
) -> None:
    site.publisher.body, site.publisher.headers = body, {"ETag": '"bad"', **headers}
    with pytest.raises(Unintelligible) as raised:
        await site.samples()
    assert raised.value.fix
    assert site.kept == []


@pytest.mark.parametrize("code", ["test_set_not_published", "not_found"])
async def test_a_server_may_publish_none(site: Site, code: str) -> None:
    problem = {"type": f"/problems/{code}", "title": "t", "status": 404, "detail": "d",
               "code": code, "fix": "f", "request_id": "r"}  # fmt: skip
    site.publisher.status, site.publisher.headers = 404, {}
    site.publisher.body = orjson.dumps(problem)
    assert await site.samples() is None
