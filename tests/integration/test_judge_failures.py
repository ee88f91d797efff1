"""Judging where calls fail: pairs are tried again, runs pause or fail, and nothing is lost."""

from __future__ import annotations

import pytest

from medvid.benchmark.caption_pairs import JudgingPlan
from medvid.judging.aggregate import JudgeScore
from services.judge.runs import Pause, RunPolicy, Settlement
from services.judge.verdict import (
    FINAL,
    BudgetExhausted,
    Pair,
    ProviderDown,
    TryLater,
    Verdict,
)
from shared.contracts.messages import Envelope, JudgingRequested
from shared.storage.database import Database
from tests.depth import deep, some_of
from tests.fakes.grader import FakeGrader, ungraded
from tests.judging import (
    accept_few,
    as_values,
    judged_values,
    judging,
    look_after,
    reaches,
    replica,
    request_run,
    resume_run,
    run_row,
)


async def test_what_fails_for_now_comes_again_and_ends_unscored_after_the_last_try(
    database: Database, few: JudgingPlan
) -> None:
    stored = await accept_few(database)
    unlucky = few.texts[0]

    def script(pair: Pair, _: int) -> Verdict | None:
        if (pair.prediction, pair.reference) == tuple(unlucky):
            raise TryLater(0.01, "rate limit")
        return None

    grader = FakeGrader(script)
    async with judging(database, [replica(database, grader)]):
        run_id = await request_run(database, stored.submission_id)
        run = await reaches(database, run_id, "completed", "failed")
    assert grader.calls[tuple(unlucky)] == 3
    assert run["items_unscored"] == 1
    row = await database.pool.fetchrow("SELECT * FROM judge_verdicts WHERE scores IS NULL")
    assert row is not None
    assert row["unscored"] == "given_up"
    assert "rate limit" in row["detail"]


@deep
async def test_a_pair_that_is_throttled_while_others_are_answered_ends_in_time(
    database: Database, few: JudgingPlan
) -> None:
    stored = await accept_few(database)
    unlucky = few.texts[0]

    def script(pair: Pair, _: int) -> Verdict | None:
        if (pair.prediction, pair.reference) == tuple(unlucky):
            raise TryLater(0.0, "429: slow down", counts=False, throttled_alone=True)
        return None

    grader = FakeGrader(script)
    policy = RunPolicy(batch_items=4, window_batches=8, tries=1, busy_seconds=0.05)
    async with judging(database, [replica(database, grader, policy)]):
        run_id = await request_run(database, stored.submission_id)
        run = await reaches(database, run_id, "completed", "failed")
    assert grader.calls[tuple(unlucky)] == policy.most_throttled == 5
    assert (run["state"], run["items_unscored"]) == ("completed", 1)
    row = await database.pool.fetchrow("SELECT * FROM judge_verdicts WHERE scores IS NULL")
    assert row is not None
    assert row["unscored"] == "given_up"
    assert row["detail"] == (
        "refused 5 times for the rate, while others were answered, last: 429: slow down"
    )


async def test_too_much_unscored_is_tried_again_then_fails_and_a_resumed_run_tries_only_that(
    database: Database, few: JudgingPlan, expected: dict[str, JudgeScore]
) -> None:
    stored = await accept_few(database)
    bad = {tuple(text) for text in few.texts[::4]}

    def script(pair: Pair, _: int) -> Verdict | None:
        return ungraded("malformed") if (pair.prediction, pair.reference) in bad else None

    grader = FakeGrader(script)
    async with judging(database, [replica(database, grader)]):
        run_id = await request_run(database, stored.submission_id)
        for _ in range(3):
            run = await reaches(database, run_id, "paused", "completed", "failed")
            assert (run["state"], run["reason"]) == ("paused", "bad_replies")
            await resume_run(database, run_id)
        run = await reaches(database, run_id, "completed", "failed")
        assert (run["state"], run["reason"]) == ("failed", "too_many_unscored")
        assert run["items_unscored"] == len(bad)
        assert await judged_values(database) == {}
        grader.calls.clear()
        grader.script = None
        await resume_run(database, run_id)
        run = await reaches(database, run_id, "completed", "failed")
    assert run["state"] == "completed", run["detail"]
    assert set(grader.calls) == bad
    assert await judged_values(database) == as_values(expected)
    attempts = await database.pool.fetchval("SELECT max(attempts) FROM judge_verdicts")
    assert attempts == 9  # all times are paid for, and all are counted


