"""Judging with the real grader and the stub's HTTP server: both run modes, and faults together."""

from __future__ import annotations

import asyncio
import gzip
import signal
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from medvid.benchmark.caption_pairs import JudgingPlan, plan
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.tasks import METRIC_KEYS
from medvid.judging import standin
from medvid.judging.aggregate import JudgeScore, aggregate
from medvid.judging.plans import pair_sha256
from services.judge.stub.server import Faults, Stub, running_stub
from shared.storage.database import Database
from tests.depth import deep
from tests.judging import HALF, plan_of, reaches, request_run
from tests.patience import HANG_SECONDS
from tests.preloaded import process_of
from tests.rows import DEMO, accept_submission, load_demo_ground_truth
from tests.standalone import standalone

ROOT = Path(__file__).parents[2]
CONCURRENCY = 8
API_KEY = "sk-a-key-that-nobody-may-see"


@pytest.fixture(scope="module")
def demo_plan() -> JudgingPlan:
    truth = load_ground_truth((DEMO / "ground_truth.json.gz").read_bytes())
    records = orjson.loads(gzip.decompress((DEMO / "predictions.json.gz").read_bytes()))
    return plan(truth.samples, [record["prediction"] for record in records])


def expected(demo_plan: JudgingPlan, unscored: frozenset[bytes] = frozenset()) -> dict[str, Any]:
    """The numbers of an undisturbed run, without the pairs that stayed unscored."""
    verdicts = [
        None
        if pair_sha256(pair.prediction.encode(), pair.reference.encode()) in unscored
        else standin.judge(pair)
        for pair in demo_plan.texts
    ]
    found: dict[str, JudgeScore] = aggregate(demo_plan, verdicts)
    return {key: score.compat for key, score in found.items()}


async def judged(database: Database) -> dict[str, Any]:
    rows = await database.pool.fetch(
        "SELECT metric, compat FROM scores WHERE judge_version IS NOT NULL"
    )
    return {row["metric"]: row["compat"] for row in rows}


@deep
async def test_standalone_ends_with_all_ten_metrics_and_a_badge(
    postgres_url: str, database: Database, demo_plan: JudgingPlan, tmp_path: Path
) -> None:
    await load_demo_ground_truth(database)
    given = {"judge_provider": "stub", "judge_automatic": True}
    async with (
        asyncio.timeout(HANG_SECONDS),
        standalone(postgres_url, tmp_path, **given) as http,
    ):
        form = aiohttp.FormData({"model_name": "Judged", "organization": "Us"})
        content = (DEMO / "predictions.json.gz").read_bytes()
        form.add_field("file", content, filename="predictions.json.gz")
        async with http.post("/api/v1/submissions", data=form) as response:
            assert response.status == 202
        entry = await entry_with(http, METRIC_KEYS)
    assert entry["badges"] == ["stub judge"]
    found = expected(demo_plan)
    assert await judged(database) == found
    assert {key: entry["values"][key] for key in found} == {
        key: round(round(value, 4), 3) for key, value in found.items()
    }


async def entry_with(http: aiohttp.ClientSession, keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the first entry of the community board that has all these values."""
    while True:
        async with http.get("/api/v1/leaderboards/community") as response:
            board = await response.json()
        for entry in board["entries"]:
            if all(entry["values"].get(key) is not None for key in keys):
                return dict(entry)
        await asyncio.sleep(0.05)


def judge_environment(postgres_url: str, rabbit_url: str, stub_url: str) -> dict[str, str]:
    return {
        "MEDVID_DATABASE_URL": postgres_url,
        "MEDVID_RABBITMQ_URL": rabbit_url,
        "MEDVID_JUDGE_PROVIDER": "stub",
        "MEDVID_JUDGE_BASE_URL": stub_url,
        "MEDVID_JUDGE_API_KEY": API_KEY,
        "MEDVID_JUDGE_CONCURRENCY": str(CONCURRENCY),
        "MEDVID_JUDGE_BATCH_PAIRS": "4",
        "MEDVID_JUDGE_TIMEOUT_SECONDS": "1",
        "MEDVID_JUDGE_BACKOFF_SECONDS": "0.05",
        "MEDVID_JUDGE_CLAIM_SECONDS": "2",
        "MEDVID_JUDGE_DUE_SECONDS": "0.1",
        "MEDVID_JUDGE_PATROL_SECONDS": "0.5",
        "MEDVID_JUDGE_BREAKER_SECONDS": "0.5",
    }


async def test_distributed_replicas_share_one_run_and_pay_each_pair_once(
    postgres_url: str, rabbit_url: str, database: Database
) -> None:
    stub = Stub()
    stored = await accept_submission(database, payload=HALF)
    async with asyncio.timeout(HANG_SECONDS), running_stub(stub) as url:
        environment = judge_environment(postgres_url, rabbit_url, url)
        async with (
            process_of("services.judge", environment),
            process_of("services.judge", environment),
        ):
            run_id = await request_run(database, stored.submission_id)
            await reaches(database, run_id, "completed")
    assert await judged(database) == expected(plan_of(HALF))
    assert stub.answered.total() == len(stub.answered) == len(plan_of(HALF).texts)
    assert await tables_with(database, API_KEY) == []


async def tables_with(database: Database, secret: str) -> list[str]:
    """Return the tables in which a text occurs, also within bytes."""
    tables = await database.pool.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    )
    found = []
    for (name,) in tables:
        query = f"SELECT EXISTS (SELECT FROM {name} t WHERE t::text LIKE ANY ($1))"  # noqa: S608
        patterns = [f"%{secret}%", f"%{secret.encode().hex()}%"]
        if await database.pool.fetchval(query, patterns):
            found.append(name)
    assert len(tables) > 10
    return found


@deep
async def test_faults_together_and_replicas_killed(
    postgres_url: str, rabbit_url: str, database: Database
) -> None:
    faults = Faults(
        latency_seconds=0.02, throttled=0.10, failing=0.05, hanging=0.01, malformed=0.02, seed=7
    )
    stub = Stub(faults)
    stored = await accept_submission(database, payload=HALF)
    kills = 0
    async with asyncio.timeout(HANG_SECONDS), running_stub(stub) as url:
        environment = judge_environment(postgres_url, rabbit_url, url)
        run_id = await request_run(database, stored.submission_id)
        for share in (0.2, 0.6):
            async with process_of("services.judge", environment) as doomed:
                while len(stub.answered) < share * len(plan_of(HALF).texts):
                    await asyncio.sleep(0.02)
                doomed.send_signal(signal.SIGKILL)
                await doomed.wait()
                kills += 1
        async with (
            process_of("services.judge", environment),
            process_of("services.judge", environment),
        ):
            await reaches(database, run_id, "completed")
    rows = await database.pool.fetch("SELECT pair FROM judge_verdicts WHERE scores IS NULL")
    unscored = frozenset(row["pair"] for row in rows)
    assert len(unscored) <= 3  # two malformed replies in a row are rare
    assert await judged(database) == expected(plan_of(HALF), unscored)
    open_pairs = await database.pool.fetchval(
        "SELECT count(*) FROM judge_run_pairs WHERE NOT terminal"
    )
    assert open_pairs == 0
    assert min(stub.injected[fault] for fault in ("throttled", "failing", "malformed")) > 0
    # An answer that was malformed is asked for again; each kill may lose the calls under way.
    most = len(plan_of(HALF).texts) + stub.injected["malformed"] + kills * CONCURRENCY
    assert stub.answered.total() <= most
