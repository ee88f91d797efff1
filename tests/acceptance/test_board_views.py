"""Boards in every way they can be asked for: CSV, tracks, pages, the past, permalinks."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from services.gateway.boards.cursors import BoardCursor
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, row, running_gateway

BOARD = "/api/v1/leaderboards/community"


@pytest.fixture
async def gateway(database: Database) -> AsyncIterator[Gateway]:
    async with running_gateway(database, load=False, board_poll_seconds=0.02) as running:
        yield running


async def shown(gateway: Gateway, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return await gateway.shown("community", await gateway.rank("community", rows, hint=True))


async def read(gateway: Gateway, path: str, **headers: str) -> dict[str, Any]:
    status, _, body = await gateway.get(path, **headers)
    assert status == 200, body
    answer: dict[str, Any] = orjson.loads(body)
    return answer


def names(board: dict[str, Any]) -> list[str]:
    return [entry["model_name"] for entry in board["entries"]]


def models(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [row(rank, **changes) for rank in range(1, count + 1)]


async def test_a_board_reads_as_csv_by_name_by_query_and_by_accept(gateway: Gateway) -> None:
    board = await shown(gateway, [row(1, badges=["a", "b"]), row(2, values={"cvs_acc": None})])
    status, headers, table = await gateway.get(f"{BOARD}.csv")
    assert status == 200
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert headers["X-Total-Count"] == "2"
    assert headers["Content-Disposition"].endswith(f'-{board["snapshot"]}.csv"')
    first, second = csv.DictReader(io.StringIO(table.decode()))
    assert (first["rank"], first["model_name"], first["badges"]) == ("1", "Model 1", "a b")
    assert (first["cvs_acc"], second["cvs_acc"], second["nap_acc"]) == ("0.9", "", "")
    assert first["entry_id"] == board["entries"][0]["entry_id"]
    for same in (
        await gateway.get(f"{BOARD}?format=csv"),
        await gateway.get(BOARD, Accept="text/csv"),
        await gateway.get(BOARD, Accept="text/csv, application/json;q=0.9"),
    ):
        assert same[2] == table
        assert "Accept" in same[1]["Vary"]
    assert await read(gateway, f"{BOARD}.csv?format=json") == board
    assert await read(gateway, BOARD, Accept="application/json") == board


async def test_no_cell_of_a_csv_is_a_formula(gateway: Gateway) -> None:
    attack = '=HYPERLINK("http://x","y")'
    attacked = dict.fromkeys(("model_name", "organization", "team", "authors", "track"), attack)
    await shown(gateway, [row(1, **attacked, badges=[attack])])
    _, _, table = await gateway.get(f"{BOARD}.csv")
    (only,) = csv.DictReader(io.StringIO(table.decode()))
    for name in (*attacked, "badges"):
        assert only[name] == f"'{attack}"


async def test_a_track_narrows_the_board_and_keeps_its_ranks(gateway: Gateway) -> None:
    rows = [row(1, track="Open"), row(2, track="Größe & mehr"), row(3), row(4, track="Open")]
    await shown(gateway, rows)
    board = await read(gateway, f"{BOARD}?track=Open")
    assert [entry["rank"] for entry in board["entries"]] == [1, 4]
    assert (board["track"], board["total"]) == ("Open", 2)
    found = await read(gateway, f"{BOARD}?track={quote('Größe & mehr')}")
    assert names(found) == ["Model 2"]
    assert names(await read(gateway, f"{BOARD}?track=None")) == []
    index = await read(gateway, "/api/v1/leaderboards")
    (community,) = [
        each
        for each in index["boards"]
        if (each["board"], each["scoring"]) == ("community", "compat")
    ]
    assert community["tracks"] == [
        {"name": "Größe & mehr", "entries": 1},
        {"name": "Open", "entries": 2},
    ]
    assert community["entries"] == 4
    assert (await gateway.get(community["csv"]))[0] == 200
    assert (await gateway.get(community["permalink"]))[0] == 200


async def test_pages_stay_in_their_snapshot_while_the_board_changes(gateway: Gateway) -> None:
    before = await shown(gateway, models(7))
    first = await read(gateway, f"{BOARD}?limit=3")
    assert (names(first), first["total"]) == (names(before)[:3], 7)
    _, headers, _ = await gateway.get(f"{BOARD}?limit=3")
    assert headers["Link"] == f'<{first["next"]}>; rel="next"'
    await shown(gateway, [row(1, model_name="New on top"), *models(9)[1:]])
    seen, page = names(first), first
    while page["next"]:
        page = await read(gateway, page["next"])
        assert page["snapshot"] == before["snapshot"]
        seen += names(page)
    assert seen == names(before)
    assert names(await read(gateway, f"{BOARD}?limit=1")) == ["New on top"]


async def test_pages_of_a_track_as_csv(gateway: Gateway) -> None:
    await shown(gateway, models(5, track="Open"))
    address: str | None = f"{BOARD}.csv?track=Open&limit=2"
    ranks = []
    while address is not None:
        _, headers, table = await gateway.get(address)
        assert headers["Content-Type"].startswith("text/csv")
        ranks += [line["rank"] for line in csv.DictReader(io.StringIO(table.decode()))]
        link = headers.get("Link")
        address = link.partition(">")[0].removeprefix("<") if link else None
    assert ranks == ["1", "2", "3", "4", "5"]


WRONG = [
    ("limit=0", "invalid_query"),
    ("limit=1001", "invalid_query"),
    ("limit=x", "invalid_query"),
    ("scoring=fair", "invalid_query"),
    ("format=xml", "invalid_query"),
    ("sort=rank", "invalid_query"),
    ("limit=1&limit=2", "invalid_query"),
    ("as_of=yesterday", "invalid_query"),
    ("as_of=2026-02-30", "invalid_query"),
    ("as_of=2026-02-03T25:00", "invalid_query"),
    ("cursor=x", "invalid_cursor"),
    ("cursor=WzEsMSwxLDEsMV0", "invalid_cursor"),
]


async def test_a_wrong_query_is_refused(gateway: Gateway) -> None:
    for query, code in WRONG:
        status, _, body = await gateway.get(f"{BOARD}?{query}")
        assert (query, status, orjson.loads(body)["code"]) == (query, 400, code)


async def test_a_cursor_of_no_snapshot_or_of_another_board_is_refused(gateway: Gateway) -> None:
    await shown(gateway, models(3))
    page = await read(gateway, f"{BOARD}?limit=1")
    cursor = BoardCursor(99_999, 1, 1, None).text()
    for address in (page["next"].replace("community", "official"), f"{BOARD}?cursor={cursor}"):
        status, _, body = await gateway.get(address)
        assert (status, orjson.loads(body)["code"]) == (404, "snapshot_not_found")


async def test_the_board_of_any_past_moment(gateway: Gateway) -> None:
    days = [datetime(2026, 3, day, 12, tzinfo=UTC) for day in (1, 2, 3)]
    for count, day in enumerate(days, start=1):
        await shown(gateway, models(count))
        await gateway.database.pool.execute(
            "UPDATE snapshots SET created_at = $1 WHERE id = (SELECT max(id) FROM snapshots)", day
        )
    cases = {
        "2026-02-28": 0,
        "2026-03-01": 1,
        "2026-03-02T11:59:59Z": 1,
        "2026-03-02T12:00": 2,
        "2026-03-02T13:00:00%2B01:00": 2,
        "2026-03-02T13:00:00+01:00": 2,  # the plus arrives as a space
        "2026-03-02": 2,
        "2026-03-03T11:59:59.999999": 2,
        "2026-03-04": 3,
        (datetime.now(UTC) + timedelta(days=400)).date().isoformat(): 3,
    }
    for as_of, count in cases.items():
        board = await read(gateway, f"{BOARD}?as_of={as_of}")
        assert (as_of, len(board["entries"]), board["total"]) == (as_of, count, count)
        assert (board["snapshot"] is None) == (count == 0)
    assert names(await read(gateway, f"{BOARD}?as_of=2026-03-02&limit=1")) == ["Model 1"]


async def test_a_snapshot_stays_where_it_is(gateway: Gateway) -> None:
    before = await shown(gateway, models(2))
    await shown(gateway, models(3))
    status, headers, body = await gateway.get(before["permalink"])
    assert status == 200
    assert headers["Cache-Control"] == "public, max-age=3600", "errata come later"
    assert orjson.loads(body) == before
    assert await read(gateway, f"{BOARD}?as_of={before['snapshot']}") == before
    _, _, table = await gateway.get(f"{before['permalink']}?format=csv")
    assert table.count(b"\r\n") == 3
    again = await gateway.get(before["permalink"], If_None_Match=headers["ETag"])
    assert (again[0], again[2]) == (304, b"")
    other = before["permalink"].rpartition("/")[2]
    status, _, body = await gateway.get(f"/api/v1/leaderboards/official?as_of={other}")
    problem = orjson.loads(body)
    assert (status, problem["code"]) == (404, "snapshot_not_found")
    assert before["permalink"] in problem["fix"]


async def test_there_is_no_such_snapshot(gateway: Gateway) -> None:
    for number in ("0", "999999", "x", "-1", "1" * 30, "٣"):
        status, _, body = await gateway.get(f"/api/v1/snapshots/{number}")
        assert (status, orjson.loads(body)["code"]) == (404, "snapshot_not_found")


async def test_every_view_can_be_asked_for_again(gateway: Gateway) -> None:
    await shown(gateway, models(3, track="Open"))
    for path in (
        BOARD,
        f"{BOARD}.csv",
        f"{BOARD}?limit=1",
        f"{BOARD}?track=Open",
        f"{BOARD}?as_of=2020-01-01",
        "/api/v1/leaderboards",
        "/api/v1/openapi.json",
        "/docs",
        "/problems",
    ):
        status, headers, body = await gateway.get(path)
        assert status == 200
        again = await gateway.get(path, If_None_Match=headers["ETag"])
        assert (again[0], again[2], again[1]["ETag"]) == (304, b"", headers["ETag"])
        async with gateway.client.head(path) as response:
            assert response.status == 200
            assert response.headers["ETag"] == headers["ETag"]
            assert int(response.headers["Content-Length"]) <= len(body)
