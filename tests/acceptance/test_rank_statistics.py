"""How firm ranks are, as everyone sees it: JSON, CSV, pages, the past, the stream."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import numpy as np
import orjson
import pytest

from medvid.benchmark.statistics.bootstrap import Estimate
from medvid.benchmark.statistics.comparisons import Score, compare
from medvid.benchmark.tasks import METRIC_KEYS
from medvid.benchmark.versions import STATISTICS_VERSION
from shared.contracts.messages import StatisticsComputed
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, running_gateway
from tests.measuring import METRIC, entry, measure, noisy
from tests.patience import HANG_SECONDS
from tests.rows import add_listed_entry

BOARD = "/api/v1/leaderboards/community"
SCORING = "?scoring=compat"
"""Asked for by the same address everywhere: each has its bytes a moment before or after others."""


@pytest.fixture
async def gateway(database: Database) -> AsyncIterator[Gateway]:
    async with running_gateway(database, load=False, board_poll_seconds=0.02) as running:
        yield running


async def board(gateway: Gateway, query: str = SCORING) -> dict[str, Any]:
    status, _, body = await gateway.get(BOARD + query)
    assert status == 200, body
    found: dict[str, Any] = orjson.loads(body)
    return found


async def measured(gateway: Gateway) -> dict[str, Any]:
    """Let the ranker make the statistics, and wait until they are served."""
    await measure(gateway.database)
    async with asyncio.timeout(HANG_SECONDS):
        while (found := await board(gateway))["entries"][0]["statistics"] is None:
            await asyncio.sleep(0.01)
    return found


async def test_a_board_tells_how_firm_its_order_is(gateway: Gateway) -> None:
    database = gateway.database
    ids = [await entry(database, name, noisy(0.5 + n / 100, n)) for n, name in enumerate("AB")]
    await add_listed_entry(database, "Imported", {METRIC: 0.9, "vs_llm": 3.5})
    await gateway.rank_listed()
    before = await board(gateway)
    status, headers, _ = await gateway.get(BOARD + SCORING)
    assert [row["statistics"] for row in before["entries"]] == [None] * 3
    _, permalink, _ = await gateway.get(before["permalink"])
    assert permalink["Cache-Control"] != "public, max-age=3600", "its statistics are still to come"

    now = await measured(gateway)
    assert now["snapshot"] == before["snapshot"]
    first, *others = now["entries"]
    assert (first["model_name"], first["statistics"]) == (
        "Imported",
        {"rank_low": 1, "rank_high": 1, "first_share": 1.0, "may_be_best": True},
    )
    for row in others:
        assert row["statistics"]["rank_low"] == 2
        assert row["statistics"]["rank_high"] == 3
        assert row["statistics"]["may_be_best"] is False
    assert first["series"] == {"vs_llm": "published", "rc_llm": None, "dvc_llm": None}
    assert set(now) == set(before)
    assert set(first) == set(before["entries"][0])
    status, _, _ = await gateway.get(BOARD + SCORING, If_None_Match=headers["ETag"])
    assert status == 200, "the statistics are a part of what is answered"
    status, late, _ = await gateway.get(BOARD + SCORING)
    assert late["ETag"] != headers["ETag"]
    _, permalink, body = await gateway.get(before["permalink"])
    assert permalink["Cache-Control"] == "public, max-age=3600"
    assert orjson.loads(body)["entries"] == now["entries"]

    _, _, text = await gateway.get(f"{BOARD}.csv")
    lines = list(csv.DictReader(io.StringIO(text.decode())))
    columns = list(lines[0])
    assert columns[:5] == ["rank", "rank_low", "rank_high", "first_share", "may_be_best"]
    facts = columns.index("not_ranked") + 1  # those of models end a line
    assert columns[facts - 3 : facts] == ["rc_llm_low", "rc_llm_high", "not_ranked"]
    assert [lines[0][key] for key in columns[:5]] == ["1", "1", "1", "1.0", "true"]
    assert (lines[0]["series"], lines[1]["series"]) == ("vs_llm=published", "")
    assert lines[0][f"{METRIC}_low"] == ""
    _, _, body = await gateway.get(f"{BOARD}/entries/{ids[1]}")
    interval = orjson.loads(body)["scores"][0]["intervals"]["compat"]
    told = next(line for line in lines if line["model_name"] == "B")
    ends = (told[f"{METRIC}_low"], told[f"{METRIC}_high"])
    assert ends == (str(interval["low"]), str(interval["high"]))

    _, _, page = await gateway.get("/community")
    assert len(re.findall(">2.3<", page.decode())) == 2
    assert "data-measured" in page.decode()


async def test_a_past_board_without_statistics_says_so(gateway: Gateway) -> None:
    await entry(gateway.database, "A", noisy(0.5, 1))
    await gateway.rank_listed()
    first = (await board(gateway))["snapshot"]
    await entry(gateway.database, "B", noisy(0.6, 2))
    await gateway.rank_listed()
    await measured(gateway)
    past = await board(gateway, f"?as_of={first}")
    assert [row["statistics"] for row in past["entries"]] == [None]
    assert past["snapshot"] == first


async def test_open_pages_hear_of_statistics(gateway: Gateway) -> None:
    await entry(gateway.database, "A", noisy(0.5, 1))
    await gateway.rank_listed()
    async with asyncio.timeout(HANG_SECONDS):
        async with gateway.client.get(f"{BOARD}/events") as stream:
            told = []
            async for line in stream.content:
                if line.startswith(b"data:"):
                    told.append(orjson.loads(line.removeprefix(b"data:"))["statistics"]["compat"])
                    if len(told) == 1:
                        await measure(gateway.database)
                if told and told[-1]:
                    break
    assert told[0] is False
    assert told[-1] is True


async def test_gateways_are_told_of_statistics(gateway: Gateway) -> None:
    """By a hint of their own: polling is for hints that are lost."""
    await entry(gateway.database, "A", noisy(0.5, 1))
    await gateway.rank_listed()
    await measure(gateway.database)
    rows = await gateway.database.pool.fetch("SELECT type FROM outbox")
    assert StatisticsComputed.type in {row["type"] for row in rows}


async def test_two_entries_are_compared_by_paired_draws(gateway: Gateway) -> None:
    database = gateway.database
    draws = {"A": noisy(0.5, 1), "B": noisy(0.5, 1)[:500] + noisy(0.6, 2)[:500]}
    a, b = [await entry(database, name, own) for name, own in draws.items()]
    imported = await add_listed_entry(database, "Imported", {METRIC: 0.123456})
    await gateway.rank_listed()
    await measured(gateway)
    status, _, body = await gateway.get(f"{BOARD}/comparisons?a={b}&b={a}")
    assert status == 200
    found = orjson.loads(body)
    values = {
        name: Score(round(float(np.mean(own)), 4), Estimate(np.array(own), 40))
        for name, own in draws.items()
    }
    expected = compare({METRIC: values["B"]}, {METRIC: values["A"]})[METRIC]
    version = await database.pool.fetchval("SELECT version FROM ground_truths")
    assert found == {
        "a": str(b),
        "b": str(a),
        "scoring": "compat",
        "ground_truth_version": version,
        "statistics_version": STATISTICS_VERSION,
        "metrics": {
            METRIC: {
                key: value if key == "few_videos" else round(value, 4)
                for key, value in asdict(expected).items()
            }
        },
        "not_compared": {},
        "minimum_detectable": {
            **dict.fromkeys(METRIC_KEYS),
            METRIC: round(2.8 * float(np.std(np.subtract(*draws.values()), ddof=1)), 4),
        },
    }
    _, _, page = await gateway.get("/about")
    assert f"{found['minimum_detectable'][METRIC]:.3f}." in page.decode()
    assert "What the official board can tell apart" not in page.decode()
    _, _, page = await gateway.get(f"/compare?board=community&models={a},{b}")
    assert f"{found['metrics'][METRIC]['p_holm']:.3f}" in page.decode()
    assert "B is ahead on 1 of 1 metrics" in page.decode()

    _, _, body = await gateway.get(f"{BOARD}/comparisons?a={imported}&b={a}")
    alone = orjson.loads(body)
    assert (alone["ground_truth_version"], alone["statistics_version"]) == (None, None)
    difference = round(0.1235 - values["A"].value, 4)
    nothing = dict.fromkeys(("se", "low", "high", "p", "p_holm", "few_videos"))
    assert alone["metrics"] == {METRIC: {"difference": difference, **nothing}}


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ("UPDATE scores SET strict = 0.1", True),
        ("UPDATE scores SET metric_version = 'x' WHERE entry_id = $1", False),
        ("UPDATE replicates SET interval = jsonb_set(interval, '{clusters}', '3')", None),
        ("UPDATE scores SET answered = 29 WHERE entry_id = $1", "withheld"),
    ],
)
async def test_what_cannot_be_paired_or_shown_is_not_compared(
    gateway: Gateway, change: str, left: object
) -> None:
    a, b = [await entry(gateway.database, name, noisy(0.5, n)) for n, name in enumerate("AB")]
    await gateway.database.pool.execute(change.replace("$1", f"'{a}'"))
    await gateway.rank_listed()
    _, _, body = await gateway.get(f"{BOARD}/comparisons?a={a}&b={b}")
    metrics = orjson.loads(body)["metrics"]
    if left == "withheld":
        assert metrics == {}
        return
    assert (metrics[METRIC]["se"] is not None) is (left is True)
    assert (metrics[METRIC]["p_holm"] is not None) is (left is True)


async def test_few_videos_decide_nothing_and_pages_say_what_that_means(gateway: Gateway) -> None:
    """However far apart: of 9 videos a nominal 95 % covers 89 % (docs/statistics.md)."""
    a, b = [
        await entry(gateway.database, name, noisy(0.2 + n / 2, n)) for n, name in enumerate("AB")
    ]
    await gateway.database.pool.execute(
        'UPDATE replicates SET interval = interval || \'{"clusters": 9, "few_videos": true}\''
    )
    await gateway.rank_listed()
    await measured(gateway)
    _, _, body = await gateway.get(f"{BOARD}/comparisons?a={b}&b={a}")
    found = orjson.loads(body)["metrics"][METRIC]
    assert (found["few_videos"], found["p_holm"]) == (True, 0.0)
    _, _, page = await gateway.get(f"/compare?board=community&models={a},{b}")
    text = page.decode()
    assert "few videos: not decided" in text
    assert ">beyond chance<" not in text
    assert "B is ahead on 1 of 1 metrics, none of them beyond chance. Few videos: 1 not" in text
    about = (await gateway.get("/about"))[2].decode()
    for shown in (text, about):
        assert "covers about 89 %" in shown
        assert "12 of 100 comparisons" in shown


async def test_entries_that_are_not_there_are_not_compared(gateway: Gateway) -> None:
    a = await entry(gateway.database, "A", noisy(0.5, 1))
    await gateway.rank_listed()
    for query, status in ((f"a={a}&b={uuid4()}", 404), (f"a={a}&b=x", 400), (f"a={a}", 400)):
        answer = await gateway.get(f"{BOARD}/comparisons?{query}")
        assert answer[0] == status, answer
