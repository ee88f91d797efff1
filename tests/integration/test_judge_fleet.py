"""Replicas know of one another, and work is cut and sent for as many as there are."""

from __future__ import annotations

import pytest

from services.judge.fleet import ALIVE_SECONDS, Fleet, announce_limits
from services.judge.runs import RunPolicy
from services.judge.settings import JudgeSettings
from services.judge.sizing import LEAST_WINDOW
from services.judge.store import Runs
from shared.storage.database import Database
from tests.fakes.grader import FakeGrader
from tests.judging import FEW, judging, plan_of, reaches, replica, request_run
from tests.rows import accept_submission

PAIRS = len(plan_of(FEW).texts)


async def test_replicas_count_one_another_while_they_live(database: Database) -> None:
    one, two, dead = Fleet(), Fleet(), Fleet()
    await one.announce(database, 4)
    assert (one.replicas, one.batches) == (1, 4)
    await dead.announce(database, 7)
    await two.announce(database, 3)
    assert (two.replicas, two.batches) == (3, 14)
    await database.pool.execute(
        "UPDATE judge_replicas SET seen_at = now() - make_interval(secs => $2) WHERE id = $1",
        dead.id,
        ALIVE_SECONDS + 1,
    )
    await one.announce(database, 5)
    assert (one.replicas, one.batches) == (2, 8)
    await two.leave(database)
    await one.announce(database, 5)
    assert (one.replicas, one.batches) == (1, 5)
    await database.pool.execute("UPDATE judge_replicas SET seen_at = now() - interval '2 minutes'")
    await one.announce(database, 5)
    assert await database.pool.fetchval("SELECT count(*) FROM judge_replicas") == 1


async def test_a_run_is_cut_for_all_replicas_and_sent_as_they_have_places(
    database: Database,
) -> None:
    """Nobody consumes batches here: what is on the bus is what the window lets out."""
    one = replica(database, FakeGrader(), RunPolicy())
    crowd = [Fleet() for _ in range(PAIRS - 1)]
    for each in crowd:
        await each.announce(database, 1)
    await one.runs.fleet.announce(database, 1)
    stored = await accept_submission(database, "A model", FEW)
    async with judging(database, [one], concurrency=0):
        run_id = await request_run(database, stored.submission_id)
        await reaches(database, run_id, "running")
    sizes = await database.pool.fetch(
        "SELECT count(*) AS pairs FROM judge_run_pairs GROUP BY batch_id"
    )
    assert {row["pairs"] for row in sizes} == {1}  # a pair for each of them

    async def sent(runs: Runs) -> int:
        await runs.send_due(run_id)
        return int(
            await database.pool.fetchval("SELECT count(*) FROM judge_batches WHERE state = 'sent'")
        )

    window = min(PAIRS, 2 * PAIRS)
    assert await sent(one.runs) == min(window, max(LEAST_WINDOW, 2 * PAIRS))


async def test_what_bounds_a_judge_is_known_without_one(database: Database) -> None:
    settings = JudgeSettings(
        judge_provider="openai",
        judge_model="m",
        judge_prices={"m": {"input": 1, "output": 2}},  # type: ignore[dict-item]
        judge_month_cap_usd=5,
        judge_requests_per_minute=600,
    )
    await announce_limits(database, settings)
    row = await database.pool.fetchrow("SELECT * FROM judge_service")
    assert row is not None
    assert row["month_cap_microusd"] == 5_000_000
    assert row["requests_per_minute"] == pytest.approx(600)
    assert row["tokens_per_minute"] is None
