"""Everything at once: a faulty provider, killed replicas, crashed servers; the same numbers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import pytest

from services.judge.stub.server import Faults, Stub, running_stub
from shared.storage.database import TRANSIENT_ERRORS, Database, connect
from tests.acceptance.test_judge_end_to_end import (
    CONCURRENCY,
    expected,
    judge_environment,
    judged,
)
from tests.depth import deep
from tests.judging import HALF, plan_of, request_run
from tests.patience import HANG_SECONDS
from tests.preloaded import process_of
from tests.rows import accept_submission
from tests.servers import (
    TEMPLATE,
    PostgresServer,
    RabbitServer,
    crash_and_restart,
    make_template,
)

FAULTS = Faults(
    latency_seconds=0.15,
    throttled=0.10,
    failing=0.05,
    hanging=0.01,
    malformed=0.02,
    bad_replies_per_pair=1,  # so that a second question always gets its verdict
    seed=7,
)


@dataclass
class World:
    """Servers of this test's own, which it may crash."""

    postgres: PostgresServer
    rabbit: RabbitServer
    database: Database


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        rabbit = RabbitServer()
        stack.callback(rabbit.close)
        rabbit.launch()
        postgres = stack.enter_context(PostgresServer())
        await make_template(postgres.url(), postgres.url(TEMPLATE))
        database = await stack.enter_async_context(
            connect(postgres.url(TEMPLATE), size=4, application_name="test")
        )
        await asyncio.to_thread(rabbit.await_ready)
        yield World(postgres, rabbit, database)


async def asked(database: Database, query: str, *arguments: object) -> object:
    """Return a value, as soon as the database is back."""
    while True:
        with suppress(*TRANSIENT_ERRORS):
            return await database.pool.fetchval(query, *arguments)
        await asyncio.sleep(0.1)


async def verdicts(world: World, share: float, pairs: int) -> None:
    """Return once so large a share of the pairs has its verdict."""
    count = "SELECT count(*) FROM judge_verdicts WHERE scores IS NOT NULL"
    while int(str(await asked(world.database, count))) < share * pairs:
        await asyncio.sleep(0.05)


async def completes(world: World, run_id: UUID) -> None:
    while await asked(world.database, "SELECT state FROM judge_runs WHERE id = $1", run_id) not in (
        "completed",
        "failed",
    ):
        await asyncio.sleep(0.1)


@asynccontextmanager
async def killed_at_the_end(environment: dict[str, str]) -> AsyncIterator[None]:
    async with process_of("services.judge", environment) as process:
        yield
        process.send_signal(signal.SIGKILL)
        await process.wait()


@deep
async def test_a_disturbed_run_ends_as_an_undisturbed_one(world: World) -> None:
    stub, pairs = Stub(FAULTS), len(plan_of(HALF).texts)
    stored = await accept_submission(world.database, payload=HALF)
    async with asyncio.timeout(HANG_SECONDS), running_stub(stub) as url:
        environment = judge_environment(world.postgres.url(TEMPLATE), world.rabbit.url(), url)
        environment["MEDVID_JUDGE_STILL_SECONDS"] = "3"
        run_id = await request_run(world.database, stored.submission_id)
        async with process_of("services.judge", environment):
            async with killed_at_the_end(environment):
                await verdicts(world, 0.15, pairs)
                await crash_and_restart(world.postgres)
                await verdicts(world, 0.3, pairs)
            async with killed_at_the_end(environment):
                await crash_and_restart(world.rabbit)
                await verdicts(world, 0.6, pairs)
            await asyncio.gather(crash_and_restart(world.postgres), crash_and_restart(world.rabbit))
            async with process_of("services.judge", environment):
                await completes(world, run_id)
    database = world.database
    open_pairs = "SELECT count(*) FROM judge_run_pairs WHERE NOT terminal"
    assert await database.pool.fetchval(open_pairs) == 0
    run = await database.pool.fetchrow("SELECT * FROM judge_runs WHERE id = $1", run_id)
    assert run is not None
    assert (run["state"], run["items_unscored"]) == ("completed", 0)
    assert await judged(database) == expected(plan_of(HALF))
    announced = "SELECT count(*) FROM outbox WHERE type = 'judging.completed'"
    assert await database.pool.fetchval(announced) == 1
    assert min(stub.injected[fault] for fault in ("throttled", "failing", "malformed")) > 0
    # Answers are paid for: one for each pair, one more where it was none, and what was under way
    # at the kills. Calls that were refused or hung are not answered.
    most = pairs + stub.injected["malformed"] + 2 * CONCURRENCY
    assert pairs <= stub.answered.total() <= most
