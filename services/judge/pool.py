"""Several endpoints that serve one model: which is asked next, and who is asked where one refuses.

A pair goes to the endpoint with the smallest share of its places taken: a slower one, by its own
rate too, gets fewer. It waits here, never behind an endpoint that hangs. Each endpoint makes
one call a turn; where it refuses, the next is asked at once, and waits begin when all have refused.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn
from uuid import UUID

import structlog

from medvid.judging.retry import RetryPolicy
from medvid.judging.versions import JudgeVersion
from services.judge.budgets import OF_ENDPOINT
from services.judge.grader import ModelGrader
from services.judge.verdict import (
    BadReplies,
    BudgetExhausted,
    NoVerdict,
    Pair,
    ProviderDown,
    ProviderState,
    TryLater,
    Verdict,
    Waste,
)
from shared.runtime.metrics import JUDGE_ENDPOINT_PAIRS

_LOOK_SECONDS: Final = 1.0
"""A breaker that lets a call pass again tells nobody."""
_OUT_SECONDS: Final = 5.0
_SPENT_SECONDS: Final = 30.0
_log = structlog.get_logger(__name__)

TakeOut = Callable[[str, str], Awaitable[None]]
"""Writes down for all replicas that an endpoint (its name) serves another model (the reason)."""


@dataclass(slots=True)
class PooledEndpoint:
    """One endpoint as this replica sees it; `out` says why it gets no call, "" where it does."""

    name: str
    grader: ModelGrader
    out: str = ""
    taken: int = field(default=0, init=False)
    """Pairs that it got so far."""
    open: int = field(default=0, init=False)
    """Of them, those under way."""
    spent_until: float = field(default=-math.inf, init=False)
    """Its own budget is spent; asked again then, as another month may have begun."""

    @property
    def down(self) -> str:
        """Return why calls are held back, "" while they pass."""
        breaker = self.grader.breaker
        return breaker.reason if breaker.is_open else ""

    @property
    def admits(self) -> bool:
        """Whether a call may be made, if there is a place for it."""
        return not (self.out or self.is_spent) and self.grader.breaker.admits(self.grader.clock())

    @property
    def is_spent(self) -> bool:
        """Whether its own budget was found spent a moment ago."""
        return self.grader.clock() < self.spent_until

    @property
    def has_place(self) -> bool:
        """Whether a call need not wait for others."""
        return self.open < self.grader.concurrency.limit

    @property
    def turn(self) -> tuple[bool, float, int]:
        """Return what the next is chosen by, the least first: probes, then who has most room."""
        breaker = self.grader.breaker
        return (not breaker.is_open, self.open / self.grader.concurrency.limit, self.taken)


@dataclass(slots=True)
class PoolGrader:
    """Implements Grader; `policy` is for rounds in which every endpoint refused."""

    endpoints: Sequence[PooledEndpoint]
    policy: RetryPolicy
    take_out: TakeOut
    draw: Callable[[], float] = random.random
    _moved: asyncio.Condition = field(default_factory=asyncio.Condition, init=False)

    @property
    def version(self) -> JudgeVersion:
        """Who judges: one version, at every endpoint."""
        return self.endpoints[0].grader.version

    @property
    def allowed_calls(self) -> int:
        """How many calls this replica may have open now, at all endpoints that let calls pass."""
        return sum(each.grader.allowed_calls for each in self.endpoints if each.admits)

    async def judge(self, pair: Pair, repeat: int, *, run_id: UUID) -> Verdict:
        """Return a verdict; raises TryLater, ProviderDown, BadReplies or BudgetExhausted."""
        past: list[NoVerdict] = []
        rounds = 0
        while True:
            refused: dict[str, NoVerdict] = {}
            verdict = await self._round(pair, repeat, run_id, refused, past)
            if verdict is not None:
                return _with_past(verdict, past)
            rounds += 1
            wait = self._wait(rounds, list(refused.values()))
            if wait is None:
                _raise(self._together(refused), past)
            await asyncio.sleep(wait)

    async def _round(
        self, pair: Pair, repeat: int, run_id: UUID, refused: dict[str, NoVerdict],
        past: list[NoVerdict],
    ) -> Verdict | None:  # fmt: skip
        """Ask one endpoint after the other, each once; returns None where all have refused."""
        while (endpoint := await self._take(refused)) is not None:
            refusal: NoVerdict
            try:
                verdict = await endpoint.grader.judge(pair, repeat, run_id=run_id)
            except NoVerdict as found:
                refusal = found
            else:
                if verdict.unscored_reason != "other_model":
                    JUDGE_ENDPOINT_PAIRS.labels(endpoint.name, "verdict").inc()
                    return verdict
                refusal = _of_another_model(verdict)
                await self._serves_another(endpoint, verdict.detail)
            finally:
                await self._give_back(endpoint)
            JUDGE_ENDPOINT_PAIRS.labels(endpoint.name, "refused").inc()
            past.append(refusal)
            refused[endpoint.name] = refusal
            if isinstance(refusal, BudgetExhausted):
                if refusal.scope != OF_ENDPOINT:
                    _raise(refusal, past)  # the others' too
                endpoint.spent_until = endpoint.grader.clock() + _SPENT_SECONDS
        return None

    async def _take(self, refused: Mapping[str, NoVerdict]) -> PooledEndpoint | None:
        """Take a place at an endpoint that has not refused; None where no other lets calls pass."""
        async with self._moved:
            while True:
                ready = [each for each in self.endpoints if each.admits]
                left = [each for each in ready if each.name not in refused]
                if not left:
                    return None
                free = [each for each in left if each.has_place]
                if free:
                    chosen = min(free, key=lambda each: each.turn)
                    chosen.open += 1
                    chosen.taken += 1
                    return chosen
                try:
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._moved.wait()
                except TimeoutError:
                    continue

    async def _give_back(self, endpoint: PooledEndpoint) -> None:
        endpoint.open -= 1
        await self.tell()

    async def tell(self) -> None:
        """Wake those who wait: an endpoint came, went, or has a place."""
        async with self._moved:
            self._moved.notify_all()

    async def _serves_another(self, endpoint: PooledEndpoint, reason: str) -> None:
        if endpoint.out:
            return
        endpoint.out = reason
        _log.error("judge_endpoint_taken_out", endpoint=endpoint.name, reason=reason)
        await self.take_out(endpoint.name, reason)

    def _wait(self, rounds: int, refusals: Sequence[NoVerdict]) -> float | None:
        """Return how long to wait before the next round, None to give up for now."""
        later = [each for each in refusals if isinstance(each, TryLater)]
        if not later:
            return None
        asked = [each.asked for each in later]
        soonest = min((seconds for seconds in asked if seconds is not None), default=None)
        return self.policy.wait(rounds, soonest if None not in asked else None, self.draw)

    def _together(self, refused: Mapping[str, NoVerdict]) -> NoVerdict:
        """Return what the refusals of all endpoints come to."""
        found = list(refused.values())
        later = [each for each in found if isinstance(each, TryLater)]
        if later:
            return TryLater(
                min(each.seconds for each in later),
                later[-1].detail,
                counts=any(each.counts for each in later),
                throttled_alone=all(each.throttled_alone for each in later),
            )
        bad = [each for each in found if isinstance(each, BadReplies)]
        if bad:
            return BadReplies(bad[-1].detail)
        serving = [each for each in self.endpoints if not each.out]
        if serving and all(each.is_spent for each in serving):
            return BudgetExhausted("month", "the month's budgets of all endpoints are spent")
        return self._down(refused)

    def _down(self, refused: Mapping[str, NoVerdict]) -> ProviderDown:
        said = {each.name: each.out or each.down for each in self.endpoints}
        said |= {each.name: "its budget is spent" for each in self.endpoints if each.is_spent}
        said |= {name: each.detail for name, each in refused.items() if not said.get(name)}
        left = [
            each.grader.breaker.seconds_left(each.grader.clock())
            for each in self.endpoints
            if not each.out
        ]
        return ProviderDown(
            "; ".join(f"{name}: {reason}" for name, reason in said.items() if reason),
            seconds=max(1.0, min(left)) if left else _OUT_SECONDS,
        )

    async def is_up(self) -> bool:
        """Tell whether an endpoint that is in use answers, free of charge."""
        asked = (each.grader.is_up() for each in self.endpoints if not each.out)
        return any(await asyncio.gather(*asked))

    def learn(self, state: ProviderState) -> None:
        """Take over what another replica found out of all endpoints together."""
        for each in self.endpoints:
            each.grader.learn(state)


def _of_another_model(verdict: Verdict) -> ProviderDown:
    refusal = ProviderDown(verdict.detail)
    refusal.attempts, refusal.waste = verdict.attempts, verdict.waste
    refusal.cost_microusd, refusal.is_estimated = verdict.cost_microusd, verdict.is_estimated
    return refusal


def _with_past(verdict: Verdict, past: Sequence[NoVerdict]) -> Verdict:
    """Return a verdict with what the calls before it took, at whatever endpoint."""
    if not past:
        return verdict
    return replace(
        verdict,
        attempts=verdict.attempts + sum(each.attempts for each in past),
        cost_microusd=verdict.cost_microusd + sum(each.cost_microusd for each in past),
        is_estimated=verdict.is_estimated or any(each.is_estimated for each in past),
        waste=Waste.sum([verdict.waste, *(each.waste for each in past)]),
    )


def _raise(refusal: NoVerdict, past: Sequence[NoVerdict]) -> NoReturn:
    """Raise a refusal with what all calls took."""
    attempts, cost = sum(each.attempts for each in past), sum(each.cost_microusd for each in past)
    waste, estimated = Waste.sum(each.waste for each in past), any(e.is_estimated for e in past)
    refusal.attempts, refusal.cost_microusd = attempts, cost
    refusal.waste, refusal.is_estimated = waste, estimated
    raise refusal from None
