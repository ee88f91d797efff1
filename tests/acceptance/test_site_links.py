"""What the site links to outside, the files that crawlers look for, and addresses people guess."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import fromstring

import orjson
import pytest

from shared.storage.database import Database
from tests.acceptance.fuzzing import exchange
from tests.acceptance.gateway_harness import (
    SAMPLES,
    Gateway,
    public_test_set,
    row,
    running_gateway,
)
from tests.acceptance.test_commands import Shell

LINKS: Final = {
    "paper": "https://arxiv.org/abs/2512.06581",
    "data": "https://huggingface.co/datasets/lab/bench",
    "code": "https://code.example/lab/bench",
    "contact": "mailto:board@lab.example",
}
SET: Final = {
    "paper_url": LINKS["paper"],
    "data_url": LINKS["data"],
    "code_url": LINKS["code"],
    "contact": "board@lab.example",
    "maintainers": "The Lab",
}
SITE: Final = "https://board.example/bench"
PAGES: Final = ("/", "/community", "/compare", "/about", "/submit", "/status", "/docs", "/nowhere")


@pytest.fixture
async def complete(database: Database, tmp_path: Path) -> AsyncIterator[Gateway]:
    file = tmp_path / "test_set.json"
    file.write_bytes(public_test_set())
    settings = {**SET, "public_url": SITE, "test_set": file, "registration": "closed"}
    async with running_gateway(database, **settings) as gateway:
        yield gateway


@pytest.fixture
async def silent(database: Database) -> AsyncIterator[Gateway]:
    async with running_gateway(database) as gateway:
        yield gateway


async def test_every_page_links_to_paper_data_code_and_contact(complete: Gateway) -> None:
    for path in PAGES:
        _, _, body = await complete.get(path)
        for label, address in zip(
            ("Paper", "Data", "Code", "Contact"), LINKS.values(), strict=True
        ):
            assert f'<a href="{address}">{label}</a>' in body.decode(), path
    for path in ("/submit", "/docs"):  # where the command is to be had, beside the footer
        _, _, body = await complete.get(path)
        assert f"""<a href="{LINKS["code"]}">benchmark's code</a>""" in body.decode()
    _, _, body = await complete.get("/submit")  # whole, also without scripts
    assert f">{SITE}/api/v1/submissions</span>" in body.decode()
    _, _, body = await complete.get("/api/v1/leaderboards")
    assert orjson.loads(body)["links"] == LINKS
    _, _, body = await complete.get("/api/v1/openapi.json")
    document = orjson.loads(body)
    assert document["info"]["contact"] == {"name": "The Lab", "email": "board@lab.example"}
    assert document["externalDocs"]["url"] == LINKS["paper"]


async def test_who_is_to_be_asked_can_be_reached(complete: Gateway, silent: Gateway) -> None:
    for gateway, expected in ((complete, " (board@lab.example)"), (silent, "")):
        async with gateway.client.post("/api/v1/keys", json={"name": "mine"}) as answer:
            problem = await answer.json()
        assert problem["fix"] == f"Ask the maintainers{expected} for one."


async def test_the_test_set_is_the_first_step(
    complete: Gateway, silent: Gateway, tmp_path: Path
) -> None:
    file = tmp_path / "got.json"
    done = await Shell(tmp_path, complete.url)("test-set", "-o", str(file))
    assert (done.status, LINKS["data"] in done.out) == (0, True), done.err
    assert len(orjson.loads(file.read_bytes())) == SAMPLES
    done = await Shell(tmp_path, silent.url)("test-set", "-o", str(file))
    assert (done.status, "Ask the maintainers for it." in done.err) == (1, True)
    _, _, body = await complete.get("/submit")
    assert '<a href="/bench/api/v1/test-set" download="test_set.json">' in body.decode()
    assert "medvid test-set" in body.decode()
    _, _, body = await silent.get("/submit")
    assert "Ask the maintainers for it." in body.decode()
    assert "/test-set" not in body.decode()


async def test_without_settings_nothing_is_linked_to(silent: Gateway) -> None:
    for path in PAGES:
        _, _, body = await silent.get(path)
        assert b'aria-label="The benchmark"' not in body
    _, _, body = await silent.get("/api/v1/leaderboards")
    assert set(orjson.loads(body)["links"].values()) == {None}
    _, _, body = await silent.get("/api/v1/openapi.json")
    assert "contact" not in orjson.loads(body)["info"]
    status, _, _ = await silent.get("/sitemap.xml")  # its addresses need a host
    assert status == 404


@pytest.mark.parametrize(
    ("guess", "meant"),
    [
        ("/official", "/"),
        ("/leaderboard?scoring=strict", "/?scoring=strict"),
        ("/community/", "/community"),
        ("/problems/", "/problems"),
        ("/boards/community/second-opinions/?q=a%20b", "/boards/community/second-opinions?q=a%20b"),
        ("/api/", "/docs"),
        ("/help", "/about"),
        ("/about/metrics/TAG_mIoU@0.3", "/about/metrics/tag_miou_03"),
        ("/rss", "/feed.atom"),
    ],
)
async def test_a_guess_leads_to_what_it_means(complete: Gateway, guess: str, meant: str) -> None:
    for prefix in ("", "/bench"):  # whether a proxy takes the prefix off or not
        status, headers, _ = await complete.get(prefix + guess)
        assert (status, headers["Location"]) == (301, f"/bench{meant}")
    status, _, _ = await complete.get(meant)
    assert status == 200


async def test_no_guess_leads_to_another_host_or_to_nothing(silent: Gateway) -> None:
    port = int(silent.url.rpartition(":")[2])
    for path, expected in (
        ("//evil.example/", b" 404 "),
        ("/%5Cevil.example/", b" 404 "),
        ("/%2f%2fevil.example/", b" 404 "),
        ("/nowhere/", b" 404 "),
        ("/api/v1/status/", b" 404 "),  # programs are not led on
        ("//community/", b" 301 "),
    ):
        asked = f"GET {path} HTTP/1.1\r\nHost: board.example\r\n\r\n"
        answer = await exchange(port, asked.encode())
        assert expected in answer.head.splitlines()[0], (path, answer.head)
        moved = [line for line in answer.head.splitlines() if line.startswith(b"Location")]
        assert moved == ([b"Location: /community"] if expected == b" 301 " else []), path


async def test_crawlers_find_what_they_look_for(complete: Gateway) -> None:
    entry = row(1)
    await complete.shown("official", await complete.rank("official", [entry], hint=False))
    _, headers, body = await complete.get("/robots.txt")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    lines = body.decode().splitlines()
    assert lines[-1] == f"Sitemap: {SITE}/sitemap.xml"
    assert "Disallow: /bench/admin" in lines
    _, _, body = await complete.get("/sitemap.xml")
    root = fromstring(body)  # noqa: S314 - the site's own
    places = [element.text or "" for element in root.iter() if element.tag.endswith("loc")]
    assert f"{SITE}/boards/official/entries/{entry['entry_id']}" in places
    assert all(place.startswith(f"{SITE}/") for place in places)
    for place in places[:8]:
        status, _, _ = await complete.get(place.removeprefix("https://board.example"))
        assert status in (200, 404) if "entries" in place else status == 200, place
    status, headers, icon = await complete.get("/favicon.ico")
    assert (status, headers["Content-Type"]) == (200, "image/x-icon")
    assert icon[:4] == b"\0\0\1\0"
    status, _, body = await complete.get("/favicon.ico", If_None_Match=headers["ETag"])
    assert (status, body) == (304, b"")
