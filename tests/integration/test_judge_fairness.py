"""Turns on the bus, and what replicas tell each other, on a real database."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from uuid import UUID

import orjson
import pytest

from medvid.benchmark.caption_pairs import CaptionPair, JudgingPlan, MatchedPair
from medvid.judging.estimates import estimate
from medvid.judging.plans import store
from services.judge.runs import Pause, QueuedRun, RunPolicy, Settlement
from services.judge.verdict import ProviderDown, ProviderState
from shared.contracts.messages import Envelope, JudgingBatch, JudgingRequested
from shared.storage.database import Database
from tests.depth import deep
from tests.fakes.grader import FakeGrader, ungraded, version
from tests.judging import (
    FIGURES,
    Replica,
    judging,
    look_after,
    reaches,
    replica,
    request_run,
    resume_run,
    run_row,
)
from tests.rows import accept_submission

POLICY = RunPolicy(batch_items=4, window_batches=16, tries=3)
SMALL, LARGE = 16, 1600
NOTHING = estimate([], 1, 0, FIGURES)


def a_plan(name: str, pairs: int) -> JudgingPlan:
    """Return a plan of so many pairs of its own."""
    return JudgingPlan(
        texts=tuple(CaptionPair(f"{name} {number}", "truth") for number in range(pairs)),
        pairs={
            "vs_llm": tuple(MatchedPair(number, "AVOS", number, None) for number in range(pairs)),
            "rc_llm": (),
            "dvc_llm": (),
        },
        records={"vs_llm": {"AVOS": pairs}, "rc_llm": {}, "dvc_llm": {}},
    )


class Fleet:
    """One queue, worked off in order, a batch at a time, by a judge that always answers."""

    def __init__(self, database: Database) -> None:
        self.database = database
        one = replica(database, FakeGrader(), POLICY)
        self.runs, self.start = one.runs, one.start
        self.names: dict[UUID, str] = {}
        self.queue: deque[JudgingBatch] = deque()
        self.left: Counter[UUID] = Counter()
        self.order: list[str] = []
        """Names of runs, in the order of their batches."""

    async def begin(self, name: str, owner: str, pairs: int) -> None:
        stored = await accept_submission(self.database, name)
        await self.database.pool.execute(
            "UPDATE entries SET organization = $2 WHERE id = $1", stored.entry_id, owner
        )
        run_id = await request_run(self.database, stored.submission_id)
        self.names[run_id] = name
        run = QueuedRun(run_id, stored.submission_id, "", 1, planned=False)
        request = JudgingRequested(submission_id=stored.submission_id, run_id=run_id)
        envelope = Envelope.wrap(request)
        plan, size = store(a_plan(name, pairs)), POLICY.batch_items or 0
        await self.start.begin(envelope, run, plan, {version().hash: NOTHING}, size)
        self.left[run_id] = pairs
        await self.deliver()

    async def deliver(self) -> None:
        """Take what the outbox holds onto the queue, as the relay does."""
        rows = await self.database.pool.fetch(
            "DELETE FROM outbox WHERE type = 'judging.batch' RETURNING position, body"
        )
        for row in sorted(rows, key=lambda row: int(row["position"])):
            message = Envelope.parse(row["body"]).message()
            assert isinstance(message, JudgingBatch)
            self.queue.append(message)

    async def work(self, batches: int) -> None:
        """Judge so many batches, or until there is none."""
        for _ in range(batches):
            if not self.queue:
                return
            message = self.queue.popleft()
            batch = await self.runs.batch(message.batch_id)
            assert batch is not None
            settled = Settlement(scored=batch.items)
            await self.runs.settle(Envelope.wrap(message), batch, settled)
            self.order.append(self.names[batch.run_id])
            self.left[batch.run_id] -= len(batch.items)
            await self.deliver()


async def test_nobody_starves_beside_a_hundred_times_as_many_pairs(database: Database) -> None:
    fleet = Fleet(database)
    await fleet.begin("large", "one", LARGE)
    for number in range(9):
        await fleet.begin(f"small {number}", "one" if number % 2 else "two", SMALL)
    batches_of_small = 9 * SMALL // POLICY.batch_items
    await fleet.work(3 * batches_of_small)
    left = {fleet.names[run_id]: pairs for run_id, pairs in fleet.left.items()}
    assert {name: pairs for name, pairs in left.items() if pairs} == {"large": left["large"]}
    assert 0 < left["large"] < LARGE  # which was not stopped for them either


@deep
async def test_an_owner_gets_no_more_by_sending_more(database: Database) -> None:
    fleet = Fleet(database)
    for number in range(12):
        await fleet.begin(f"many {number}", "greedy", 200)
    await fleet.begin("single", "modest", 200)
    await fleet.work(10_000)
    last = max(at for at, name in enumerate(fleet.order) if name == "single")
    batches = 200 // POLICY.batch_items
    # Half of the turns are the modest owner's, beside the batches that were on the bus before.
    assert last < 2 * batches + 2 * POLICY.window_batches
    begun = set(fleet.order[: 4 * POLICY.window_batches])
    assert len(begun) == 13  # and the greedy one's runs take turns among themselves
    assert not fleet.left.total()


@pytest.fixture
async def paused(database: Database) -> tuple[Replica, Replica, UUID]:
    """Two replicas, and a run that one of them has paused since the provider is down."""
    one, two = (replica(database, FakeGrader()) for _ in range(2))
    stored = await accept_submission(database)
    run_id = await request_run(database, stored.submission_id)
    request = JudgingRequested(submission_id=stored.submission_id, run_id=run_id)
    await one.start(Envelope.wrap(request), request)
    batch = await one.runs.batch(await database.pool.fetchval("SELECT min(id) FROM judge_batches"))
    assert batch is not None
    pause = Settlement(pause=Pause("provider_down", "503", down_seconds=0))
    await one.runs.settle(Envelope.wrap(request), batch, pause)
    assert (await run_row(database, run_id))["state"] == "paused"
    return one, two, run_id


async def test_any_replica_resumes_and_one_at_a_time_asks(
    database: Database, paused: tuple[Replica, Replica, UUID]
) -> None:
    one, two, run_id = paused
    upkeep, name = one.upkeep, version().hash
    claims = await asyncio.gather(*(upkeep.may_probe(name, 60) for _ in range(8)))
    assert sorted(claims) == [False] * 7 + [True]
    await look_after(database, two)  # somebody is asking
    assert (await run_row(database, run_id))["state"] == "paused"
    await upkeep.provider_is_down(name, "still", 0)
    await look_after(database, two)
    assert (await run_row(database, run_id))["state"] == "queued"


async def test_replicas_hear_of_an_outage_and_of_its_end_with_their_next_batch(
    database: Database, paused: tuple[Replica, Replica, UUID]
) -> None:
    one, two, _ = paused
    batch_id = await database.pool.fetchval("SELECT min(id) FROM judge_batches")
    batch = await two.runs.batch(batch_id)
    assert batch is not None
    assert batch.provider is not None
    assert batch.provider.down_seconds == 0
    assert batch.provider.reason == "503"
    await look_after(database, one)
    after = await two.runs.batch(batch_id)
    assert after is not None
    assert isinstance(after.provider, ProviderState)
    assert after.provider.down_seconds is None
    assert after.provider.at > batch.provider.at


async def test_a_month_that_was_spent_resumes_when_it_is_over(database: Database) -> None:
    stored = await accept_submission(database)
    one = replica(database, FakeGrader())
    run_id = await request_run(database, stored.submission_id)
    await database.pool.execute(
        "UPDATE judge_runs SET state = 'paused', reason = 'budget_month', detail = 'spent'"
    )
    await look_after(database, one)
    assert (await run_row(database, run_id))["state"] == "paused"
    await database.pool.execute("UPDATE judge_runs SET changed_at = now() - interval '1 month'")
    await look_after(database, one)
    assert (await run_row(database, run_id))["state"] == "queued"


async def test_a_run_with_bad_replies_is_tried_again_after_ever_longer_pauses(
    database: Database,
) -> None:
    stored = await accept_submission(database)
    one = replica(database, FakeGrader())
    run_id = await request_run(database, stored.submission_id)

    async def pause_and_wait(seconds: int) -> bool:
        """Pause the run, let so many seconds pass; tell whether it is tried again."""
        await database.pool.execute(
            "UPDATE judge_runs SET state = 'paused', reason = 'bad_replies', detail = 'no verdicts'"
            " WHERE state <> 'paused'"
        )
        await database.pool.execute(
            "UPDATE judge_runs SET changed_at = now() - make_interval(secs => $1)", seconds
        )
        return run_id in await one.upkeep.with_bad_replies(10)

    assert not await pause_and_wait(9)
    assert await pause_and_wait(11)
    await one.upkeep.resume(run_id)
    assert not await pause_and_wait(11)
    assert await pause_and_wait(21)


@deep
async def test_a_judge_that_answers_no_verdict_pauses_the_run_and_a_better_one_ends_it(
    database: Database,
) -> None:
    """Pairs that were left without a verdict are asked for again."""
    stored = await accept_submission(database)
    bad: list[bool] = []

    def script(*_: object) -> object:
        bad.append(True)
        if len(bad) > 6:
            raise ProviderDown("enough", seconds=0)
        return ungraded("malformed")

    grader = FakeGrader(script)  # type: ignore[arg-type]
    async with judging(database, [replica(database, grader)]):
        run_id = await request_run(database, stored.submission_id)
        await reaches(database, run_id, "paused")
        grader.script = None
        await resume_run(database, run_id)
        run = await reaches(database, run_id, "completed")
    assert run["items_unscored"] == 0
    facts = orjson.loads(await database.pool.fetchval("SELECT facts::text FROM judge_results"))
    assert facts["metrics"]["vs_llm"]["coverage"] == 1
