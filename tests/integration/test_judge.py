"""Judging on a real database: every pair paid once; runs end, pause, resume and never stick."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import replace
from itertools import product

import numpy
import orjson
import pytest

from medvid.benchmark.caption_pairs import JudgingPlan, plan
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.statistics.bootstrap import Estimates, estimates, resample
from medvid.benchmark.tasks import ASPECTS, SCORINGS
from medvid.judging import standin
from medvid.judging.aggregate import JudgeScore, contributions
from services.judge.consume import build_batches_consumer
from services.judge.runs import RunPolicy
from services.judge.verdict import (
    Pair,
    Verdict,
)
from services.judge.verdict_cache import VerdictCache
from shared.contracts.messages import Envelope, JudgingBatch, JudgingRequested
from shared.messaging.bus import Delivery, Done
from shared.messaging.topology import JUDGE_BATCHES
from shared.storage.database import Database
from shared.storage.replicates import replicates_from
from tests.depth import deep
from tests.fakes.grader import FakeGrader, graded
from tests.judging import (
    FEW,
    HALF,
    accept_few,
    as_values,
    judged,
    judged_values,
    judging,
    look_after,
    plan_of,
    reaches,
    replica,
    request_run,
    run_row,
)
from tests.patience import HANG_SECONDS
from tests.rows import DEMO, accept_submission


def demo_plan() -> JudgingPlan:
    truth = load_ground_truth((DEMO / "ground_truth.json.gz").read_bytes())
    records = orjson.loads(gzip.decompress((DEMO / "predictions.json.gz").read_bytes()))
    return plan(truth.samples, [record["prediction"] for record in records])


async def test_a_run_gives_exactly_the_expected_numbers_and_pays_each_pair_once(
    database: Database,
) -> None:
    demo = demo_plan()
    stored = await accept_submission(database)
    grader = FakeGrader()
    async with judging(database, [replica(database, grader)]):
        run_id = await request_run(database, stored.submission_id)
        run = await reaches(database, run_id, "completed")
    assert await judged_values(database) == as_values(judged(demo))
    await replicates_are(database, demo)
    assert sum(grader.calls.values()) == len(demo.texts) == run["items"] == run["items_done"]
    assert set(grader.calls.values()) == {1}
    facts = orjson.loads(await database.pool.fetchval("SELECT facts::text FROM judge_results"))
    assert facts["metrics"]["vs_llm"]["coverage"] == 1
    assert facts["metrics"]["vs_llm"]["aspects"] == pytest.approx(
        dict(judged(demo)["vs_llm"].aspects)
    )
    types = [row["type"] for row in await database.pool.fetch("SELECT type FROM outbox")]
    assert types.count("judging.completed") == 1
    assert await database.pool.fetchval("SELECT count(*) FROM judge_claims") == 0
    estimate = orjson.loads(run["estimate"])
    assert (estimate["calls"], estimate["cached"]) == (len(demo.texts), 0)


def replicates_of(pairs: JudgingPlan) -> dict[str, Estimates]:
    truth = load_ground_truth((DEMO / "ground_truth.json.gz").read_bytes())
    verdicts = [standin.judge(pair) for pair in pairs.texts]
    draws = resample(truth.samples, truth.version)
    return estimates(contributions(pairs, verdicts, truth.samples), draws)


async def replicates_are(database: Database, pairs: JudgingPlan) -> None:
    """Each judged value has its replicates, the same in both scorings, by its judge."""
    found = replicates_of(pairs)
    rows = await database.pool.fetch(
        "SELECT metric, scoring, judge_version, replicates FROM current_replicates"
    )
    assert {(row["metric"], row["scoring"]) for row in rows} == set(product(found, SCORINGS))
    for row in rows:
        expected = found[row["metric"]].whole.replicates
        stored = replicates_from(row["replicates"])
        numpy.testing.assert_allclose(stored, expected, rtol=1e-12)
    assert {row["judge_version"] for row in rows} == {FakeGrader().version.hash}


@deep
async def test_a_second_submission_of_the_same_texts_costs_nothing(database: Database) -> None:
    one = await accept_few(database, "One")
    two = await accept_few(database, "Two")
    grader = FakeGrader()
    async with judging(database, [replica(database, grader)]):
        await reaches(database, await request_run(database, one.submission_id), "completed")
        paid = sum(grader.calls.values())
        run_id = await request_run(database, two.submission_id)
        run = await reaches(database, run_id, "completed")
    assert sum(grader.calls.values()) == paid
    assert run["items_cached"] == run["items"] == paid


async def test_two_runs_of_the_same_texts_at_once_pay_once(
    database: Database, few: JudgingPlan
) -> None:
    one = await accept_few(database, "One")
    two = await accept_few(database, "Two")
    hold = asyncio.Event()
    graders = [FakeGrader(hold=hold), FakeGrader(hold=hold)]
    replicas = [replica(database, grader) for grader in graders]
    async with judging(database, replicas):
        runs = [await request_run(database, s.submission_id) for s in (one, two)]
        for run_id in runs:
            await reaches(database, run_id, "running")
        hold.set()
        for run_id in runs:
            await reaches(database, run_id, "completed")
    calls = graders[0].calls + graders[1].calls
    assert len(calls) == len(few.texts)
    assert set(calls.values()) == {1}


async def test_claims_of_a_dead_replica_run_out(database: Database) -> None:
    stored = await accept_few(database)
    run_id = await request_run(database, stored.submission_id)
    grader = FakeGrader()
    one = replica(database, grader)
    request = JudgingRequested(submission_id=stored.submission_id, run_id=run_id)
    await one.start(Envelope.wrap(request), request)
    batch_id = await database.pool.fetchval("SELECT min(id) FROM judge_batches")
    batch = await one.runs.batch(batch_id)
    assert batch is not None
    dead = VerdictCache(database, claim_seconds=0.3)
    claimed = await dead.claim(batch.judge_version, batch.items)
    assert len(claimed.taken) == len(batch.items)
    busy = await one.judge.verdicts.claim(batch.judge_version, batch.items)
    assert len(busy.busy) == len(batch.items)
    async with judging(database, [one]):
        await reaches(database, run_id, "completed")
    assert set(grader.calls.values()) == {1}


@deep
async def test_a_large_run_does_not_starve_a_small_one(database: Database) -> None:
    policy = RunPolicy(batch_items=2, window_batches=8, tries=3, busy_seconds=0.05)
    large = await accept_submission(database, "Large", HALF)
    grader = FakeGrader()
    async with judging(database, [replica(database, grader, policy)], concurrency=2):
        large_run = await request_run(database, large.submission_id, repeats=3)
        await reaches(database, large_run, "running")
        small = await accept_few(database, "Small")
        small_run = await request_run(database, small.submission_id)
        await reaches(database, small_run, "completed")
        row = await run_row(database, large_run)
        assert row["state"] == "running"
        assert row["items_done"] < row["items"] / 2


@deep
async def test_repeats_are_averaged_and_their_variance_published(
    database: Database,
) -> None:
    stored = await accept_submission(database, payload=HALF)

    def script(pair: Pair, repeat: int) -> Verdict | None:
        if repeat == 0:
            return None
        return replace(graded(pair), scores=dict.fromkeys(ASPECTS, 3))

    async with judging(database, [replica(database, FakeGrader(script))]):
        run_id = await request_run(database, stored.submission_id, repeats=2)
        await reaches(database, run_id, "completed")
    content = await database.pool.fetchval("SELECT facts::text FROM judge_results")
    facts = orjson.loads(content)["metrics"]["vs_llm"]
    first = judged(plan_of(HALF))["vs_llm"].compat
    assert first is not None
    assert facts["value"] == pytest.approx((first + 3) / 2)
    assert facts["variance"] == pytest.approx((first - 3) ** 2 / 2)
    assert facts["verdict_variance"] > 0
    stored_replicates = await database.pool.fetchval(
        "SELECT replicates FROM current_replicates WHERE metric = 'vs_llm' AND scoring = 'strict'"
    )
    first_alone = replicates_of(plan_of(HALF))["vs_llm"].whole.replicates
    assert numpy.allclose(replicates_from(stored_replicates), (first_alone + 3) / 2)


@deep
async def test_ten_submissions_of_two_owners_progress_together(database: Database) -> None:
    """All of them are on their way before any is half done."""
    policy = RunPolicy(batch_items=2, window_batches=10, tries=3, busy_seconds=0.05)
    hold = asyncio.Event()
    grader = FakeGrader(hold=hold)
    async with judging(database, [replica(database, grader, policy)], concurrency=2):
        runs = []
        for number in range(10):
            stored = await accept_submission(database, f"Model {number}", FEW)
            runs.append(await request_run(database, stored.submission_id, repeats=1 + number % 3))
        for run_id in runs:
            await reaches(database, run_id, "running")
        sent = await database.pool.fetch(
            "SELECT run_id, count(*) FROM judge_batches WHERE state = 'sent' GROUP BY run_id"
        )
        assert len(sent) == 10
        assert max(row["count"] for row in sent) <= policy.window_batches
        hold.set()
        for run_id in runs:
            await reaches(database, run_id, "completed")
    assert set(grader.calls.values()) == {3}


async def test_over_budget_fails_before_anything_is_paid(database: Database) -> None:
    stored = await accept_few(database)
    grader = FakeGrader()
    async with judging(database, [replica(database, grader, left=10)]):
        run_id = await request_run(database, stored.submission_id)
        run = await reaches(database, run_id, "failed")
    assert run["reason"] == "over_budget"
    assert not grader.calls


async def test_stub_verdicts_leave_a_badge_and_never_reach_the_official_board(
    database: Database,
) -> None:
    stored = await accept_few(database)
    official = await accept_few(database, "Official")
    await database.pool.execute(
        "UPDATE entries SET board = 'official' WHERE id = $1", official.entry_id
    )
    grader = FakeGrader(provider="stub")
    async with judging(database, [replica(database, grader)]):
        await reaches(database, await request_run(database, stored.submission_id), "completed")
        run_id = await request_run(database, official.submission_id)
        run = await reaches(database, run_id, "completed", "failed")
    assert run["reason"] == "stub_not_official"
    badges = await database.pool.fetch("SELECT board, badges FROM entries")
    assert {row["board"]: row["badges"] for row in badges} == {
        "community": ["stub judge"],
        "official": [],
    }


async def test_a_message_that_dies_retries_its_batch_later_and_at_last_gives_it_up(
    database: Database,
) -> None:
    stored = await accept_few(database)
    one = replica(database, FakeGrader())
    consumer = build_batches_consumer(database, one.judge)
    run_id = await request_run(database, stored.submission_id)
    request = JudgingRequested(submission_id=stored.submission_id, run_id=run_id)
    await one.start(Envelope.wrap(request), request)
    batch_id = await database.pool.fetchval("SELECT max(id) FROM judge_batches")
    message = JudgingBatch(submission_id=stored.submission_id, run_id=run_id, batch_id=batch_id)
    for _ in range(3):
        body = Envelope.wrap(message).to_bytes()
        dead = Delivery(JUDGE_BATCHES, body, JUDGE_BATCHES.max_attempts, exhausted=True)
        assert await consumer.handle(dead) == Done()
    state = await database.pool.fetchval("SELECT state FROM judge_batches WHERE id = $1", batch_id)
    assert state == "done"
    reasons = await database.pool.fetch("SELECT unscored, detail FROM judge_verdicts")
    assert {row["unscored"] for row in reasons} == {"given_up"}
    assert "delivery_limit" in reasons[0]["detail"]


async def test_a_request_that_dies_fails_its_run(database: Database) -> None:
    stored = await accept_submission(database, payload=b"not gzip, not JSON")
    async with judging(database, [replica(database, FakeGrader())]):
        run_id = await request_run(database, stored.submission_id)
        run = await reaches(database, run_id, "failed")
    assert run["reason"] == "invalid_file"


async def test_the_reaper_announces_stalled_work_with_new_messages(
    database: Database, expected: dict[str, JudgeScore]
) -> None:
    stored = await accept_few(database)
    one = replica(database, FakeGrader())
    run_id = await request_run(database, stored.submission_id)
    await database.pool.execute("DELETE FROM outbox")  # the request is lost
    await database.pool.execute(
        "UPDATE judge_runs SET announced_at = now() - interval '1 hour',"
        " changed_at = now() - interval '1 hour'"
    )
    await look_after(database, one)
    async with judging(database, [one]):
        await reaches(database, run_id, "running", "completed")
    await database.pool.execute("DELETE FROM outbox")
    await database.pool.execute("DELETE FROM queue_messages")  # and all batches on the bus
    await database.pool.execute("UPDATE judge_batches SET sent_at = now() - interval '1 hour'")
    await look_after(database, one)
    async with judging(database, [one]):
        await reaches(database, run_id, "completed")
    assert await judged_values(database) == as_values(expected)


async def test_a_run_whose_judge_was_changed_goes_on_with_the_new_one(
    database: Database, expected: dict[str, JudgeScore]
) -> None:
    stored = await accept_few(database)
    hold = asyncio.Event()
    async with judging(database, [replica(database, FakeGrader(hold=hold))]):
        run_id = await request_run(database, stored.submission_id)
        await reaches(database, run_id, "running")
        hold.set()
    new = replica(database, FakeGrader(model="fake-2"))
    await database.pool.execute(
        "UPDATE judge_runs SET progress_at = now() - interval '1 hour' WHERE state = 'running'"
    )
    if (await run_row(database, run_id))["state"] == "running":
        await look_after(database, new)
    async with judging(database, [new]):
        run = await reaches(database, run_id, "completed")
    assert run["judge_version"] == new.judge.judges.version
    assert await judged_values(database) == as_values(expected)


async def test_claims_that_a_living_replica_does_not_know_of_run_out(database: Database) -> None:
    """The connection was lost before the answer; to renew such a claim is to hold it for ever."""
    stored = await accept_few(database)
    run_id = await request_run(database, stored.submission_id)
    grader = FakeGrader()
    one = replica(database, grader)
    request = JudgingRequested(submission_id=stored.submission_id, run_id=run_id)
    await one.start(Envelope.wrap(request), request)
    batch = await one.runs.batch(await database.pool.fetchval("SELECT min(id) FROM judge_batches"))
    assert batch is not None
    living = VerdictCache(database, claim_seconds=0.6)
    renewing = asyncio.create_task(living.keep_claims())
    try:
        async with database.pool.acquire() as other, other.transaction():
            await other.execute("LOCK TABLE judge_verdicts IN ACCESS EXCLUSIVE MODE")
            claiming = asyncio.create_task(living.claim(batch.judge_version, batch.items))
            # It has claimed and waits for the table: a moment before, a cancel can be lost.
            while not await database.pool.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ):
                await asyncio.sleep(0.01)
            assert await database.pool.fetchval("SELECT count(*) FROM judge_claims")
            claiming.cancel()
            await asyncio.gather(claiming, return_exceptions=True)
        another = VerdictCache(database, claim_seconds=5)
        async with asyncio.timeout(HANG_SECONDS):
            while not (await another.claim(batch.judge_version, batch.items)).taken:
                await asyncio.sleep(0.05)
        # What is known to be at work is renewed.
        later = await one.runs.batch(batch.id + 1)
        assert later is not None
        assert (await living.claim(later.judge_version, later.items)).taken == later.items
        await asyncio.sleep(1)
        assert (await another.claim(later.judge_version, later.items)).busy == later.items
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
