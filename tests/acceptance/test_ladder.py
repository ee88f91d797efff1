"""What evaluate-only answers to a key show, from the upload to the status, through the ranker."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np
import pytest

from medvid.api import AsyncClient, NotFound
from shared.storage.database import Database
from shared.storage.migrate import load_migrations
from tests.acceptance.gateway_harness import Gateway, owner, running_gateway, send
from tests.acceptance.test_evidence import medvid
from tests.acceptance.test_lifecycle_api import (
    ADMIN,
    FILE,
    ROOT,
    board,
    ranked,
    ranked_gateway,
    reaches,
    withdraw,
)
from tests.depth import deep
from tests.ranking import score
from tests.rows import add_replicates

METRIC: Final = "cvs_acc"


async def key(gateway: Gateway) -> dict[str, str]:
    status, made = await send(gateway, "POST", "/keys", {"label": "x", "owner": "y"}, **ROOT)
    assert status == 201, made
    return {"Authorization": f"Bearer {made['key']}"}


async def evaluated(
    gateway: Gateway, headers: dict[str, str], value: float, *, clusters: int = 40
) -> dict[str, Any]:
    """Send a file that turns out to have this value, and wait until it is ranked."""
    status, receipt = await gateway.submit(FILE, headers=headers, evaluate_only="true")
    assert status == 202, receipt
    entry_id = await gateway.database.pool.fetchval(
        "INSERT INTO scores (entry_id, metric, compat, strict, answered, expected,"
        " ground_truth_version, metric_version, file_sha256)"
        " SELECT entries.id, $2, $3, $3, 80, 80, ground_truths.version, '2', repeat('a', 64)"
        " FROM entries, ground_truths WHERE submission_id = $1 RETURNING entry_id",
        UUID(receipt["id"]), METRIC, value,
    )  # fmt: skip
    draws = np.random.default_rng(int(value * 1e6)).normal(value, 0.01, 1000).tolist()
    await add_replicates(gateway.database, entry_id, METRIC, draws, clusters=clusters)
    await score(gateway.database, receipt["id"], {})
    return {**await reaches(gateway, receipt, "ranked"), "receipt": receipt}


def shown(found: dict[str, Any]) -> tuple[float, float, bool]:
    """The value that its owner sees, to what it is rounded, and whether it repeats another."""
    compat, strict = found["hypothetical"]
    assert {**compat, "scoring": "", "ranked_at": ""} == {**strict, "scoring": "", "ranked_at": ""}
    return compat["values"][METRIC], compat["steps"][METRIC], METRIC in compat["repeats"]


async def test_answers_to_a_key_climb_a_ladder(database: Database) -> None:
    async with ranked_gateway(database, evaluate_only_per_day=50) as gateway:
        ours, theirs = await key(gateway), await key(gateway)
        assert shown(await evaluated(gateway, ours, 0.51234)) == (0.51, 0.01, False)
        close = await evaluated(gateway, ours, 0.52345)
        assert shown(close) == (0.51, 0.01, True), "chance explains it"
        best = await evaluated(gateway, ours, 0.81234)
        assert shown(best) == (0.8123, 0.0001, False), "it beats all by more than chance"
        assert shown(await evaluated(gateway, ours, 0.31234)) == (0.31, 0.01, False)
        again = await evaluated(gateway, ours, 0.80987)
        assert shown(again) == (0.8123, 0.0001, True)
        assert shown(await evaluated(gateway, ours, 0.95432, clusters=9)) == (0.95, 0.01, False)
        assert shown(await evaluated(gateway, theirs, 0.52345)) == (0.52, 0.01, False)

        # The owner takes the best one back: what it has shown is still shown.
        assert await withdraw(gateway, best["receipt"]) == (204, None)
        repeated = await evaluated(gateway, ours, 0.81111)
        assert shown(repeated) == (0.8123, 0.0001, True)

        # Ranked anew, each shows what it did.
        await ranked(gateway, "Another", 0.5)
        for found, value in ((close, 0.51), (again, 0.8123)):
            receipt = found["receipt"]
            status = await gateway.status(receipt["id"], receipt["owner_token"])
            assert shown(status)[0] == value
            assert "52345" not in json.dumps(status)
            assert "80987" not in json.dumps(status)
        assert await rungs(database) == {"ours": 4 * 2, "theirs": 1 * 2}


async def rungs(database: Database) -> dict[str, int]:
    """How many answers said something new, in both scorings."""
    counts = await database.pool.fetch(
        "SELECT count(*) FROM ladder_rungs GROUP BY key_id ORDER BY count(*) DESC"
    )
    return dict(zip(("ours", "theirs"), (row["count"] for row in counts), strict=True))


async def test_budgets_hold_over_several_gateways_at_once(database: Database) -> None:
    budgets: dict[str, Any] = {"admin_key": ADMIN, "evaluate_only_per_day": 50}
    async with (
        running_gateway(database, **budgets, evaluate_only_total=3) as one,
        running_gateway(database, **budgets, evaluate_only_total=3) as other,
    ):
        ours = await key(one)
        sent = await asyncio.gather(
            *(
                gateway.submit(FILE, headers=ours, evaluate_only="true")
                for gateway in (one, other) * 5
            )
        )
        assert sorted(status for status, _ in sent) == [202] * 3 + [429] * 7
        used = await database.pool.fetchval("SELECT evaluations FROM key_histories")
        assert used == await database.pool.fetchval("SELECT count(*) FROM evaluate_only_uses") == 3


async def test_a_key_has_few_evaluations_and_entries_disclose_them(database: Database) -> None:
    changes = {"evaluate_only_per_day": 2, "evaluate_only_total": 2}
    async with ranked_gateway(database, **changes) as gateway:
        body = {"label": "x", "owner": "y"}
        made = (await send(gateway, "POST", "/keys", body, **ROOT))[1]
        key = {"Authorization": f"Bearer {made['key']}"}
        sent = await asyncio.gather(
            *(gateway.submit(FILE, headers=key, evaluate_only="true") for _ in range(5))
        )
        assert sorted(status for status, _ in sent) == [202, 202, 429, 429, 429]
        assert {answer["code"] for status, answer in sent if status == 429} == {"evaluation_quota"}
        first = await ranked(gateway, "First", 0.5, headers=key)
        await withdraw(gateway, first)
        await ranked(gateway, "Second", 0.6, headers=key)
        row = (await board(gateway, "Second"))["entries"][0]
        assert row["sent_before"] == {"versions": 1, "evaluate_only": 2, "withdrawn": 1}
        _, details = await send(
            gateway, "GET", f"/leaderboards/community/entries/{row['entry_id']}"
        )
        assert details["sent_before"] == row["sent_before"]
        counted = await histories(database)
        await count_as_the_upgrade_does(database)
        assert await histories(database) == counted


async def histories(database: Database) -> tuple[Any, ...]:
    """What is counted of each key, and of each entry when it was sent."""
    keys = await database.pool.fetch("SELECT * FROM key_histories")
    entries = await database.pool.fetch(
        "SELECT id, versions_before, evaluations_before, withdrawals_before FROM entries"
    )
    return keys, sorted(entries)


async def count_as_the_upgrade_does(database: Database) -> None:
    """Forget the counts, and have those of a database of the version before filled in."""
    (migration,) = (each for each in load_migrations() if each.name == "ladder")
    begin = migration.sql.index("INSERT INTO key_histories")
    end = migration.sql.index("CREATE FUNCTION entries_count_before")
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("DELETE FROM key_histories")
        await connection.execute(
            "UPDATE entries SET versions_before = NULL, evaluations_before = NULL,"
            " withdrawals_before = NULL"
        )
        await connection.execute(migration.sql[begin:end])


@deep
async def test_the_terminal_shows_what_is_shown_and_what_left(
    database: Database, tmp_path: Path
) -> None:
    async with ranked_gateway(database) as gateway:
        ours = await key(gateway)
        await evaluated(gateway, ours, 0.51234)
        again = await evaluated(gateway, ours, 0.52345)
        receipt = again["receipt"]
        command = ("status", receipt["id"], "--token", receipt["owner_token"])
        status, out, err = await medvid(*command, home=tmp_path, url=gateway.url)
        assert status == 0, err
        (line,) = (line for line in out.splitlines() if line.startswith("CVS_acc"))
        assert line.split() == ["CVS_acc", "≈", "0.51", "0.01", "1", "≈", "0.51", "0.01", "1"]

        goes = await ranked(gateway, "Goes", 0.9)
        entry_id = (await board(gateway, "Goes"))["entries"][0]["entry_id"]
        path, note = f"/submissions/{goes['id']}/withdraw", {"note": "a mistake"}
        assert (await send(gateway, "POST", path, note, **owner(goes)))[0] == 204
        left = ("board", "community", "--withdrawn")
        status, out, err = await medvid(*left, home=tmp_path, url=gateway.url)
        assert (status, err) == (0, "")
        (row,) = (line for line in out.splitlines() if entry_id in line)
        assert "withdrawn by owner" in row
        assert "a mistake" in row
        status, out, _ = await medvid(*left, "--json", home=tmp_path, url=gateway.url)
        assert [each["successor"] for each in json.loads(out)] == [None]
        status, _, err = await medvid(*left, "--csv", home=tmp_path, url=gateway.url)
        assert (status, "--scoring and --json alone" in err) == (2, True)

        async with AsyncClient(gateway.url) as client:
            with pytest.raises(NotFound) as left:
                await client.entry("community", entry_id)
        kept = left.value.entry
        assert kept is not None
        assert (kept.state, kept.note, kept.successor) == ("withdrawn", "a mistake", None)
        for board_named in ((), ("--board", "community")):
            command = ("entry", entry_id, *board_named)
            status, _, err = await medvid(*command, home=tmp_path, url=gateway.url)
            assert (status, "was withdrawn on" in err) == (1, True), err
            assert "Goes (Lab): number 1 at best, 1 at last (compat)" in err
        status, out, _ = await medvid("entry", entry_id, "--json", home=tmp_path, url=gateway.url)
        found = json.loads(out)["error"]
        assert (found["code"], found["entry"]["state"]) == ("entry_gone", "withdrawn")
