"""Boards over HTTP: current, cacheable, complete, escaped, without anybody's contact."""

from __future__ import annotations

import asyncio
import gzip
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from uuid import uuid4

import aiohttp
import orjson
import pytest
from multidict import CIMultiDictProxy

from medvid.benchmark.tasks import METRIC_KEYS, METRICS
from services.gateway.settings import GatewaySettings
from shared.contracts.messages import BoardRanked
from shared.messaging.bus import Outgoing
from shared.storage.database import Database
from tests.acceptance.gateway_harness import row, running_gateway

BOARD = "/api/v1/leaderboards/community"


async def test_an_empty_board_is_a_board(database: Database) -> None:
    async with running_gateway(database, load=False) as gateway:
        for board in ("official", "community"):
            status, headers, body = await gateway.get(f"/api/v1/leaderboards/{board}")
            answer = orjson.loads(body)
            assert status == 200
            assert (answer["entries"], answer["updated_at"], answer["revision"]) == ([], None, 0)
            assert "Last-Modified" not in headers
        for page in ("/", "/community", "/?scoring=strict"):
            status, _, body = await gateway.get(page)
            assert status == 200
            assert b"Nothing is ranked here yet" in body


async def test_a_board_tells_what_its_columns_mean(database: Database) -> None:
    async with running_gateway(database, load=False) as gateway:
        revision = await gateway.rank("community", [row(1, contact="me@example.org")], hint=False)
        board = await gateway.shown("community", revision)
    assert [column["key"] for column in board["columns"]] == list(METRIC_KEYS)
    assert board["columns"][0]["label"] == METRICS[0].label
    assert (board["columns"][-1]["min"], board["columns"][-1]["max"]) == (1, 5)
    assert {column["direction"] for column in board["columns"]} == {"higher"}
    assert "mean rank" in board["ranking_rule"]
    entry = board["entries"][0]
    assert entry["rank"] == 1
    assert entry["values"]["cvs_acc"] == 0.9
    assert "contact" not in str(board)


async def test_a_new_board_is_found_by_polling_and_by_hint(database: Database) -> None:
    async with running_gateway(database, load=False, board_poll_seconds=0.05) as gateway:
        revision = await gateway.rank("official", [row(1)], hint=False)
        assert len((await gateway.shown("official", revision))["entries"]) == 1
    async with running_gateway(database, load=False, board_poll_seconds=3600) as gateway:
        _, _, body = await gateway.get("/api/v1/leaderboards/official")
        assert len(orjson.loads(body)["entries"]) == 1  # from the start
        revision = await gateway.rank("official", [row(1), row(2)], hint=False)
        hint = Outgoing(uuid4(), BoardRanked.type, b"{}")
        await gateway.bus.publish([hint])
        assert len((await gateway.shown("official", revision))["entries"]) == 2


async def test_scorings_are_boards_of_their_own(database: Database) -> None:
    async with running_gateway(database, load=False) as gateway:
        await gateway.rank("community", [row(1), row(2)], hint=False)
        revision = await gateway.rank("community", [row(1)], scoring="strict", hint=False)
        strict = await gateway.shown("community", revision, scoring="strict")
        _, _, body = await gateway.get(BOARD)
        assert (len(strict["entries"]), len(orjson.loads(body)["entries"])) == (1, 2)
        status, _, body = await gateway.get(f"{BOARD}?scoring=lenient")
        assert (status, orjson.loads(body)["code"]) == (400, "invalid_query")
        status, headers, body = await gateway.get("/community?scoring=lenient")
        assert status == 400
        assert headers["Content-Type"].startswith("text/html")
        status, _, body = await gateway.get("/api/v1/leaderboards/secret")
        assert (status, orjson.loads(body)["code"]) == (404, "board_not_found")
        _, _, body = await gateway.get("/api/v1/leaderboards")
        index = {(each["board"], each["scoring"]): each for each in orjson.loads(body)["boards"]}
        assert index["community", "strict"]["entries"] == 1
        for each in index.values():
            assert (await gateway.get(each["url"]))[0] == 200
            assert (await gateway.get(each["page"]))[0] == 200


