"""The full-size test set in the layout of the real records, over HTTP: stored scores are right."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from medvid.benchmark.tasks import RULE_METRIC_KEYS
from services.operate.ground_truth import store_ground_truth
from shared.storage.database import Database
from tests.depth import deep, is_deep
from tests.patience import HANG_SECONDS
from tests.standalone import standalone

ROOT = Path(__file__).parents[2]
DATA = ROOT / "benchmarks" / "data"
FILES = {
    "predictions_strong": "strong",
    "predictions_strong_composed": "strong",
    "results_strong": "strong",
    "predictions_weak": "weak",
    "predictions_hostile": "hostile",
}


@deep
async def test_every_file_is_stored_with_its_golden_scores(
    postgres_url: str, database: Database, tmp_path: Path
) -> None:
    await store_ground_truth(database, (DATA / "ground_truth.json.gz").read_bytes(), "truth")
    given = {"scorer_processes": 2, "address_submissions_per_day": 100}
    async with (
        asyncio.timeout(HANG_SECONDS),
        standalone(postgres_url, tmp_path, **given) as http,
    ):
        files = FILES if is_deep() else ("results_strong", "predictions_hostile")
        submitted = {file: await submit(http, file) for file in files}
        for receipt in submitted.values():
            await ranked(http, receipt)
    golden = json.loads((ROOT / "tests/golden/full_benchmark.json").read_text())
    for file, receipt in submitted.items():
        stored = await scores(database, UUID(receipt["id"]))
        assert set(stored) == set(RULE_METRIC_KEYS)
        for key, (compat, strict) in stored.items():
            expected = golden["expected_metrics"][FILES[file]]
            assert compat == pytest.approx(expected["compat"][key], rel=0, abs=1e-6), (file, key)
            assert strict == pytest.approx(expected["strict"][key], rel=0, abs=1e-6), (file, key)


async def submit(http: aiohttp.ClientSession, file: str) -> dict[str, Any]:
    form = aiohttp.FormData({"model_name": file, "organization": "A lab"})
    form.add_field("file", (DATA / f"{file}.json.gz").read_bytes(), filename=f"{file}.json.gz")
    async with http.post("/api/v1/submissions", data=form) as response:
        receipt: dict[str, Any] = await response.json()
        assert response.status == 202, receipt
    return receipt


async def ranked(http: aiohttp.ClientSession, receipt: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {receipt['owner_token']}"}
    while True:
        async with http.get(receipt["status_url"], headers=headers) as response:
            status = await response.json()
        if status["state"] == "ranked":
            report = status["report"]
            assert (report["mode"], report["answered"]) == ("position", 6245)
            return
        assert status["state"] in ("accepted", "scored"), status
        await asyncio.sleep(0.05)


async def scores(database: Database, submission: UUID) -> dict[str, tuple[float, float]]:
    rows = await database.pool.fetch(
        "SELECT metric, compat, strict FROM scores JOIN entries ON entries.id = scores.entry_id"
        " WHERE entries.submission_id = $1",
        submission,
    )
    return {row["metric"]: (row["compat"], row["strict"]) for row in rows}
