"""What is read off boards, over HTTP: JSON, CSV, pages; kept by the state of the board."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import orjson
import pytest

from medvid.benchmark.tasks import METRIC_KEYS, Task
from services.gateway.pages.metric_pages import metric_guides
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, running_gateway
from tests.rows import add_listed_entry, load_demo_ground_truth

API = "/api/v1/leaderboards/community"


@pytest.fixture
async def gateway(database: Database) -> AsyncIterator[Gateway]:
    async with running_gateway(database, load=False, board_poll_seconds=0.02) as running:
        yield running


async def read(gateway: Gateway, path: str) -> dict[str, Any]:
    status, headers, body = await gateway.get(path)
    assert status == 200, body
    same, _, _ = await gateway.get(path, If_None_Match=headers["ETag"])
    assert same == 304
    answer: dict[str, Any] = orjson.loads(body)
    return answer


async def table(gateway: Gateway, path: str) -> list[dict[str, str]]:
    status, headers, body = await gateway.get(path, Accept="text/csv")
    assert (status, headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(io.StringIO(body.decode())))


async def text_of(gateway: Gateway, path: str) -> str:
    status, _, body = await gateway.get(path)
    assert status == 200, body
    return body.decode()


async def submitted(database: Database, name: str, day: str, nap: float) -> UUID:
    """An entry of one value, with what it is within two sources."""
    version = await load_demo_ground_truth(database)
    entry_id = await add_listed_entry(database, name, {"cvs_acc": 0.5})
    await database.pool.execute(
        "UPDATE entries SET submitted_on = $2::text::date WHERE id = $1", entry_id, day
    )
    parts = {
        "AVOS": {"compat": nap / 2, "strict": nap / 4, "answered": 40, "expected": 50},
        "CoPESD": {"compat": nap, "strict": None, "answered": 40, "expected": 50},
    }
    await database.pool.execute(
        "INSERT INTO scores (entry_id, metric, compat, strict, answered, expected, by_source,"
        " ground_truth_version, metric_version, file_sha256)"
        " VALUES ($1, 'nap_acc', $4, $5, 80, 100, $2::text::jsonb, $3, '1', repeat('a', 64))",
        entry_id, orjson.dumps(parts).decode(), version, nap, nap / 2,
    )  # fmt: skip
    return entry_id


async def test_the_best_values_over_time(gateway: Gateway) -> None:
    database = gateway.database
    assert "No model yet" in await text_of(gateway, "/boards/community/best-over-time")
    await submitted(database, "Second", "2026-02-01", 0.4)
    await submitted(database, "<First>", "2026-01-01", 0.25)
    await submitted(database, "Third and lower", "2026-03-01", 0.3)
    await gateway.rank_listed()
    found = await read(gateway, f"{API}/best-over-time")
    assert [each["metric"] for each in found["metrics"]] == list(METRIC_KEYS)
    steps = {each["metric"]: each["steps"] for each in found["metrics"]}
    assert [(step["submitted_on"], step["value"]) for step in steps["nap_acc"]] == [
        ("2026-01-01", 0.25), ("2026-02-01", 0.4),
    ]  # fmt: skip
    assert [step["model_name"] for step in steps["cvs_acc"]] == ["<First>"]
    strict = await read(gateway, f"{API}/best-over-time?scoring=strict")
    assert [step["value"] for step in strict["metrics"][1]["steps"]] == [0.125, 0.2]
    rows = await table(gateway, f"{API}/best-over-time")
    assert [row["value"] for row in rows if row["metric"] == "nap_acc"] == ["0.25", "0.4"]
    page = await text_of(gateway, "/boards/community/best-over-time")
    assert page.count('<svg class="plot"') == 2
    assert "&lt;First&gt;" in page
    assert "<First>" not in page
    await submitted(database, "Fourth", "2026-04-01", 0.9)
    await gateway.rank_listed()
    later = await read(gateway, f"{API}/best-over-time")
    assert [step["model_name"] for step in later["metrics"][1]["steps"]][-1] == "Fourth"
    assert "Fourth" in await text_of(gateway, "/boards/community/best-over-time")


async def test_the_leaders_of_a_task(gateway: Gateway) -> None:
    database, path = gateway.database, f"{API}/tasks/next_action"
    empty = await read(gateway, path)
    assert [each["leaders"] for each in empty["metrics"]] == [[]]
    await submitted(database, "Ours", "2026-01-01", 0.4)
    await submitted(database, "Best", "2026-02-01", 0.6)
    await gateway.rank_listed()
    found = await read(gateway, path)
    (metric,) = found["metrics"]
    assert (metric["column"]["key"], metric["models"]) == ("nap_acc", 2)
    assert [(top["rank"], top["model_name"], top["by_source"]) for top in metric["leaders"]] == [
        (1, "Best", {"AVOS": 0.3, "CoPESD": 0.6}), (2, "Ours", {"AVOS": 0.2, "CoPESD": 0.4}),
    ]  # fmt: skip
    assert [(top["source"], top["model_name"]) for top in metric["sources"]] == [
        ("AVOS", "Best"), ("CoPESD", "Best"),
    ]  # fmt: skip
    (strict,) = (await read(gateway, f"{path}?scoring=strict"))["metrics"]
    assert strict["leaders"][0]["by_source"] == {"AVOS": 0.15, "CoPESD": None}
    rows = await table(gateway, path)
    assert [(row["model_name"], row["AVOS"]) for row in rows] == [("Best", "0.3"), ("Ours", "0.2")]
    page = await text_of(gateway, "/boards/community/tasks/next_action")
    assert page.index("Best within") > page.index(">Best</a>")
    defined = metric_guides()["nap_acc"]
    assert defined.samples[0].prediction in html.unescape(page)
    assert 'href="/about/metrics/nap_acc"' in page
    everything = await text_of(gateway, "/boards/community/tasks")
    for task in Task:
        address = f"/boards/community/tasks/{task}"
        assert address in everything
        assert "<h1>" in await text_of(gateway, address)
    assert ">Best</a>" in everything


async def test_what_scores_cost(gateway: Gateway) -> None:
    database, page = gateway.database, "/boards/community/size-and-cost"
    assert "Nothing to draw" in await text_of(gateway, page)
    for name, nap, size in (
        ("Small", 0.3, 2e9),
        ("<Large>", 0.6, 72e9),
        ("Beaten", 0.2, 7e9),
        ("Nobody says", 0.9, None),
    ):
        entry_id = await add_listed_entry(database, name, {"nap_acc": nap})
        facts = {"parameters": int(size), "usd_per_sample": 0} if size else {}
        await database.pool.execute(
            "UPDATE entries SET facts = $2::text::jsonb WHERE id = $1",
            entry_id, orjson.dumps(facts).decode(),
        )  # fmt: skip
    await gateway.rank_listed()
    found = await read(gateway, f"{API}/size-and-cost?score=nap_acc")
    assert [(each["model_name"], each["fact"], each["on_front"]) for each in found["models"]] == [
        ("Small", 2e9, True), ("Beaten", 7e9, False), ("<Large>", 72e9, True),
    ]  # fmt: skip
    assert [each["model_name"] for each in found["unknown"]] == ["Nobody says"]
    by_rank = await read(gateway, f"{API}/size-and-cost")
    assert (by_rank["score"], by_rank["fact"], by_rank["better"]) == (
        "mean_rank", "parameters", "lower",
    )  # fmt: skip
    rows = await table(gateway, f"{API}/size-and-cost?score=nap_acc")
    assert [(row["parameters"], row["nap_acc"]) for row in rows] == [
        ("2000000000", "0.3"), ("7000000000", "0.2"), ("72000000000", "0.6"), ("", "0.9"),
    ]  # fmt: skip
    drawn = await text_of(gateway, f"{page}?score=nap_acc&fact=parameters")
    assert drawn.count("<circle ") == 3 + drawn.partition("<main")[0].count("<circle ")
    assert "&lt;Large&gt;: 0.600, 72 B" in drawn
    assert "Parameters unknown: 1 model" in drawn
    slow = await text_of(gateway, f"{page}?fact=seconds_per_sample")
    assert "Time of a sample: stated of none" in slow
    free = await text_of(gateway, f"{page}?fact=usd_per_sample")
    assert ">0 USD</text>" in free
    for wrong in ("?score=nap", "?fact=frames"):
        status, _, body = await gateway.get(f"{API}/size-and-cost{wrong}")
        assert (status, orjson.loads(body)["code"]) == (400, "invalid_query")
        assert (await gateway.get(f"{page}{wrong}"))[0] == 400


async def test_a_task_that_is_none_is_named(gateway: Gateway) -> None:
    status, _, body = await gateway.get(f"{API}/tasks/tag")
    problem = orjson.loads(body)
    assert (status, problem["code"]) == (404, "task_not_found")
    assert "tal, stg" in problem["fix"]
    assert (await gateway.get("/boards/community/tasks/tag"))[0] == 404


async def test_both_boards_with_the_rank_of_each(gateway: Gateway) -> None:
    assert "Nothing is ranked" in await text_of(gateway, "/both")
    database = gateway.database
    for name, board, nap in (
        ("Verified one", "official", 0.5),
        ("Ours", "community", 0.7),
        ("Theirs", "community", 0.3),
    ):
        await add_listed_entry(database, name, {"nap_acc": nap, "cvs_acc": 0.5}, board)
    await gateway.rank_listed("official")
    await gateway.rank_listed()

    def rows(page: str) -> list[tuple[str, bool, list[str]]]:
        """Names as they stand, whether verified, and the cells of the two ranks."""
        found = page.partition("<tbody>")[2].split("<tr>")[1:]
        return [
            (
                each.partition('dir="auto">')[2].partition("<")[0],
                "✓" in each,
                [cell.partition("<")[0] for cell in each.split('<td class="num">')[1:3]],
            )
            for each in found
        ]

    verified, ours = ("Verified one", True, ["1", ""]), ("Ours", False, ["", "1"])
    theirs = ("Theirs", False, ["", "2"])
    assert rows(await text_of(gateway, "/both")) == [verified, ours, theirs]
    # By a value they are mixed; each keeps the rank on its own board.
    assert rows(await text_of(gateway, "/both?sort=-nap_acc")) == [ours, verified, theirs]
    assert rows(await text_of(gateway, "/both?sort=nap_acc")) == [theirs, verified, ours]
    for no_order in ("mean_rank", "-rank"):
        assert rows(await text_of(gateway, f"/both?sort={no_order}")) == [verified, ours, theirs]
    page = await text_of(gateway, "/both?q=ours")
    assert rows(page) == [ours]
    assert "1 of 3 models" in page
    assert "No model matches" in await text_of(gateway, "/both?q=nobody")


async def test_models_of_either_board_are_compared(gateway: Gateway) -> None:
    database, ids = gateway.database, []
    assert "No model to compare" in await text_of(gateway, "/compare?board=both")
    for name, board, nap in (("Verified one", "official", 0.5), ("Ours", "community", 0.75)):
        ids.append(await add_listed_entry(database, name, {"nap_acc": nap}, board))
        await gateway.rank_listed(board)
    page = await text_of(gateway, f"/compare?board=both&models={ids[0]},{ids[1]}")
    for entry_id, board in zip(ids, ("official", "community"), strict=True):
        assert f'href="/boards/{board}/entries/{entry_id}"' in page
        assert f'<td class="num">1 <span class="ends">{board}</span></td>' in page
        assert f"\u00b7 {board} board</span></li>" in page  # one model may be on both
    assert "+0.250" in page
    by_itself = await text_of(gateway, "/compare?board=both")
    assert all(f"<li>{name}" in by_itself or name in by_itself for name in ("Verified one", "Ours"))
    alone = await text_of(gateway, f"/compare?board=official&models={ids[0]},{ids[1]}")
    assert "1 of the models in this address is not on this board" in alone
    assert (await gateway.get("/compare?board=all"))[0] == 404
