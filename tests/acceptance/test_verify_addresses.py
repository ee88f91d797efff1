"""`medvid verify URL` asks a stranger's server: no key goes there, and nothing it says harms."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from aiohttp import web

from medvid.api import AsyncClient, LeaderboardError
from medvid.api.calls import get
from medvid.api.errors import Unintelligible, Unreachable
from medvid.api.retries import Retries
from medvid.api.transport import Timeouts, Transport
from medvid.cli.verify import trusted_keys
from tests.evidence import board_entry, publish
from tests.patience import HANG_SECONDS
from tests.preloaded import with_pipes

PATH: Final = "/api/v1/leaderboards/community/evidence"
TAR: Final = "application/x-tar"
KEY: Final = "mvb_a-key-that-nobody-else-may-see"
ARCHIVE: Final = publish([board_entry(1, {"cvs_acc": 0.8}, "A")]).archive()


class Stranger:
    """A server that answers as a test tells it to, and remembers what it was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[web.BaseRequest] = []

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request)
        mode = request.query.get("scoring", "archive")
        if mode in ("endless", "drip"):
            response = web.StreamResponse(headers={"Content-Type": TAR})
            await response.prepare(request)
            while True:
                await response.write(bytes(65_536 if mode == "endless" else 1))
                await asyncio.sleep(0.02 if mode == "drip" else 0)
        if mode == "moved":
            return web.Response(status=302, headers={"Location": "http://127.0.0.1:9/evidence"})
        if mode == "html":
            return web.Response(text="<h1>Sign in</h1>", content_type="text/html")
        if mode == "page":  # an archive's type, and none of its bytes
            return web.Response(body=b"<h1>Sign in</h1>", content_type=TAR)
        return web.Response(body=ARCHIVE, content_type=TAR)


@pytest.fixture
async def stranger() -> AsyncIterator[Stranger]:
    found = Stranger()
    runner = web.ServerRunner(web.Server(found.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = site.name
    yield found
    await runner.cleanup()


async def verified(address: str, home: Path) -> tuple[int | None, str]:
    """Run `medvid verify`, with a key of ours in the environment and in the configuration."""
    kept = home / ".config" / "medvid" / "config.toml"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(f'api_key = "{KEY}"\n')
    environment = {name: value for name, value in os.environ.items() if "MEDVID" not in name}
    given = {"HOME": str(home), "MEDVID_API_KEY": KEY, "COLUMNS": "200"}
    process = await with_pipes("medvid", "verify", address, env=environment | given)
    async with asyncio.timeout(HANG_SECONDS):
        out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return process.returncode, out.decode() + err.decode()


async def test_no_key_goes_to_a_stranger(stranger: Stranger, tmp_path: Path) -> None:
    status, said = await verified(stranger.url + PATH, tmp_path)
    assert (status, "nothing differs" in said) == (0, True), said
    status, said = await verified(f"{stranger.url}/bench{PATH}?snapshot=7", tmp_path)
    assert (status, "nothing differs" in said) == (0, True), said
    assert [str(each.rel_url) for each in stranger.asked] == [
        f"{PATH}?scoring=compat", f"/bench{PATH}?snapshot=7&scoring=compat",
    ]  # fmt: skip
    for request in stranger.asked:
        assert KEY not in str(request.headers)
        assert "Authorization" not in request.headers


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ("moved", 2, "sends its callers on to http://127.0.0.1:9/evidence"),
        ("html", 2, "answered 200 with a web page, not with data"),
        ("page", 1, "is no evidence: byte 0 begins no file"),
    ],
)
async def test_what_is_no_archive_is_named(
    stranger: Stranger, tmp_path: Path, answer: str, status: int, words: str
) -> None:
    found, said = await verified(f"{stranger.url}{PATH}?scoring={answer}", tmp_path)
    assert (found, words in said) == (status, True), said
    assert len(stranger.asked) == 1, "it was neither followed nor asked again"


@pytest.mark.parametrize(
    "address",
    [
        "http://[", "http://", "https:///evidence", "http://127.0.0.1:9/community",
        f"http://127.0.0.1:9{PATH}?snapshot=x", f"http://127.0.0.1:9{PATH}?snapshot=0",
        f"http://127.0.0.1:9{PATH}?snapshot={'9' * 5000}",
    ],
)  # fmt: skip
async def test_what_is_no_address_is_not_asked(tmp_path: Path, address: str) -> None:
    status, said = await verified(address, tmp_path)
    assert (status, "no address of evidence" in said) == (2, True), said


async def test_answers_without_end_are_given_up(stranger: Stranger) -> None:
    """By their size where they are fast, by their time where they are slow."""
    once, quick = Retries(attempts=1), Timeouts(download=0.2)
    endless = replace(get("/leaderboards/community/evidence", scoring="endless"), largest=1 << 20)
    transport = Transport(stranger.url, retries=once)
    with pytest.raises(Unintelligible, match="more than 1 MiB"):
        await transport.repeating(endless, lambda reply: reply.body)
    await transport.close()
    async with AsyncClient(stranger.url, key="", timeouts=quick, retries=once) as client:
        with pytest.raises(Unreachable, match="did not answer in time"):
            await client.evidence("community", scoring="drip")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff" * 500, b"[" * 100_000, b'{"keys":5}', b'{"keys":[{"public_key":"' + b'0"}]}'],
)
async def test_a_file_without_a_key_says_so(tmp_path: Path, content: bytes) -> None:
    kept = tmp_path / "keys.json"
    kept.write_bytes(content)
    with pytest.raises(LeaderboardError, match="holds no public key"):
        trusted_keys(kept)
    kept.unlink()
    kept.mkdir()
    with pytest.raises(LeaderboardError, match=f"Cannot read {kept}"):
        trusted_keys(kept)
