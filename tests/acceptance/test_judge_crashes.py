"""Judge replicas that are killed in the middle: every pair ends, hardly any is paid for twice."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path

import pytest

from medvid.judging import standin
from medvid.judging.aggregate import aggregate
from shared.storage.database import Database
from tests.depth import deep
from tests.judging import HALF, plan_of, reaches, request_run, run_row
from tests.patience import HANG_SECONDS
from tests.preloaded import process_of
from tests.rows import accept_submission

CONCURRENCY = 8


@pytest.fixture
def environment(postgres_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        "MEDVID_DATABASE_URL": postgres_url,
        "MEDVID_JUDGE_CONCURRENCY": str(CONCURRENCY),
        "MEDVID_JUDGE_BATCH_PAIRS": "4",
        "MEDVID_JUDGE_CLAIM_SECONDS": "4",
        "MEDVID_JUDGE_DUE_SECONDS": "0.1",
        "MEDVID_TEST_LATENCY": "0.05",
        "MEDVID_TEST_FAULTS": "10",
        "MEDVID_TEST_CALLS": str(tmp_path / "calls"),
    }


async def comes_to(database: Database, count: int) -> None:
    """Return once so many verdicts are stored."""
    while await database.pool.fetchval("SELECT count(*) FROM judge_verdicts") < count:
        await asyncio.sleep(0.02)


async def judge_with_kills(database: Database, environment: dict[str, str]) -> None:
    stored = await accept_submission(database, payload=HALF)
    kills = 0
    async with asyncio.timeout(HANG_SECONDS):
        run_id = await request_run(database, stored.submission_id)
        for done in (40, 120):  # two replicas; one of them is killed, twice over
            async with process_of("tests.judge_process", environment) as doomed:
                await comes_to(database, done)
                doomed.send_signal(signal.SIGKILL)
                await doomed.wait()
                kills += 1
        async with (
            process_of("tests.judge_process", environment),
            process_of("tests.judge_process", environment),
        ):
            await reaches(database, run_id, "completed")
    await assert_exact(database, Path(environment["MEDVID_TEST_CALLS"]), kills)
    assert (await run_row(database, run_id))["items_unscored"] == 0


def paid_calls(log: Path) -> Counter[str]:
    return Counter(log.read_text().split())


async def assert_exact(database: Database, calls: Path, kills: int) -> None:
    pairs = plan_of(HALF)
    expected = aggregate(pairs, [standin.judge(pair) for pair in pairs.texts])
    rows = await database.pool.fetch("SELECT metric, compat FROM scores")
    assert {row["metric"]: row["compat"] for row in rows} == {
        key: score.compat for key, score in expected.items()
    }
    paid = paid_calls(calls)
    assert len(paid) == len(pairs.texts)
    # Each kill may lose the calls that were under way.
    assert paid.total() <= len(pairs.texts) + kills * CONCURRENCY
    completed = await database.pool.fetchval(
        "SELECT count(*) FROM outbox WHERE type = 'judging.completed'"
    )
    assert completed == 1


@deep
async def test_killed_replicas_on_rabbit(
    environment: dict[str, str], database: Database, rabbit_url: str
) -> None:
    await judge_with_kills(database, {**environment, "MEDVID_RABBITMQ_URL": rabbit_url})


@deep
async def test_killed_replicas_on_the_local_bus(
    environment: dict[str, str], database: Database
) -> None:
    await judge_with_kills(database, environment)
