"""The published test set: served to all, and what `medvid submit` checks a file against."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import orjson
import pytest_asyncio

from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, public_test_set, records, running_gateway
from tests.acceptance.test_commands import Shell

ADDRESS = "/api/v1/test-set"


@pytest_asyncio.fixture
async def gateway(database: Database, tmp_path: Path) -> AsyncIterator[Gateway]:
    file = tmp_path / "test_set.json.gz"
    file.write_bytes(gzip.compress(public_test_set()))
    async with running_gateway(database, test_set=file) as gateway:
        yield gateway


async def test_it_is_served_packed_cached_and_known_by_its_etag(gateway: Gateway) -> None:
    status, headers, body = await gateway.get(ADDRESS, Accept_Encoding="identity")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert orjson.loads(body) == orjson.loads(public_test_set())
    assert headers["Cache-Control"] == "public, max-age=86400"
    async with (
        aiohttp.ClientSession(gateway.url, auto_decompress=False) as raw,
        raw.get(ADDRESS, headers={"Accept-Encoding": "gzip"}) as packed,
    ):
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(await packed.read()) == body
        etag = packed.headers["ETag"]
    assert etag != headers["ETag"]
    for each in (etag, headers["ETag"]):
        encoding = "gzip" if each == etag else "identity"
        known = await gateway.get(ADDRESS, If_None_Match=each, Accept_Encoding=encoding)
        assert (known[0], known[2]) == (304, b"")


async def test_where_it_is_not_published_the_cure_is_said(database: Database) -> None:
    async with running_gateway(database) as gateway:
        status, _, body = await gateway.get(ADDRESS)
    problem = orjson.loads(body)
    assert (status, problem["code"]) == (404, "test_set_not_published")
    assert "POST /api/v1/validate" in problem["fix"]


async def test_a_file_is_checked_against_it_before_anything_is_sent(
    gateway: Gateway, tmp_path: Path
) -> None:
    medvid = Shell(tmp_path, gateway.url)
    sound, wrong = tmp_path / "sound.json", tmp_path / "wrong.json"
    sound.write_bytes(orjson.dumps(records()))
    wrong.write_bytes(orjson.dumps([{**each, "id": f"no{each['id']}"} for each in records()[1:]]))
    about = ("-m", f"model {uuid4()}", "-o", "Lab", "--no-wait")
    refused = await medvid("submit", str(wrong), *about)
    assert (refused.status, "unknown_id" in refused.err) == (1, True), refused.err
    assert "nothing was sent" in refused.err
    warned = await medvid("submit", str(sound), *about)
    assert (warned.status, warned.err.count("Warnings\n")) == (1, 1), warned.err
    assert "Nothing was submitted" in warned.err
    assert await _read(gateway) == []
    sent = await medvid("submit", str(sound), *about, "--yes")
    assert (sent.status, sent.err.count("Warnings\n")) == (0, 1), sent.err
    assert await _read(gateway) == ["submission"], "it was sent once, and to no dry run"
    dry = await medvid("submit", str(sound), "-m", "dry", "-o", "Lab", "--dry-run")
    assert dry.status == 0, dry.err
    assert "validation" in await _read(gateway)


async def _read(gateway: Gateway) -> list[str]:
    """Return what bodies the gateway read, as quotas count them."""
    rows = await gateway.database.pool.fetch("SELECT kind FROM quota_uses ORDER BY at, id")
    return [row["kind"] for row in rows]
