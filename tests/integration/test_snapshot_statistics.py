"""How firm a board's order is: a document beside each snapshot, written once."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import orjson

from medvid.benchmark.ranking import rank as ranked
from medvid.benchmark.statistics.ranks import rank_statistics
from services.ranker.measuring import OVERDUE
from shared.storage.database import Database
from tests.measuring import METRIC, entry, measure, noisy, rank
from tests.reaping import reap
from tests.rows import add_listed_entry, load_demo_ground_truth


async def changed(database: Database) -> None:
    await database.pool.execute("UPDATE boards SET revision = revision + 1")


async def documents(database: Database) -> dict[int, dict[str, Any]]:
    rows = await database.pool.fetch("SELECT * FROM snapshot_statistics ORDER BY snapshot_id")
    return {row["snapshot_id"]: orjson.loads(row["content"]) for row in rows}


async def test_the_newest_snapshots_get_their_statistics_once(database: Database) -> None:
    draws = {name: noisy(mean, n) for n, (name, mean) in enumerate((("A", 0.5), ("B", 0.52)))}
    ids = {name: await entry(database, name, found) for name, found in draws.items()}
    imported = await add_listed_entry(database, "Imported", {METRIC: 0.51, "vs_llm": 3.0})
    await rank(database)
    await asyncio.gather(measure(database), measure(database))
    await measure(database)
    found = await documents(database)
    compat, _ = await database.pool.fetch("SELECT id FROM snapshots ORDER BY id")
    values = [{"model_name": name, METRIC: float(np.mean(own))} for name, own in draws.items()]
    rows, _ = ranked([*values, {"model_name": "Imported", METRIC: 0.51, "vs_llm": 3.0}])
    expected = rank_statistics(
        rows, {n: {METRIC: np.array(own)} for n, own in enumerate(draws.values())}
    )
    order = [*ids.values(), imported]
    told = found[compat["id"]]["entries"]
    for row, own in zip(rows, expected, strict=True):
        low, high = np.percentile(draws[row.model_name], (2.5, 97.5)) if row.index < 2 else (0, 0)
        interval = {"low": round(low, 4), "high": round(high, 4)}
        if row.index < 2:
            interval["se"] = round(float(np.std(draws[row.model_name], ddof=1)), 4)
            interval |= {"clusters": 40, "undefined": 0, "few_videos": False}
        assert told[str(order[row.index])] == {
            "rank_low": own.rank_low,
            "rank_high": own.rank_high,
            "first_share": own.first_share,
            "may_be_best": own.may_be_best,
            "intervals": {METRIC: interval} if row.index < 2 else {},
        }
    difference = np.std(np.subtract(*draws.values()), ddof=1)
    assert found[compat["id"]]["minimum_detectable"][METRIC] == round(2.8 * float(difference), 4)
    types = [row["type"] for row in await database.pool.fetch("SELECT type FROM outbox")]
    assert types.count("statistics.computed") >= 1
    assert len(found) == 2


async def test_other_replicates_of_the_same_values_give_a_snapshot(
    database: Database,
) -> None:
    await entry(database, "A", [0.4, 0.6] * 500)
    one = await entry(database, "B", [0.5] * 1000)
    await rank(database)
    await changed(database)
    await rank(database)
    assert await database.pool.fetchval("SELECT count(*) FROM snapshots") == 2, "nothing new"
    await database.pool.execute("DELETE FROM replicates WHERE entry_id = $1", one)
    await measure(database)
    assert await documents(database) == {}, "of other replicates than the snapshot's"
    await changed(database)
    await rank(database)
    await measure(database)
    contents = await database.pool.fetch("SELECT id, content_sha256 FROM snapshots ORDER BY id")
    assert contents[0]["content_sha256"] == contents[2]["content_sha256"]
    assert list(await documents(database)) == [contents[2]["id"], contents[3]["id"]]


async def test_what_was_not_measured_is_announced_again(database: Database) -> None:
    await add_listed_entry(database, "Imported", {METRIC: 0.5})
    await rank(database)
    await database.pool.execute("DELETE FROM outbox")
    await reap(database, (OVERDUE,), 0)
    assert not await database.pool.fetch("SELECT FROM outbox"), "without replicates nothing is due"
    await entry(database, "A", [0.4, 0.6] * 500)
    await rank(database)
    await database.pool.execute("DELETE FROM outbox")
    for seconds, announced in ((3600, []), (0, ["board.ranked"])):
        await reap(database, (OVERDUE,), seconds)
        rows = await database.pool.fetch("SELECT type FROM outbox")
        assert [row["type"] for row in rows] == announced
    await measure(database)
    await database.pool.execute("DELETE FROM outbox")
    await reap(database, (OVERDUE,), 0)
    assert not await database.pool.fetch("SELECT FROM outbox")


async def test_a_judged_value_names_its_series(database: Database) -> None:
    one = await add_listed_entry(database, "One", {"vs_llm": 3.0, METRIC: 0.5})
    await add_listed_entry(database, "Two", {"vs_llm": 4.0})
    version = await load_demo_ground_truth(database)
    await database.pool.execute("INSERT INTO judge_versions VALUES ('abcdef01', '{}', false)")
    await database.pool.execute(
        "INSERT INTO scores (entry_id, metric, compat, strict, answered, expected,"
        " ground_truth_version, metric_version, file_sha256, judge_version)"
        " SELECT $1, metric, 3, 3, answered, 40, $2, '1', repeat('a', 64), 'abcdef01'"
        " FROM (VALUES ('rc_llm', 40), ('dvc_llm', 3)) AS few (metric, answered)",
        one,
        version,
    )
    await rank(database)
    content = await database.pool.fetchval("SELECT content FROM snapshots ORDER BY id LIMIT 1")
    series = {row["model_name"]: row["series"] for row in orjson.loads(content)}
    assert series == {
        "One": {"vs_llm": "published", "rc_llm": "abcdef01", "dvc_llm": None},
        "Two": {"vs_llm": "published", "rc_llm": None, "dvc_llm": None},
    }