@pytest.mark.parametrize("reason", some_of(FINAL, "reasoning_limit"))
async def test_too_much_that_no_second_call_changes_fails_at_once(
    database: Database, few: JudgingPlan, reason: str
) -> None:
    stored = await accept_few(database)
    bad = {tuple(text) for text in few.texts[::4]}

    def script(pair: Pair, _: int) -> Verdict | None:
        return ungraded(reason) if (pair.prediction, pair.reference) in bad else None

    grader = FakeGrader(script)
    async with judging(database, [replica(database, grader)]):
        run_id = await request_run(database, stored.submission_id)
        run = await reaches(database, run_id, "paused", "completed", "failed")
        assert (run["state"], run["reason"]) == ("failed", "too_many_unscored")
        assert run["items_unscored"] == len(bad)
        assert set(grader.calls.values()) == {1}
        await resume_run(database, run_id)  # a person has all of them asked for again
        await reaches(database, run_id, "paused", "completed", "failed")
    assert {text for text, calls in grader.calls.items() if calls == 2} == bad


@deep
async def test_a_machine_asks_again_only_for_what_a_second_call_may_change(
    database: Database, few: JudgingPlan
) -> None:
    stored = await accept_few(database)
    refused = tuple(few.texts[0])
    bad = {tuple(text) for text in few.texts[1::4]}

    def script(pair: Pair, _: int) -> Verdict | None:
        text = (pair.prediction, pair.reference)
        if text == refused:
            return ungraded("refused")
        return ungraded("malformed") if text in bad else None

    grader = FakeGrader(script)
    one = replica(database, grader)
    async with judging(database, [one]):
        run_id = await request_run(database, stored.submission_id)
        run = await reaches(database, run_id, "paused", "completed", "failed")
        assert (run["state"], run["reason"]) == ("paused", "bad_replies")
        grader.calls.clear()
        grader.script = lambda pair, _: (
            ungraded("refused") if (pair.prediction, pair.reference) == refused else None
        )
        await one.upkeep.resume(run_id)
        run = await reaches(database, run_id, "paused", "completed", "failed")
    assert (run["state"], run["reason"]) == ("completed", None), run["detail"]
    assert run["items_unscored"] == 1
    assert set(grader.calls) == bad


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        pytest.param(ProviderDown("nobody home", seconds=0), "provider_down", marks=deep),
        (BudgetExhausted("month", "all spent"), "budget_month"),
    ],
)
async def test_a_refusal_pauses_the_run_and_nothing_is_lost(
    database: Database,
    expected: dict[str, JudgeScore],
    refusal: ProviderDown | BudgetExhausted,
    reason: str,
) -> None:
    stored = await accept_few(database)
    answered = 0

    def script(_: Pair, __: int) -> Verdict | None:
        nonlocal answered
        answered += 1
        if answered > 10:
            raise refusal
        return None

    grader = FakeGrader(script)
    one = replica(database, grader)
    async with judging(database, [one]):
        run_id = await request_run(database, stored.submission_id)
        run = await reaches(database, run_id, "paused", "failed", "completed")
        assert (run["state"], run["reason"]) == ("paused", reason)
        grader.script = None
        grader.up = False
        await look_after(database, one)
        assert (await run_row(database, run_id))["state"] == "paused"
        grader.up = True
        await look_after(database, one)
        if reason == "budget_month":
            assert (await run_row(database, run_id))["state"] == "paused"
            await resume_run(database, run_id)
        await reaches(database, run_id, "completed")
    assert await judged_values(database) == as_values(expected)
    scored = await database.pool.fetchval("SELECT count(*) FROM judge_verdicts")
    assert scored == len(grader.calls)


async def test_a_straggler_of_before_the_resume_does_not_pause_the_run_again(
    database: Database,
) -> None:
    stored = await accept_few(database)
    run_id = await request_run(database, stored.submission_id)
    one = replica(database, FakeGrader())
    request = JudgingRequested(submission_id=stored.submission_id, run_id=run_id)
    await one.start(Envelope.wrap(request), request)
    batch = await one.runs.batch(await database.pool.fetchval("SELECT min(id) FROM judge_batches"))
    assert batch is not None
    pausing = Settlement(pause=Pause("provider_down", "gone"))
    await one.runs.settle(Envelope.wrap(request), batch, pausing)
    assert (await run_row(database, run_id))["state"] == "paused"
    await resume_run(database, run_id)
    await one.start(Envelope.wrap(request), request)
    await one.runs.settle(Envelope.wrap(request), batch, pausing)
    assert (await run_row(database, run_id))["state"] == "running"
