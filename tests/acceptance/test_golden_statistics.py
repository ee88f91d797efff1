"""The golden files on a live server: intervals, ranks and comparisons are those of the library.

What the library computes equals the golden values (tests/golden/test_statistics.py). A server
differs in the draws alone: its version of the truth, which decides them, is the hash of the file.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from medvid.benchmark.disclosure import rounded
from medvid.benchmark.ranking import rank
from medvid.benchmark.statistics.comparisons import Score, compare
from medvid.benchmark.statistics.intervals import interval
from medvid.benchmark.statistics.ranks import rank_statistics
from medvid.benchmark.tasks import METRIC_KEYS, SCORINGS, Scoring
from services.operate.ground_truth import store_ground_truth
from shared.storage.database import Database
from tests.depth import deep
from tests.golden_files import DATA, content, replicates, truth, values
from tests.patience import HANG_SECONDS
from tests.standalone import standalone

FILES = ("strong", "weak", "hostile")
BOARD = "/api/v1/leaderboards/community"


@deep
async def test_a_server_says_what_the_library_computes(
    postgres_url: str, database: Database, tmp_path: Path
) -> None:
    await store_ground_truth(database, (DATA / "ground_truth.json.gz").read_bytes(), "truth")
    given = {
        "scorer_processes": 2,
        "judge_provider": "stub",
        "judge_automatic": True,
        "judge_concurrency": 32,
    }
    async with (
        asyncio.timeout(10 * HANG_SECONDS),
        standalone(postgres_url, tmp_path, **given) as http,
    ):
        receipts = []
        for file in FILES:
            form = aiohttp.FormData({"model_name": file, "organization": "A lab"})
            form.add_field("file", content(file), filename=f"{file}.json.gz")
            async with http.post("/api/v1/submissions", data=form) as response:
                assert response.status == 202, await response.text()
                receipts.append(await response.json())
        for receipt in receipts:
            await judged(http, receipt)
        for scoring in SCORINGS:
            board = await settled(http, scoring)
            assert ranks_of(board) == expected_ranks(board, scoring)
        entries = {row["model_name"]: row for row in board["entries"]}
        for file in FILES:
            await check_intervals(http, file, f"{BOARD}/entries/{entries[file]['entry_id']}")
        for one, other in (("strong", "weak"), ("strong", "hostile"), ("weak", "hostile")):
            await check_comparison(http, entries[one], entries[other])


async def read(http: aiohttp.ClientSession, url: str, **query: str) -> dict[str, Any]:
    async with http.get(url, params=query) as response:
        found: dict[str, Any] = await response.json()
        assert response.status == 200, found
        return found


async def judged(http: aiohttp.ClientSession, receipt: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {receipt['owner_token']}"}
    while True:
        async with http.get(receipt["status_url"], headers=headers) as response:
            status = await response.json()
        assert status["state"] in ("accepted", "scored", "ranked"), status
        if status["judging"]["result"] is not None:
            return
        await asyncio.sleep(0.1)


async def settled(http: aiohttp.ClientSession, scoring: Scoring) -> dict[str, Any]:
    """Return the board once the judged values are in it and it has its statistics."""
    while True:
        board = await read(http, BOARD, scoring=scoring)
        judged = any(row["values"]["dvc_llm"] is not None for row in board["entries"])
        if len(board["entries"]) == len(FILES) and judged and board["no_statistics"] is None:
            return board
        await asyncio.sleep(0.1)


def ranks_of(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {key: row[key] for key in ("model_name", "rank", "mean_rank")} | row["statistics"]
        for row in board["entries"]
    ]


def expected_ranks(board: dict[str, Any], scoring: Scoring) -> list[dict[str, Any]]:
    """Rank what is shown: a value of too few answers counts as missing."""
    shown = {row["model_name"]: row["values"] for row in board["entries"]}
    ranked, _ = rank(
        [
            {"model_name": file}
            | {
                metric: value if shown[file][metric] is not None else None
                for metric, value in values(file, scoring).items()
            }
            for file in FILES
        ]
    )
    own = {
        index: {
            metric: replicates(file, truth().version)[metric, scoring].whole.replicates
            for metric in METRIC_KEYS
            if shown[file][metric] is not None
        }
        for index, file in enumerate(FILES)
    }
    return [
        {
            "model_name": row.model_name,
            "rank": row.rank,
            "mean_rank": pytest.approx(row.mean_rank, abs=1e-4),
            **asdict(each),
        }
        for row, each in zip(ranked, rank_statistics(ranked, own), strict=True)
    ]


async def check_intervals(http: aiohttp.ClientSession, file: str, url: str) -> None:
    """Hold every interval, whole and by source, against the library's, at the decimals shown."""
    details = await read(http, url)
    checked = 0
    for score in details["scores"]:
        metric = score["metric"]
        for scoring, shown in score["intervals"].items():
            if score[scoring] is None:
                continue
            expected = replicates(file, truth().version)[metric, scoring]
            assert shown == as_shown(interval(expected.whole)), (metric, scoring)
            checked += 1
            for source, part in score["by_source"].items():
                if part["withheld"] is None and part[scoring] is not None:
                    found = part["intervals"][scoring]
                    assert found == as_shown(interval(expected.by_source[source])), source
                    checked += 1
    assert checked > len(METRIC_KEYS)


async def check_comparison(
    http: aiohttp.ClientSession, one: dict[str, Any], other: dict[str, Any]
) -> None:
    """Hold differences against the library's: of the values as shown, which have 4 decimals."""
    found = await read(http, f"{BOARD}/comparisons", a=one["entry_id"], b=other["entry_id"])
    sides = [
        {
            metric: Score(
                round(value, 4),
                replicates(row["model_name"], truth().version)[metric, "compat"].whole,
            )
            for metric, value in values(row["model_name"], "compat").items()
            if value is not None and metric in found["metrics"]
        }
        for row in (one, other)
    ]
    expected = {
        metric: {
            key: rounded(each) if isinstance(each, float) else each
            for key, each in asdict(difference).items()
        }
        for metric, difference in compare(*sides).items()
    }
    assert {
        metric: {key: shown[key] for key in expected[metric]}
        for metric, shown in found["metrics"].items()
    } == expected


def as_shown(found: object) -> dict[str, Any]:
    return {
        key: rounded(value) if isinstance(value, float) else value
        for key, value in asdict(found).items()  # type: ignore[call-overload]
    }