@pytest.mark.parametrize("path", [BOARD, "/community"])
async def test_conditional_reads(database: Database, path: str) -> None:
    async with running_gateway(database, load=False, board_poll_seconds=0.05) as gateway:
        await gateway.shown("community", await gateway.rank("community", [row(1)], hint=False))
        async with aiohttp.ClientSession(gateway.url, auto_decompress=False) as client:

            async def get(**headers: str) -> tuple[int, CIMultiDictProxy[str], bytes]:
                given = {name.replace("_", "-"): value for name, value in headers.items()}
                automatic = ["Accept-Encoding"]
                async with client.get(path, headers=given, skip_auto_headers=automatic) as answer:
                    return answer.status, answer.headers, await answer.read()

            _, plain, body = await get()
            _, packed, packed_body = await get(Accept_Encoding="br, gzip;q=0.5")
            assert "Content-Encoding" not in plain
            assert packed["Content-Encoding"] == "gzip"
            assert gzip.decompress(packed_body) == body
            assert plain["ETag"] != packed["ETag"]
            assert "Accept-Encoding" in plain["Vary"]
            assert plain["Cache-Control"].startswith("public")
            etag = plain["ETag"]
            for tags in (etag, f"W/{etag}", f'"other", {etag}', "*"):
                status, headers, nothing = await get(If_None_Match=tags)
                assert (status, nothing) == (304, b"")
                assert headers["ETag"] == etag
            assert (await get(If_None_Match=packed["ETag"]))[0] == 200
            modified = parsedate_to_datetime(plain["Last-Modified"])
            later = format_datetime(modified + timedelta(seconds=1), usegmt=True)
            earlier = format_datetime(modified - timedelta(seconds=1), usegmt=True)
            assert (await get(If_Modified_Since=later))[0] == 304
            assert (await get(If_Modified_Since=earlier))[0] == 200
            assert (await get(If_Modified_Since="nonsense"))[0] == 200
            assert (await get(If_Modified_Since=later, If_None_Match='"x"'))[0] == 200
            async with client.head(path) as head:
                assert head.status == 200
                assert head.headers["ETag"]
            revision = await gateway.rank("community", [row(1), row(2)], hint=False)
            await gateway.shown("community", revision)
            assert (await get(If_None_Match=etag))[0] == 200
        assert modified <= datetime.now(UTC)


async def test_pages_escape_everything(database: Database) -> None:
    script = '<script>alert("x")</script>'
    hostile = row(
        1,
        model_name=script,
        organization=f'"{script}',
        team=script,
        track=script,
        badges=[script],
        model_url="javascript:alert(1)",
    )
    async with running_gateway(database, load=False) as gateway:
        await gateway.shown("community", await gateway.rank("community", [hostile], hint=False))
        _, headers, body = await gateway.get("/community")
        _, _, error = await gateway.get("/%3Cscript%3Ealert(1)%3C/script%3E")
    page = body.decode()
    assert "<script>alert" not in page
    assert "javascript:" not in page
    assert page.count("&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;") >= 5
    assert b"<script>alert" not in error
    assert not re.search(r"<[^>]+ (style|on\w+)=", page)
    assert not re.search(r"<script(?! type=\"application/ld\+json\">)(?![^>]* src=)", page)
    policy = headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in policy


async def test_a_page_marks_medals_best_and_missing_in_words(database: Database) -> None:
    rows = [row(rank) for rank in range(1, 5)]
    rows[3]["values"] = {**rows[3]["values"], "cvs_acc": None}
    rows[0]["model_url"] = "https://example.org/model?a=1&b=2"
    async with running_gateway(database, load=False) as gateway:
        await gateway.shown("community", await gateway.rank("community", rows, hint=False))
        _, _, body = await gateway.get("/community")
        page = body.decode()
        for medal in ("Gold", "Silver", "Bronze"):
            assert page.count(f"{medal} medal") == 1
        assert page.count("(best)") == len(METRIC_KEYS)
        assert page.count("(second best)") == len(METRIC_KEYS)
        assert page.count(">n/a</td>") == 1
        assert 'href="https://example.org/model?a=1&amp;b=2" rel="noopener nofollow"' in page
        for metric in METRICS:
            assert metric.description in page
        linked = re.findall(r'(?:href|src)="(/[^"]*)"', page)
        entries = "/boards/community/entries/"  # these are rows of a snapshot alone
        for path in {link.replace("&amp;", "&") for link in linked if not link.startswith(entries)}:
            assert (await gateway.get(path))[0] == 200, path
        assets = [path for path in linked if path.startswith("/static/")]
        assert len(assets) >= 4
        for path in assets:
            _, headers, _ = await gateway.get(path)
            assert "immutable" in headers["Cache-Control"]


async def test_boards_stay_while_the_database_is_gone(database: Database) -> None:
    async with running_gateway(database, load=False, board_poll_seconds=0.01) as gateway:
        await gateway.shown("community", await gateway.rank("community", [row(1)], hint=False))
        await database.pool.close()
        for _ in range(5):
            await asyncio.sleep(0.01)
            status, _, body = await gateway.get(BOARD)
            assert status == 200
            assert len(orjson.loads(body)["entries"]) == 1


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in GatewaySettings.model_fields.values())
