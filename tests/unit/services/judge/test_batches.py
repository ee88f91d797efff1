"""The judge's handlers over fakes: who is asked, what is kept, what a run does next."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from uuid import UUID, uuid4

import pytest

from medvid.benchmark.tasks import Task
from services.judge.batches import JudgeBatch
from services.judge.runs import Batch, Claims, Item, Pause, RunPolicy, Settlement
from services.judge.verdict import (
    BadReplies,
    BudgetExhausted,
    Pair,
    ProviderDown,
    TryLater,
    Verdict,
)
from shared.contracts.messages import Envelope, JudgingBatch
from tests.fakes.grader import FakeGrader, ungraded
from tests.judging import judges_of

RUN = uuid4()
MESSAGE = JudgingBatch(submission_id=uuid4(), run_id=RUN, batch_id=1)
ENVELOPE = Envelope.wrap(MESSAGE)
POLICY = RunPolicy(tries=3, busy_seconds=2, longest_delay_seconds=60)


def items(count: int, tries: int = 0) -> list[Item]:
    return [
        Item(n, 0, bytes([n]) * 32, Pair(f"p{n}", f"r{n}", Task.VIDEO_SUMMARY), tries)
        for n in range(count)
    ]


class Memory:
    """Implements what JudgeBatch needs of Runs and Verdicts."""

    def __init__(self, batch: Batch | None, claimed: Claims | None = None) -> None:
        self._batch = batch
        self._claimed = claimed
        self.settled: list[Settlement] = []
        self.closed: list[UUID] = []
        self.saved: list[tuple[Item, Verdict]] = []
        self.released: list[Item] = []

    async def batch(self, _: int) -> Batch | None:
        return self._batch

    async def settle(self, _: Envelope, __: Batch, settlement: Settlement) -> None:
        self.settled.append(settlement)

    async def close(self, run_id: UUID) -> None:
        self.closed.append(run_id)

    async def claim(self, _: str, items: Sequence[Item]) -> Claims:
        return self._claimed or Claims(taken=items)

    async def save(self, _: str, item: Item, grade: Verdict) -> None:
        self.saved.append((item, grade))

    async def release(self, _: str, items: Collection[Item]) -> None:
        self.released.extend(items)


def open_batch(
    grader: FakeGrader, wanted: Sequence[Item], state: str = "running", version: str = ""
) -> Batch:
    return Batch(1, RUN, uuid4(), state, version or grader.version.hash, wanted)


async def work(memory: Memory, grader: FakeGrader) -> None:
    judge = JudgeBatch(memory, memory, judges_of(grader), POLICY)  # type: ignore[arg-type]
    await judge(ENVELOPE, MESSAGE)


async def test_every_item_is_asked_for_once_and_kept() -> None:
    grader = FakeGrader()
    memory = Memory(open_batch(grader, items(3)))
    await work(memory, grader)
    assert [item.ordinal for item, _ in memory.saved] == [0, 1, 2]
    (settled,) = memory.settled
    assert (len(settled.scored), settled.unscored, settled.pause) == (3, [], None)
    assert memory.closed == [RUN]


async def test_known_and_busy_items_are_not_paid_for() -> None:
    grader = FakeGrader()
    ours, known, busy = items(3)
    memory = Memory(
        open_batch(grader, [ours, known, busy]), Claims(taken=[ours], known=[known], busy=[busy])
    )
    await work(memory, grader)
    assert set(grader.calls) == {("p0", "r0")}
    (settled,) = memory.settled
    assert list(settled.scored) == [known, ours]
    assert settled.delay == POLICY.busy_seconds


async def test_a_batch_that_is_done_only_closes_the_run() -> None:
    memory = Memory(None)
    await work(memory, FakeGrader())
    assert (memory.settled, memory.closed) == ([], [RUN])


@pytest.mark.parametrize("state", ["queued", "paused", "failed"])
async def test_nothing_is_asked_for_a_run_that_does_not_run(state: str) -> None:
    grader = FakeGrader()
    memory = Memory(open_batch(grader, items(2), state))
    await work(memory, grader)
    assert not grader.calls
    assert not memory.settled


async def test_a_replica_with_another_judge_leaves_the_batch_to_others() -> None:
    grader = FakeGrader()
    memory = Memory(open_batch(grader, items(2), version="f" * 64))
    await work(memory, grader)
    assert not grader.calls
    assert memory.settled[0].delay > 0


async def test_unscored_verdicts_are_kept_too() -> None:
    grader = FakeGrader(lambda pair, _: ungraded("malformed") if pair.prediction == "p0" else None)
    memory = Memory(open_batch(grader, items(2)))
    await work(memory, grader)
    (settled,) = memory.settled
    assert [item.ordinal for item in settled.unscored] == [0]
    assert [item.ordinal for item in settled.scored] == [1]


def refusing(error: Exception) -> FakeGrader:
    def script(pair: Pair, _: int) -> Verdict | None:
        if pair.prediction == "p0":
            raise error
        return None

    return FakeGrader(script)


async def test_what_is_retried_waits_as_long_as_the_provider_asks_to_a_cap() -> None:
    for told, expected in ((7.0, 7.0), (1e6, POLICY.longest_delay_seconds)):
        grader = refusing(TryLater(told, "slow down"))
        memory = Memory(open_batch(grader, items(2)))
        await work(memory, grader)
        (settled,) = memory.settled
        assert [item.ordinal for item in settled.retried] == [0]
        assert settled.delay == expected
        assert [item.ordinal for item in memory.released] == [0]


async def test_the_last_try_ends_unscored_with_the_reason() -> None:
    grader = refusing(TryLater(1, "slow down"))
    memory = Memory(open_batch(grader, items(1, tries=POLICY.tries - 1)))
    await work(memory, grader)
    ((_, grade),) = memory.saved
    assert grade.scores is None
    assert grade.unscored_reason == "given_up"
    assert "slow down" in grade.detail
    assert not memory.settled[0].retried


async def test_waiting_for_our_own_limits_uses_up_no_try() -> None:
    grader = refusing(TryLater(3, "the rate is used up", counts=False))
    memory = Memory(open_batch(grader, items(2, tries=POLICY.tries - 1)))
    await work(memory, grader)
    (settled,) = memory.settled
    assert not settled.retried
    assert not settled.unscored
    assert settled.delay == 3
    assert [item.ordinal for item in memory.released] == [0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ProviderDown("gone", seconds=7), "provider_down"),
        (BadReplies("six in a row"), "bad_replies"),
        (BudgetExhausted("run", "spent"), "budget_run"),
        (BudgetExhausted("month", "spent"), "budget_month"),
    ],
)
async def test_refusals_pause_the_run_and_keep_what_was_answered(
    error: Exception, reason: str
) -> None:
    grader = refusing(error)
    memory = Memory(open_batch(grader, items(3)))
    await work(memory, grader)
    (settled,) = memory.settled
    assert settled.pause == Pause(reason, str(error), 7 if reason == "provider_down" else None)
    assert len(settled.scored) == 2
    assert [item.ordinal for item in memory.released] == [0]


async def test_a_failure_lets_every_claim_go_and_is_told() -> None:
    grader = refusing(ZeroDivisionError("a bug"))
    memory = Memory(open_batch(grader, items(3)))
    with pytest.raises(ZeroDivisionError):
        await work(memory, grader)
    assert len(memory.released) == 3
    assert len(memory.saved) == 2  # calls under way were paid for, and are kept
    assert not memory.settled


async def test_a_shutdown_in_the_middle_lets_claims_go() -> None:
    grader = FakeGrader(hold=asyncio.Event())
    memory = Memory(open_batch(grader, items(2)))
    task = asyncio.create_task(work(memory, grader))
    await grader.called.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(memory.released) == 2
