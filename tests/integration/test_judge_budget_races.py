"""What happens to rate and money while the database is asked, or when a replica is killed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from services.judge.budgets import Caps, Payee, SharedSpending
from services.judge.rates import RateLimits, SharedRate
from services.judge.verdict import BudgetExhausted, TryLater
from shared.storage.database import Database
from tests.patience import HANG_SECONDS

ROOT: Final = Path(__file__).parents[2]
RUN: Final = uuid4()
PAYEE: Final = Payee("a judge", "an endpoint")
HOLDER: Final = """
import asyncio, sys, uuid
from services.judge.budgets import Caps, Payee, SharedSpending
from shared.storage.database import connect

async def main(url, run):
    async with connect(url, size=2, application_name="holder") as database:
        money = SharedSpending(database, Caps(1_000, None), 1.0, Payee("a judge", "x"))
        await money.reserve(uuid.UUID(run), 900)
        print("holds", flush=True)
        await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


async def waits_for_a_lock(database: Database) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while not await database.pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()"
        ):
            await asyncio.sleep(0.01)


async def test_what_calls_used_while_a_slice_is_taken_is_not_forgotten(database: Database) -> None:
    gate = SharedRate(database, RateLimits("account", None, 6_000), 5)
    await gate.admit(100)
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM judge_rate_buckets FOR UPDATE")
        taking = asyncio.create_task(gate.admit(100))
        await waits_for_a_lock(database)
        gate.settle(100, 400)
    await taking
    await gate.close()
    left = await database.pool.fetchval("SELECT tokens FROM judge_rate_buckets")
    # 100 a second come back meanwhile; forgotten, the 300 that were corrected would be there too.
    assert 500 <= round(left) < 750


async def test_calls_that_end_while_money_is_taken_are_settled(database: Database) -> None:
    money = SharedSpending(database, Caps(1_000_000, None), 60, PAYEE)
    for _ in range(32):
        await money.reserve(RUN, 100)
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM judge_spending FOR UPDATE")
        taking = asyncio.create_task(money.reserve(RUN, 100))
        await waits_for_a_lock(database)
        for _ in range(32):
            money.settle(RUN, 100, 70)
    await taking
    money.settle(RUN, 100, 70)
    await money.close()
    spent = await database.pool.fetch("SELECT spent_microusd FROM judge_spending")
    assert [row["spent_microusd"] for row in spent] == [33 * 70] * 2
    assert not await database.pool.fetchval("SELECT count(*) FROM judge_spending_leases")


async def test_a_cap_that_leaves_no_room_for_a_call_is_told_as_reached(database: Database) -> None:
    money = SharedSpending(database, Caps(None, 1_000), 60, PAYEE)
    await money.reserve(RUN, 950)
    money.settle(RUN, 950, 950)
    with capture_logs() as logs, pytest.raises(BudgetExhausted) as caught:
        await money.reserve(RUN, 100)
    assert caught.value.scope == "month"
    told = [log["percent"] for log in logs if log["event"] == "judge_budget_reached"]
    assert told == [100]
    assert await database.pool.fetchval("SELECT max(warned) FROM judge_spending") == 100


async def test_the_money_of_a_process_killed_with_sigkill_comes_back(
    database: Database, postgres_url: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, postgres_url, str(RUN), cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"holds\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    held = await database.pool.fetchval("SELECT sum(reserved_microusd) FROM judge_spending_leases")
    assert held >= 900
    other = SharedSpending(database, Caps(1_000, None), 60, PAYEE)
    async with asyncio.timeout(HANG_SECONDS):
        while not await _reserved(other, 900):
            await asyncio.sleep(0.1)
    other.settle(RUN, 900, 10)
    await other.close()


async def _reserved(money: SharedSpending, microusd: int) -> bool:
    try:
        await money.reserve(RUN, microusd)
    except TryLater:
        return False
    return True
