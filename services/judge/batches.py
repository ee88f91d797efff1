"""Judges a batch: asks for its pairs, keeps each verdict at once, settles the batch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from services.judge.judges import Judges
from services.judge.runs import Batch, Item, Pause, RunPolicy, Settlement, given_up
from services.judge.sizing import Places
from services.judge.store import Runs
from services.judge.verdict import (
    BadReplies,
    BudgetExhausted,
    Grader,
    NoVerdict,
    ProviderDown,
    TryLater,
    Verdict,
    Waste,
)
from services.judge.verdict_cache import VerdictCache
from shared.contracts.messages import Envelope, JudgingBatch

_OTHER_VERSION_SECONDS: Final = 5.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The verdict on one item, or why there is none."""

    item: Item
    verdict: Verdict | None = None
    refusal: NoVerdict | None = None

    @property
    def is_scored(self) -> bool:
        return self.verdict is not None and self.verdict.scores is not None

    @property
    def given(self) -> Sequence[Verdict | NoVerdict]:
        """What came of the calls that were made."""
        return [each for each in (self.verdict, self.refusal) if each is not None]

    @property
    def counts(self) -> bool:
        """Whether a try is used up; waiting for our own limits uses up none."""
        return self.verdict is None and isinstance(self.refusal, TryLater) and self.refusal.counts

    @property
    def was_throttled_alone(self) -> bool:
        """Whether the provider took none of its calls while it answered others."""
        refusal = self.refusal
        return self.verdict is None and isinstance(refusal, TryLater) and refusal.throttled_alone

    def last_time(self, policy: RunPolicy) -> str:
        """Return what was tried so often that this was the last time; empty where it was not."""
        if self.counts and self.item.tries + 1 >= policy.tries:
            return f"tried {policy.tries} times"
        if self.was_throttled_alone and self.item.throttled + 1 >= policy.most_throttled:
            return f"refused {policy.most_throttled} times for the rate, while others were answered"
        return ""


@dataclass(frozen=True, slots=True)
class JudgeBatch:
    """Judges the open pairs of a batch; every verdict is stored as soon as it is there."""

    runs: Runs
    verdicts: VerdictCache
    judges: Judges
    policy: RunPolicy
    places: Places = field(default_factory=Places)

    async def __call__(self, envelope: Envelope, message: JudgingBatch) -> None:
        """Work on a batch, unless it is done or its run is not running."""
        run_id = message.run_id
        batch = await self.runs.batch(message.batch_id)
        if batch is None:
            # The replica that finished it may have died before closing the run.
            await self.runs.close(run_id)
            return
        if batch.run_state != "running":
            _log.info("judge_run_not_running", run_id=str(run_id), state=batch.run_state)
            return
        with self.places.batch(len(batch.items)):
            settlement = await self._judge(batch)
            await self.runs.settle(envelope, batch, settlement)
        await self.runs.close(run_id)

    async def _judge(self, batch: Batch) -> Settlement:
        version = batch.judge_version
        grader = self.judges.grader(version)
        if grader is None:
            # A replica with the run's own settings may take it; else the run is planned again.
            return Settlement(delay=_OTHER_VERSION_SECONDS)
        if batch.provider is not None:
            grader.learn(batch.provider)
        claims = await self.verdicts.claim(version, batch.items)
        try:
            outcomes = await _all(self._ask(grader, batch, item) for item in claims.taken)
            outcomes = [await self._give_up_if_last(version, outcome) for outcome in outcomes]
        except BaseException:
            await asyncio.shield(self.verdicts.release(version, claims.taken))
            raise
        left = [outcome.item for outcome in outcomes if outcome.verdict is None]
        if left:
            await self.verdicts.release(version, left)
        verdicts = [outcome.verdict for outcome in outcomes if outcome.verdict is not None]
        delay = _delay(outcomes, self.policy)
        if claims.busy:
            at_provider, policy = claims.at_provider, self.policy
            busy = policy.at_provider_seconds if at_provider else policy.busy_seconds
            delay = min(delay or busy, busy)
        return Settlement(
            scored=[*claims.known, *(outcome.item for outcome in outcomes if outcome.is_scored)],
            unscored=[
                outcome.item for outcome in outcomes if outcome.verdict and not outcome.is_scored
            ],
            retried=[outcome.item for outcome in outcomes if outcome.counts],
            throttled=[outcome.item for outcome in outcomes if outcome.was_throttled_alone],
            called=[
                replace(outcome.item, calls=outcome.item.calls + outcome.refusal.attempts)
                for outcome in outcomes
                if outcome.verdict is None and outcome.refusal and outcome.refusal.attempts
            ],
            delay=delay,
            pause=_pause(outcomes),
            waste=Waste.sum(given.waste for outcome in outcomes for given in outcome.given),
            reply_form=next((each.reply_form for each in verdicts if each.reply_form), None),
            cost_estimated=any(
                given.is_estimated for outcome in outcomes for given in outcome.given
            ),
        )

    async def _ask(self, grader: Grader, batch: Batch, item: Item) -> _Outcome:
        try:
            with self.places.pair(batch.judge_version):
                verdict = await grader.judge(item.pair, item.repeat, run_id=batch.run_id)
        except NoVerdict as refusal:
            return _Outcome(item, refusal=refusal)
        verdict = replace(verdict, attempts=verdict.attempts + item.calls)
        await self.verdicts.save(batch.judge_version, item, verdict)
        return _Outcome(item, verdict)

    async def _give_up_if_last(self, version: str, outcome: _Outcome) -> _Outcome:
        tried = outcome.last_time(self.policy)
        if not tried:
            return outcome
        assert outcome.refusal is not None  # noqa: S101 - what counts is a refusal
        verdict = given_up(
            f"{tried}, last: {outcome.refusal.detail}",
            attempts=outcome.item.calls + outcome.refusal.attempts,
        )
        await self.verdicts.save(version, outcome.item, verdict)
        return _Outcome(outcome.item, verdict, outcome.refusal)


async def _all(asked: Iterable[Awaitable[_Outcome]]) -> list[_Outcome]:
    """Wait for all, also when one fails: a call under way is paid for."""
    done: list[_Outcome] = []
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
        done.append(outcome)
    return done


def _delay(outcomes: Sequence[_Outcome], policy: RunPolicy) -> float:
    waits = [
        outcome.refusal.seconds
        for outcome in outcomes
        if outcome.verdict is None and isinstance(outcome.refusal, TryLater)
    ]
    return min(max(waits), policy.longest_delay_seconds) if waits else 0.0


def _pause(outcomes: Sequence[_Outcome]) -> Pause | None:
    for outcome in outcomes:
        if isinstance(outcome.refusal, BudgetExhausted):
            return Pause(f"budget_{outcome.refusal.scope}", outcome.refusal.detail)
    for outcome in outcomes:
        if isinstance(outcome.refusal, ProviderDown):
            return Pause("provider_down", outcome.refusal.detail, outcome.refusal.seconds)
    for outcome in outcomes:
        if isinstance(outcome.refusal, BadReplies):
            return Pause("bad_replies", outcome.refusal.detail)
    return None
