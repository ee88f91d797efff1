"""The judge's use cases: start a run, judge a batch of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from medvid.judging.estimates import CallFigures, Estimate, estimate
from medvid.judging.plans import StoredPlan
from medvid.judging.pricing import MICROUSD
from services.judge.ports import (
    BadReplies,
    BudgetExhausted,
    Grade,
    Grader,
    ProviderDown,
    TryLater,
)
from services.judge.run_ports import (
    Batch,
    Budget,
    Item,
    Pause,
    Planner,
    QueuedRun,
    RunPolicy,
    Runs,
    Settlement,
    Verdicts,
    given_up,
)
from shared.contracts.messages import Envelope
from shared.runtime.errors import Permanent

_OTHER_VERSION_SECONDS: Final = 5.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StartRun:
    """Plans a queued run and sends its first batches."""

    runs: Runs
    planner: Planner
    grader: Grader
    budget: Budget
    figures: CallFigures
    policy: RunPolicy

    async def __call__(self, envelope: Envelope, run_id: UUID) -> None:
        """Start the run, or fail it with a reason that its owner can read."""
        run = await self.runs.queued(run_id)
        if run is None:
            _log.info("judge_run_not_queued", run_id=str(run_id))
            return
        try:
            plan = await self._plan(run)
        except Permanent as error:
            await self.runs.fail(envelope, run_id, error.error_code, error.detail)
            return
        expected = await self._estimate(run, plan)
        left = await self.budget.left_microusd(run_id)
        if left is not None and expected.microusd > left:
            await self.runs.fail(envelope, run_id, "over_budget", _over_budget(expected, left))
            return
        nothing_left = await self.runs.begin(
            envelope, run, self.grader.version, plan, expected.public()
        )
        _log.info("judge_run_started", run_id=str(run_id), calls=expected.calls)
        if nothing_left:
            await self.runs.close(run_id)

    async def _plan(self, run: QueuedRun) -> StoredPlan | None:
        if run.planned:
            return None
        payload = await self.runs.payload(run.submission_id)
        return await self.planner.plan(payload, run.ground_truth_version)

    async def _estimate(self, run: QueuedRun, plan: StoredPlan | None) -> Estimate:
        version = self.grader.version.hash
        if plan is None:
            pairs = list(await self.runs.run_pairs(run.id))
        else:
            pairs = [(t.sha256, len(t.prediction) + len(t.reference)) for t in plan.texts]
        known = await self.runs.known(version, [sha256 for sha256, _ in pairs], run.repeats)
        return estimate(
            [length for _, length in pairs],
            run.repeats,
            known,
            self.figures,
            await self.runs.calls_per_second(version),
        )


def _over_budget(expected: Estimate, left: int) -> str:
    return (
        f"judging would cost about {expected.microusd / MICROUSD:.2f} USD, "
        f"and {left / MICROUSD:.2f} USD may still be spent."
    )


@dataclass(frozen=True, slots=True)
class _Turn:
    """What became of one item: a grade, or why there is none."""

    item: Item
    grade: Grade | None = None
    refusal: TryLater | ProviderDown | BadReplies | BudgetExhausted | None = None


@dataclass(frozen=True, slots=True)
class JudgeBatch:
    """Judges what is open of a batch; every verdict is kept as soon as it is there."""

    runs: Runs
    verdicts: Verdicts
    grader: Grader
    policy: RunPolicy

    async def __call__(self, envelope: Envelope, run_id: UUID, batch_id: int) -> None:
        """Work on a batch, unless it is done or its run does not run."""
        batch = await self.runs.batch(batch_id)
        if batch is None:
            # Whoever finished it may have died before closing the run.
            await self.runs.close(run_id)
            return
        if batch.run_state != "running":
            _log.info("judge_run_not_running", run_id=str(run_id), state=batch.run_state)
            return
        if batch.judge_version != self.grader.version.hash:
            # A replica with the run's own settings may take it; else the reaper plans it anew.
            settlement = Settlement(delay=_OTHER_VERSION_SECONDS)
        else:
            if batch.finding is not None:
                self.grader.learn(batch.finding)
            settlement = await self._judge(batch)
        await self.runs.settle(envelope, batch, settlement)
        await self.runs.close(run_id)

    async def _judge(self, batch: Batch) -> Settlement:
        version = batch.judge_version
        claimed = await self.verdicts.claim(version, batch.items)
        try:
            turns = await _all(self._take_turn(batch, item) for item in claimed.ours)
            turns = [await self._give_up_if_last(version, turn) for turn in turns]
        except BaseException:
            await asyncio.shield(self.verdicts.release(version, claimed.ours))
            raise
        left = [turn.item for turn in turns if turn.grade is None]
        if left:
            await self.verdicts.release(version, left)
        delay = _delay(turns, self.policy)
        if claimed.busy:
            delay = min(delay or self.policy.busy_seconds, self.policy.busy_seconds)
        return Settlement(
            scored=[*claimed.known, *(turn.item for turn in turns if _is_scored(turn))],
            unscored=[turn.item for turn in turns if turn.grade and not _is_scored(turn)],
            put_off=[turn.item for turn in turns if _counts(turn)],
            delay=delay,
            pause=_pause(turns),
        )

    async def _take_turn(self, batch: Batch, item: Item) -> _Turn:
        try:
            grade = await self.grader.grade(item.pair, item.repeat, run_id=batch.run_id)
        except (TryLater, ProviderDown, BadReplies, BudgetExhausted) as refusal:
            return _Turn(item, refusal=refusal)
        await self.verdicts.save(batch.judge_version, item, grade)
        return _Turn(item, grade)

    async def _give_up_if_last(self, version: str, turn: _Turn) -> _Turn:
        if not _counts(turn) or turn.item.tries + 1 < self.policy.tries:
            return turn
        assert turn.refusal is not None  # noqa: S101 - what counts is a refusal
        grade = given_up(f"put off {self.policy.tries} times, last: {turn.refusal.reason}")
        await self.verdicts.save(version, turn.item, grade)
        return _Turn(turn.item, grade)


async def _all(turns: Iterable[Awaitable[_Turn]]) -> list[_Turn]:
    """Run all turns to their end, also when one fails: a call under way is paid for."""
    done: list[_Turn] = []
    for turn in await asyncio.gather(*turns, return_exceptions=True):
        if isinstance(turn, BaseException):
            raise turn
        done.append(turn)
    return done


def _is_scored(turn: _Turn) -> bool:
    return turn.grade is not None and turn.grade.scores is not None


def _counts(turn: _Turn) -> bool:
    """Whether the provider put an item off; waiting for our own limits uses up no try."""
    return isinstance(turn.refusal, TryLater) and turn.refusal.counts


def _delay(turns: Sequence[_Turn], policy: RunPolicy) -> float:
    waits = [turn.refusal.seconds for turn in turns if isinstance(turn.refusal, TryLater)]
    return min(max(waits), policy.longest_delay_seconds) if waits else 0.0


def _pause(turns: Sequence[_Turn]) -> Pause | None:
    for turn in turns:
        if isinstance(turn.refusal, BudgetExhausted):
            return Pause(f"budget_{turn.refusal.scope}", turn.refusal.reason)
    for turn in turns:
        if isinstance(turn.refusal, ProviderDown):
            return Pause("provider_down", turn.refusal.reason, turn.refusal.seconds)
    for turn in turns:
        if isinstance(turn.refusal, BadReplies):
            return Pause("bad_replies", turn.refusal.reason)
    return None
