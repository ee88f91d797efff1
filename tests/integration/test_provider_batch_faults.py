"""Providers that promise more than they keep, and settings that change while a batch is open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from medvid.judging.batch_api import BatchApi, ProviderBatch
from services.judge import app as judge
from services.judge.open_judge import judge_version, rubric_of
from services.judge.settings import JudgeSettings
from services.judge.stray_batches import StrayBatches
from services.judge.stub.batches import BatchFaults
from services.judge.stub.server import MODEL, Faults, Stub
from shared.messaging.local import LocalBus
from shared.messaging.relay import Relay
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.ops import Readiness
from shared.storage.database import Database
from tests.batching import (
    Batcher,
    Death,
    Killed,
    add_provider_batch,
    batching,
    leftovers,
    lose_leases,
    states,
)
from tests.depth import deep
from tests.judging import FEW, judging, plan_of, reaches, run_row
from tests.providers import spent
from tests.rows import accept_submission

PAIRS = len(plan_of(FEW).texts)
NOTHING_LEFT = {"judge_claims": 0, "judge_spending_leases": 0}


async def started(one: Batcher, database: Database, name: str = "A model") -> UUID:
    stored = await accept_submission(database, name, FEW)
    return await one.start(database, stored.submission_id)


async def until_at_provider(one: Batcher, database: Database) -> None:
    await one.steps.planner.look()
    while await states(database) != [("in_progress", None)]:
        await one.steps.step()


@pytest.mark.parametrize(
    "faults", [BatchFaults(torn=2), BatchFaults(late=3), BatchFaults(under_way="pending", looks=2)]
)
async def test_a_provider_that_is_not_ready_yet_is_asked_again_and_nothing_is_paid_twice(
    database: Database, faults: BatchFaults
) -> None:
    async with batching(database, Stub(Faults(batches=faults))) as one:
        run_id = await started(one, database)
        run = await one.until(database, run_id, "completed", "paused", "failed")
        await one.steps.look()
    assert run["state"] == "completed", run["detail"]
    assert set(one.stub.answered.values()) == {1}
    assert await database.pool.fetchval("SELECT answered FROM judge_provider_batches") == PAIRS
    assert await leftovers(database) == NOTHING_LEFT


async def test_a_batch_whose_answers_never_come_counts_as_spent(database: Database) -> None:
    stub = Stub(Faults(batches=BatchFaults(late=1000)))
    async with batching(database, stub) as one, judging(database, [one.one]):
        run_id = await started(one, database)
        await one.until(database, run_id, "completed")
        await one.steps.look()
    assert await states(database) == [("done", "lost")]
    half = await database.pool.fetchval("SELECT reserved_microusd FROM judge_provider_batches")
    assert await spent(database) > half - PAIRS
    assert await leftovers(database) == NOTHING_LEFT


@deep
async def test_an_account_that_takes_no_more_gets_the_next_file_later(database: Database) -> None:
    stub = Stub(Faults(batches=BatchFaults(most_waiting=8, looks=2)))
    async with batching(database, stub, lines=8) as one:
        run_id = await started(one, database)
        run = await one.until(database, run_id, "completed", "paused", "failed")
        await one.steps.look()
    assert run["state"] == "completed", run["detail"]
    ends = [ended for _, ended in await states(database)]
    assert ends.count("failed") > 0
    assert ends.count("completed") == -(-PAIRS // 8)
    assert set(stub.answered.values()) == {1}
    assert await leftovers(database) == NOTHING_LEFT


async def test_a_file_that_alone_is_too_much_waits_for_a_person(database: Database) -> None:
    stub = Stub(Faults(batches=BatchFaults(most_waiting=1)))
    async with batching(database, stub, lines=8) as one:
        run_id = await started(one, database)
        run = await one.until(database, run_id, "completed", "paused")
    assert run["reason"] == "needs_operator"
    assert "Enqueued token limit reached" in run["detail"]


async def test_a_run_that_is_paused_begins_no_batch(database: Database) -> None:
    async with batching(database) as one:
        run_id = await started(one, database)
        await one.steps.planner.look()
        await database.pool.execute(
            "UPDATE judge_runs SET state = 'paused', reason = 'judging_held' WHERE id = $1", run_id
        )
        await one.steps.look()
    assert await states(database) == [("done", "abandoned")]
    assert (one.stub.batches.made, one.stub.batches.files) == ({}, {})
    assert await leftovers(database) == NOTHING_LEFT


async def test_a_batch_that_never_ends_is_called_back_and_then_lost(database: Database) -> None:
    async def age(hours: int) -> None:
        await database.pool.execute(
            "UPDATE judge_provider_batches SET submitted_at = now() - make_interval(hours => $1)",
            hours,
        )

    stub = Stub(Faults(batches=BatchFaults(looks=1000)))
    async with batching(database, stub) as one:
        await started(one, database)
        await until_at_provider(one, database)
        await age(48)
        await one.steps.step()
        (made,) = stub.batches.made.values()
        assert made.facts["status"] == "cancelling"
        assert await states(database) == [("in_progress", None)]
        await age(50)
        await one.steps.step()
    ((_, ended),) = await states(database)
    assert ended == "lost"


async def test_a_creation_that_was_lost_is_found_though_the_key_may_not_list_for_a_while(
    database: Database,
) -> None:
    stub, death = Stub(Faults(batches=BatchFaults(looks=1))), Death("after create")
    async with batching(database, stub, death=death) as one:
        run_id = await started(one, database)
        death.arm()
        with pytest.raises(Killed):
            await one.steps.look()
        assert await states(database) == [("submitting", None)]
        assert len(stub.batches.made) == 1
        await lose_leases(database)
        async with batching(database, stub, url=one.url) as other:
            stub.be(Faults(batches=BatchFaults(lists=False)))
            await other.steps.step()
            assert await states(database) == [("submitting", None)], "it is paid for, and kept"
            assert (await run_row(database, run_id))["state"] == "paused"
            stub.be(Faults())
            await database.pool.execute("UPDATE judge_provider_batches SET due_at = now()")
            await other.steps.look()
    assert len(stub.batches.made) == 1
    assert set(stub.answered.values()) == {1}
    assert await database.pool.fetchval("SELECT count(*) FROM judge_verdicts") > 0
    assert await leftovers(database) == NOTHING_LEFT


async def test_a_batch_that_breaks_its_step_keeps_no_other_waiting(database: Database) -> None:
    class Odd(BatchApi):
        async def look(self, batch_id: str) -> ProviderBatch:
            if batch_id == "batch-0":
                raise KeyError("what nobody thought of")
            return await super().look(batch_id)

    async with batching(database) as one:
        run_id = await started(one, database)
        odd = await add_provider_batch(database, run_id, "in_progress")
        await database.pool.execute(
            "UPDATE judge_provider_batches SET endpoint = $2, due_at = now() - interval '1 hour'"
            " WHERE id = $1",
            odd, one.steps.rows.endpoint,
        )  # fmt: skip
        api = Odd(one.steps.api.endpoint)
        one.steps = replace(one.steps, api=api, pace=replace(one.steps.pace, poll=60.0))
        run = await one.until(database, run_id, "completed", "paused")
        assert run["state"] == "completed", run["detail"]
        problem = "SELECT problem FROM judge_provider_batches WHERE id = $1"
        assert await database.pool.fetchval(problem, odd) == "the step fails: KeyError"


@pytest.mark.parametrize(
    ("state", "hours", "ended"),
    [
        ("planned", 1, None),
        ("planned", 2, "abandoned"),
        ("uploaded", 2, "abandoned"),
        ("submitting", 40, None),
        ("in_progress", 40, None),
        ("in_progress", 50, "lost"),
        ("collecting", 50, "lost"),
        ("deleting", 2, "completed"),
    ],
)
async def test_a_batch_at_an_address_that_nobody_has_any_more_comes_to_an_end(
    database: Database, state: str, hours: int, ended: str | None
) -> None:
    async with batching(database) as one:
        run_id = await started(one, database)
        added = await add_provider_batch(database, run_id, state)
        await database.pool.execute(
            "UPDATE judge_provider_batches SET created_at = now() - $2 * interval '1 hour',"
            " submitted_at = now() - $2 * interval '1 hour',"
            " due_at = now() - least($2 - 0.5, 2) * interval '1 hour' WHERE id = $1",
            added, hours,
        )  # fmt: skip
        stray = StrayBatches(one.steps.rows, one.steps.settler, [one.steps.rows.endpoint])
        await stray.look()
        row = await database.pool.fetchrow(
            "SELECT state, ended FROM judge_provider_batches WHERE id = $1", added
        )
    assert row is not None
    if ended is None:
        assert row["state"] == state
    else:
        assert (row["state"] in ("deleting", "done"), row["ended"]) == (True, ended)


def of_one(_: Path, url: str) -> dict[str, Any]:
    return {"judge_provider": "openai", "judge_model": MODEL, "judge_base_url": url}


def of_pool(folder: Path, url: str) -> dict[str, Any]:
    file = folder / "pool.toml"
    file.write_text(f'[[endpoint]]\nname = "one"\nbase_url = "{url}"\n')
    return {"judge_provider": "openai", "judge_model": MODEL, "judge_pool": file}


def of_panel(folder: Path, url: str) -> dict[str, Any]:
    file = folder / "judges.toml"
    file.write_text(
        f'[[judge]]\nprovider = "openai"\nmodel = "{MODEL}"\nbase_url = "{url}"\n'
        '[[judge]]\nprovider = "stub"\nstub_salt = "b"\n'
    )
    return {"judges": file}


@deep
@pytest.mark.parametrize(
    "settings_of", [of_pool, *(pytest.param(each, marks=deep) for each in (of_one, of_panel))]
)
async def test_what_was_sent_comes_back_whatever_judges_now(
    database: Database, tmp_path: Path, settings_of: Any
) -> None:
    """Batches are off, no price is set, and a pool or a panel stands where one endpoint stood."""
    stub = Stub(Faults(batches=BatchFaults(looks=1)))
    single = JudgeSettings.model_validate(of_one(tmp_path, "http://localhost/v1"))
    version = judge_version(single, rubric_of(single))
    async with batching(database, stub, lines=8, judge=version) as one:
        run_id = await started(one, database)
        await one.steps.planner.look()
        while ("in_progress", None) not in await states(database):
            await one.steps.step()
        settings = JudgeSettings(
            judge_patrol_seconds=0.1, judge_due_seconds=0.1, judge_batch_poll_seconds=0.1,
            judge_still_seconds=0.5, judge_lost_seconds=0.5, judge_claim_seconds=1,
            **settings_of(tmp_path, one.url),
        )  # fmt: skip
        bus = LocalBus(database)
        base = Infrastructure(database, bus, Readiness({}))
        base.background("relay", Relay(database, bus, poll_seconds=0.1).run)
        try:
            async with judge.run(base, settings):
                await reaches(database, run_id, "completed")
        finally:
            await base.close()
            await bus.close()
    assert await database.pool.fetchval("SELECT sum(answered) FROM judge_provider_batches") > 0
    assert set(stub.answered.values()) == {1}
    assert (await leftovers(database))["judge_claims"] == 0
    held = "SELECT count(*) FROM judge_spending_leases WHERE expires_at = 'infinity'"
    assert await database.pool.fetchval(held) == 0
    assert await spent(database) > 0
