"""The whole benchmark in the provider's batches, while replicas are killed: each pair is paid once.

The figures: `python -m pytest --deep -s -n 0 tests/acceptance/test_batch_crashes.py`
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from typing import Final
from uuid import UUID

import pytest

from services.judge.stub.batches import BatchFaults
from services.judge.stub.server import MODEL, Faults, Stub, running_stub
from shared.storage.database import Database
from tests.batching import leftovers
from tests.depth import deep
from tests.judging import request_run, run_row, whole_benchmark
from tests.preloaded import Forked, process_of
from tests.providers import KEY

MINUTES: Final = 9
FAULTS: Final = BatchFaults(
    looks=3, lost=0.03, repeated=0.01, ends=("completed", "expired", "cancelled"), seed=7
)


@pytest.fixture
def environment(postgres_url: str) -> dict[str, str]:
    return {
        "MEDVID_DATABASE_URL": postgres_url,
        "MEDVID_JUDGE_PROVIDER": "openai",
        "MEDVID_JUDGE_API_KEY": KEY,
        "MEDVID_JUDGE_MODEL": MODEL,
        "MEDVID_JUDGE_PRICES": json.dumps({MODEL: {"input": 2, "output": 8}}),
        "MEDVID_JUDGE_REPLY_FORM": "schema",
        "MEDVID_JUDGE_BATCH_API": "openai",
        "MEDVID_JUDGE_BATCH_LINES": "600",
        "MEDVID_JUDGE_BATCH_POLL_SECONDS": "0.5",
        "MEDVID_JUDGE_CLAIM_SECONDS": "4",
        "MEDVID_JUDGE_DUE_SECONDS": "0.2",
        "MEDVID_JUDGE_PATROL_SECONDS": "1",
        "MEDVID_JUDGE_TIMEOUT_SECONDS": "30",
        "MEDVID_LOG_LEVEL": "warning",
    }


async def killed_amid(database: Database, process: Forked, states: str) -> None:
    """Kill a replica while batches are in these states and none of its calls is under way.

    A call that is cut off is paid for, online: what is shown here are batches.
    """
    while True:
        process.send_signal(signal.SIGSTOP)
        is_amid = await database.pool.fetchval(
            "SELECT EXISTS (SELECT FROM judge_provider_batches WHERE state = ANY($1::text[])"
            "                 AND held_until > now())"
            "   AND NOT EXISTS (SELECT FROM judge_batches WHERE state IN ('planned', 'sent'))",
            states.split(),
        )
        if is_amid:
            process.send_signal(signal.SIGKILL)
            await process.wait()
            return
        process.send_signal(signal.SIGCONT)
        await asyncio.sleep(0.02)


async def judged_with_kills(database: Database, environment: dict[str, str]) -> None:
    stub = Stub(Faults(batches=FAULTS))
    submission_id = await whole_benchmark(database)
    run_id = await request_run(database, submission_id)
    started = time.monotonic()
    async with asyncio.timeout(MINUTES * 60), running_stub(stub) as url:
        environment = environment | {"MEDVID_JUDGE_BASE_URL": url}
        for states in ("uploaded submitting in_progress", "collecting"):
            async with process_of("services.judge", environment) as doomed:
                await killed_amid(database, doomed, states)
        async with (
            process_of("services.judge", environment),
            process_of("services.judge", environment),
        ):
            while (await run_row(database, run_id))["state"] in ("queued", "running"):
                await asyncio.sleep(0.2)
            open_ = "SELECT count(*) FROM judge_provider_batches WHERE state <> 'done'"
            while await database.pool.fetchval(open_):
                await asyncio.sleep(0.2)
    seconds = time.monotonic() - started
    await assert_paid_once(database, stub, run_id)
    await show(database, stub, run_id, seconds)


async def assert_paid_once(database: Database, stub: Stub, run_id: UUID) -> None:
    run = await run_row(database, run_id)
    assert (run["state"], run["items_unscored"]) == ("completed", 0), run["detail"]
    assert run["items"] == run["items_done"] > 5_000
    assert stub.answered.total() == len(stub.answered) == run["items"]
    open_ = "SELECT count(*) FROM judge_run_pairs WHERE NOT terminal"
    assert await database.pool.fetchval(open_) == 0
    assert (await leftovers(database))["judge_claims"] == 0
    held = "SELECT count(*) FROM judge_spending_leases WHERE expires_at = 'infinity'"
    assert await database.pool.fetchval(held) == 0
    ends = [row[0] for row in await database.pool.fetch("SELECT ended FROM judge_provider_batches")]
    assert (ends.count("expired"), ends.count("cancelled")) == (1, 1)
    assert stub.batches.files == {}


async def show(database: Database, stub: Stub, run_id: UUID, seconds: float) -> None:
    row = await database.pool.fetchrow(
        "SELECT count(*) AS files, sum(lines) AS lines, sum(answered) AS answered,"
        " sum(spent_microusd)::float8 / 1e6 AS usd FROM judge_provider_batches"
    )
    assert row is not None
    run = await run_row(database, run_id)
    estimate = json.loads(run["estimate"])
    spent = await database.pool.fetchval(
        "SELECT sum(spent_microusd)::float8 / 1e6 FROM judge_costs"
    )
    faults = dict(stub.batches.injected)
    print(  # noqa: T201 - the figures are what it is for
        f"\n{run['items']:,} pairs in {row['files']} files, two replicas killed, {seconds:.0f} s: "
        f"{row['lines']:,} lines sent, {row['answered']:,} answered ({faults}), "
        f"{run['items'] - row['answered']:,} asked online; paid {stub.answered.total():,} times. "
        f"{row['usd']:.2f} USD in batches, {spent:.2f} in all; estimated {estimate['usd']:.2f}, "
        f"{estimate['fast_usd']:.2f} online."
    )


@deep
async def test_the_whole_benchmark_in_batches_while_replicas_are_killed_on_rabbit(
    database: Database, environment: dict[str, str], rabbit_url: str
) -> None:
    await judged_with_kills(database, {**environment, "MEDVID_RABBITMQ_URL": rabbit_url})


@deep
async def test_the_whole_benchmark_in_batches_while_replicas_are_killed_on_the_local_bus(
    database: Database, environment: dict[str, str]
) -> None:
    await judged_with_kills(database, environment)
