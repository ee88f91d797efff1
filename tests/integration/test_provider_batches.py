"""Judging in the provider's batches: each pair paid once, at half the price; none left behind."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import orjson
import pytest

from medvid.judging import standin
from medvid.judging.aggregate import aggregate
from medvid.judging.forms import FormChoice
from services.judge.budgets import Caps
from services.judge.provider_batches import NotHeld
from services.judge.stub.batches import BatchFaults
from services.judge.stub.server import Faults, Stub
from shared.storage.database import Database
from tests.batching import Batcher, Death, Killed, batching, leftovers, lose_leases, states
from tests.depth import deep, some_of
from tests.judging import FEW, HALF, judging, plan_of, reaches, request_run, resume_run, run_row
from tests.providers import PRICE, spent
from tests.rows import accept_submission

PAIRS = len(plan_of(FEW).texts)
POINTS = 110
"""Before and after each request and each write of a run in two files."""


async def few(database: Database, name: str = "A model") -> UUID:
    return (await accept_submission(database, name, FEW)).submission_id


async def scores(database: Database) -> dict[str, float]:
    rows = await database.pool.fetch("SELECT metric, compat FROM scores WHERE compat IS NOT NULL")
    return {row["metric"]: row["compat"] for row in rows}


def expected(payload: bytes) -> dict[str, float | None]:
    pairs = plan_of(payload)
    found = aggregate(pairs, [standin.judge(pair) for pair in pairs.texts])
    return {key: score.compat for key, score in found.items() if score.compat is not None}


async def cost(database: Database) -> int:
    return int(await database.pool.fetchval("SELECT sum(cost_microusd) FROM judge_verdicts"))


async def test_a_run_in_batches_ends_as_one_online_at_half_the_price(database: Database) -> None:
    async with batching(database, lines=8) as one:
        run_id = await one.start(database, await few(database))
        run = await one.until(database, run_id, "completed", "failed", "paused")
        await one.steps.look()  # its files are deleted
        assert run["state"] == "completed", run["detail"]
        assert set(one.stub.answered.values()) == {1}
        assert one.stub.answered.total() == PAIRS == run["items_done"]
        assert one.stub.batches.files == {}
    assert await scores(database) == expected(FEW)
    assert set(await states(database)) == {("done", "completed")}
    assert len(await states(database)) == -(-PAIRS // 8)
    assert await leftovers(database) == {"judge_claims": 0, "judge_spending_leases": 0}
    rows = await database.pool.fetch("SELECT * FROM judge_verdicts")
    half = PRICE.by_batch
    assert [row["cost_microusd"] for row in rows] == [
        half.cost(row["prompt_tokens"], row["completion_tokens"]) for row in rows
    ]
    assert await spent(database) == await cost(database)
    booked = await database.pool.fetchval("SELECT sum(spent_microusd) FROM judge_costs")
    assert booked == await spent(database)
    estimate = orjson.loads(run["estimate"])
    assert estimate["fast_usd"] == pytest.approx(2 * estimate["usd"], rel=1e-3)


async def test_what_is_missing_goes_online_and_no_pair_is_paid_twice(database: Database) -> None:
    faults = BatchFaults(lost=0.1, repeated=0.1, failing=0.1, ends=("expired", "cancelled"), seed=5)
    stub = Stub(Faults(batches=faults))
    texts = len(plan_of(HALF).texts)
    async with batching(database, stub, lines=80) as one, judging(database, [one.one]):
        submission = await accept_submission(database, payload=HALF)
        run_id = await request_run(database, submission.submission_id)
        run = await one.until(database, run_id, "completed", "failed", "paused")
        await one.steps.look()
    assert (run["state"], run["items_unscored"]) == ("completed", 0), run["detail"]
    assert await scores(database) == expected(HALF)
    assert stub.answered.total() == texts
    assert set(stub.answered.values()) == {1}
    assert min(stub.batches.injected[fault] for fault in ("lost", "repeated", "failing_line")) > 0
    assert Counter(await states(database)) == Counter(
        {("done", "expired"): 1, ("done", "cancelled"): 1, ("done", "completed"): 2}
    )
    in_batches = await database.pool.fetchval("SELECT sum(answered) FROM judge_provider_batches")
    assert texts / 2 < in_batches < texts
    assert await leftovers(database) == {"judge_claims": 0, "judge_spending_leases": 0}


async def lives(one: Batcher, database: Database, run_id: UUID) -> bool:
    """Take steps until the run has ended and no step is due; False where it died before."""
    try:
        await one.until(database, run_id, "completed")
        await one.steps.look()
    except Killed:
        return False
    return True


async def judged_with(database: Database, death: Death) -> bool:
    """Judge with a replica that may die, then with another; tell whether it died."""
    stub = Stub()
    async with batching(database, stub, death=death, lines=20) as one:
        run_id = await one.start(database, await few(database))
        death.arm()
        died = not await lives(one, database, run_id)
        if died:
            await lose_leases(database)
            async with batching(database, stub, url=one.url, lines=20) as other:
                assert await lives(other, database, run_id)
    assert stub.answered.total() == PAIRS
    assert set(stub.answered.values()) == {1}
    assert len(stub.batches.made) == 2
    assert await scores(database) == expected(FEW)
    assert await leftovers(database) == {"judge_claims": 0, "judge_spending_leases": 0}
    assert await spent(database) == await cost(database)
    assert set(await states(database)) == {("done", "completed")}
    return died


@pytest.mark.parametrize(
    "point", some_of(("after create", "before commit 3", "after read"), "after create")
)
async def test_another_replica_goes_on_where_one_was_killed(database: Database, point: str) -> None:
    assert await judged_with(database, Death(point))


@deep
@pytest.mark.parametrize("at", range(POINTS + 1))
async def test_another_replica_goes_on_wherever_one_was_killed(database: Database, at: int) -> None:
    assert await judged_with(database, Death(at)) == (at < POINTS)


async def test_a_fast_run_is_judged_online(database: Database) -> None:
    async with batching(database) as one, judging(database, [one.one]):
        run_id = await request_run(database, await few(database), fast=True)
        run = await one.until(database, run_id, "completed", "failed", "paused")
    assert run["state"] == "completed", run["detail"]
    assert await states(database) == []
    estimate = orjson.loads(run["estimate"])
    assert estimate["usd"] == estimate["fast_usd"] > 0


@pytest.mark.parametrize(
    "change", some_of(("fast = true", "state = 'paused', reason = 'administrator'"), "fast = true")
)
async def test_a_batch_that_is_not_wanted_any_more_is_cancelled(
    database: Database, change: str
) -> None:
    stub = Stub(Faults(batches=BatchFaults(looks=3)))
    async with batching(database, stub) as one:
        submission_id = await few(database)
        run_id = await one.start(database, submission_id)
        await one.steps.planner.look()
        while await states(database) != [("in_progress", None)]:
            await one.steps.step()
        await database.pool.execute(f"UPDATE judge_runs SET {change}")  # noqa: S608
        while await one.steps.step():
            pass
        assert await states(database) == [("done", "cancelled")]
        assert stub.answered.total() == PAIRS // 2  # what was answered is kept, and paid
        assert (await run_row(database, run_id))["items_done"] == PAIRS // 2
        stub.be(Faults())
        async with judging(database, [one.one]):
            if (await run_row(database, run_id))["state"] == "paused":
                await resume_run(database, run_id)
            await one.until(database, run_id, "completed")
    assert set(stub.answered.values()) == {1}
    assert await scores(database) == expected(FEW)
    assert await spent(database) == await cost(database)


async def test_a_file_that_was_not_submitted_is_given_up_with_its_run(database: Database) -> None:
    async with batching(database) as one:
        run_id = await one.start(database, await few(database))
        await one.steps.planner.look()
        await one.steps.step()
        assert await states(database) == [("uploaded", None)]
        await database.pool.execute(
            "UPDATE judge_runs SET state = 'failed', reason = 'withdrawn' WHERE id = $1", run_id
        )
        await one.steps.look()
    assert await states(database) == [("done", "abandoned")]
    assert one.stub.batches.made == {}
    assert one.stub.batches.files == {}
    assert await leftovers(database) == {"judge_claims": 0, "judge_spending_leases": 0}


@deep  # it waits for a minute
async def test_pairs_that_are_at_the_provider_are_waited_for(database: Database) -> None:
    """Another run of the same texts, and the same run planned again: both find verdicts."""
    stub = Stub(Faults(batches=BatchFaults(looks=40)))
    async with batching(database, stub) as one, judging(database, [one.one]):
        first = await request_run(database, await few(database, "One"))
        await reaches(database, first, "running")
        await one.steps.planner.look()
        second = await request_run(database, await few(database, "Two"))
        await reaches(database, second, "running")
        await database.pool.execute(
            "UPDATE judge_runs SET state = 'paused', reason = 'budget_month' WHERE id = $1", first
        )
        await resume_run(database, first)
        for run_id in (first, second):
            await one.until(database, run_id, "completed")
    assert stub.answered.total() == PAIRS
    assert set(stub.answered.values()) == {1}


async def test_money_is_set_aside_for_as_much_as_there_is(database: Database) -> None:
    async with batching(database) as free:
        run_id = await free.start(database, await few(database))
        await free.steps.planner.look()
        row = await database.pool.fetchrow("SELECT * FROM judge_provider_batches")
        assert row is not None
        held = await database.pool.fetchval(
            "SELECT sum(reserved_microusd) FROM judge_spending_leases"
        )
        assert held == row["reserved_microusd"] > 0
        await free.until(database, run_id, "completed")
    assert await spent(database) < held


async def test_a_cap_cuts_a_run_into_files_that_follow_each_other(database: Database) -> None:
    caps = Caps(run=50_000)  # of 39,000 that all cost, and 74,000 that they may cost at most
    async with batching(database, caps=caps) as one:
        run_id = await one.start(database, await few(database))
        run = await one.until(database, run_id, "completed", "paused")
        await one.steps.look()
    assert run["state"] == "completed", run["detail"]
    assert len(await states(database)) > 1
    assert 25_000 < await spent(database) <= 50_000


async def test_a_run_whose_money_is_spent_is_paused(database: Database) -> None:
    async with batching(database, caps=Caps(run=20_000)) as one:
        run_id = await one.start(database, await few(database))
        run = await one.until(database, run_id, "completed", "paused")
        await one.steps.look()
    assert (run["state"], run["reason"]) == ("paused", "budget_run")
    assert 0 < await spent(database) <= 20_000
    assert await leftovers(database) == {"judge_claims": 0, "judge_spending_leases": 0}


async def test_a_provider_that_refuses_the_file_stops_the_run_for_a_person(
    database: Database,
) -> None:
    stub = Stub(Faults(batches=BatchFaults(ends=("failed",))))
    async with batching(database, stub) as one:
        submission_id = await few(database)
        run_id = await one.start(database, submission_id)
        run = await one.until(database, run_id, "completed", "paused")
        assert (run["state"], run["reason"]) == ("paused", "needs_operator")
        assert "line 1: The input file is invalid." in run["detail"]
        assert "MEDVID_JUDGE_BATCH_LINES" in run["detail"]
        await one.steps.look()
        assert await states(database) == [("done", "failed")]
        assert await leftovers(database) == {"judge_claims": 0, "judge_spending_leases": 0}


@deep
async def test_a_form_that_nobody_knows_is_found_online_first(database: Database) -> None:
    stub = Stub(Faults(refuses_schema=True))
    form = FormChoice()
    async with batching(database, stub, form=form) as one, judging(database, [one.one]):
        run_id = await request_run(database, await few(database))
        await one.until(database, run_id, "completed")
    assert await database.pool.fetchval("SELECT reply_form FROM judge_provider_batches") == "lines"
    row = await database.pool.fetchrow("SELECT sum(lines) AS lines, sum(answered) AS answered"
                                       " FROM judge_provider_batches")  # fmt: skip
    assert row is not None
    assert row["lines"] == row["answered"] == PAIRS - 4
    assert set(stub.answered.values()) == {1}


@deep
async def test_without_batches_what_was_sent_comes_back_and_the_rest_goes_online(
    database: Database,
) -> None:
    stub = Stub(Faults(batches=BatchFaults(looks=1)))
    async with batching(database, stub, lines=8) as one:
        run_id = await one.start(database, await few(database))
        row = await database.pool.fetchval("SELECT count(*) FROM judge_batches")
        await database.pool.execute(
            "UPDATE judge_batches SET due_at = due_at + interval '1 hour'"
            " WHERE id > (SELECT min(id) + 1 FROM judge_batches)"
        )
        await one.steps.planner.look()
        assert row > 2
        await database.pool.execute("UPDATE judge_batches SET due_at = now()")
        async with (
            batching(database, stub, url=one.url, is_on=False) as off,
            judging(database, [off.one]),
        ):
            await off.until(database, run_id, "completed")
    assert await database.pool.fetchval("SELECT sum(answered) FROM judge_provider_batches") == 8
    assert set(stub.answered.values()) == {1}


@deep
async def test_a_batch_that_the_provider_forgot_is_counted_as_spent(database: Database) -> None:
    stub = Stub(Faults(batches=BatchFaults(looks=1000)))
    async with batching(database, stub) as one:
        run_id = await one.start(database, await few(database))
        await one.steps.planner.look()
        while await states(database) != [("in_progress", None)]:
            await one.steps.step()
        reserved = await database.pool.fetchval(
            "SELECT reserved_microusd FROM judge_provider_batches"
        )
        stub.batches.made.clear()
        for _ in range(12):
            await one.steps.step()
        assert await states(database) == [("done", "lost")]
        assert reserved - PAIRS <= await spent(database) <= reserved
        assert (await run_row(database, run_id))["cost_estimated"]
        async with judging(database, [one.one]):
            await one.until(database, run_id, "completed")
    assert await leftovers(database) == {"judge_claims": 0, "judge_spending_leases": 0}


async def test_a_replica_that_lost_its_lease_writes_nothing(database: Database) -> None:
    async with batching(database) as one:
        await one.start(database, await few(database))
        await one.steps.planner.look()
        async with one.steps.rows.taken() as batch:
            assert batch is not None
            await lose_leases(database)
            async with (
                batching(database, one.stub, url=one.url) as other,
                other.steps.rows.taken() as taken,
            ):
                assert taken is not None
                assert taken.id == batch.id
                with pytest.raises(NotHeld):
                    await one.steps.rows.put(batch, "uploaded", file_id="file-of-the-slow")
        assert await states(database) == [("planned", None)]
