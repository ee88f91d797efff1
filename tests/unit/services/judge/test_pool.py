"""A pool's distribution, over endpoints that admit calls as the test says: no clock, no network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import date
from uuid import uuid4

import pytest

from medvid.benchmark.tasks import ASPECTS, Task
from medvid.judging.calls import CallFailed, Completion, Usage
from medvid.judging.forms import FormChoice
from medvid.judging.pricing import TokenPrice
from medvid.judging.prompt import ChatMessage, Form
from medvid.judging.retry import RetryPolicy
from medvid.judging.rubric import load_rubric
from services.judge.breaker import Breaker
from services.judge.budgets import Unmetered
from services.judge.concurrency import AdaptiveLimit
from services.judge.grader import ModelGrader
from services.judge.pool import PooledEndpoint, PoolGrader
from services.judge.pool_watch import other_models
from services.judge.rates import Unlimited
from services.judge.verdict import (
    BudgetExhausted,
    Pair,
    ProviderDown,
    ProviderState,
    TryLater,
    Verdict,
)
from tests.fakes.grader import version

RUN = uuid4()
PLACES = 4
FAILURES = 3
PRICE = TokenPrice(1, 1)
LOST = CallFailed("failing", "connection", "nobody is there")
BUSY = CallFailed("throttled", "throttled", "too many")


class Endpoint:
    """Answers with a verdict, or as it was set; with `by_permit` once the test lets it."""

    def __init__(self, name: str, *, by_permit: bool = False) -> None:
        self.name = name
        self.by_permit = by_permit
        self.failure: CallFailed | None = None
        self.model = "fake-1"
        self.budget_is_spent = False
        self.calls = 0
        self.answers = 0
        self._permits = asyncio.Semaphore(0)
        self.now = 0.0

    def permit(self) -> None:
        """Let one more call pass, as a rate does."""
        self._permits.release()

    async def admit(self, tokens: int) -> None:  # noqa: ARG002
        if self.by_permit:
            await self._permits.acquire()

    def settle(self, estimated: int, used: int) -> None:
        pass

    async def ask(self, messages: Sequence[ChatMessage], form: Form) -> Completion:  # noqa: ARG002
        self.calls += 1
        if self.failure is not None:
            raise self.failure
        self.answers += 1
        reply = json.dumps(dict.fromkeys(ASPECTS, 3))
        return Completion(reply, None, "stop", self.model, Usage(10, 5))

    async def is_up(self) -> bool:
        return self.failure is None


class Purse(Unmetered):
    """The budget of one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def reserve(self, run_id: object, microusd: int) -> None:  # noqa: ARG002
        if self._endpoint.budget_is_spent:
            raise BudgetExhausted("endpoint", "its budget is spent")


class Setup:
    """A pool and its endpoints."""

    def __init__(self, *endpoints: Endpoint, rounds: int = 2) -> None:
        self.endpoints = {each.name: each for each in endpoints}
        self.taken_out: dict[str, str] = {}
        pooled = [PooledEndpoint(each.name, self._grader(each)) for each in endpoints]
        self.pooled = {each.name: each for each in pooled}
        policy = RetryPolicy(rounds, 0.001, 0.001)
        self.pool = PoolGrader(pooled, policy, self._take_out, draw=lambda: 0.0)

    def _grader(self, endpoint: Endpoint) -> ModelGrader:
        limit = AdaptiveLimit(PLACES)
        for _ in range(PLACES):
            limit.answered(0.1, 0.0)
        return ModelGrader(
            endpoint=endpoint,
            version=version(),
            rubric=load_rubric("v1"),
            policy=RetryPolicy(1, 0.001, 0.001),
            concurrency=limit,
            breaker=Breaker(FAILURES, 60),
            gate=endpoint if endpoint.by_permit else Unlimited(),
            spending=Purse(endpoint),
            price=PRICE,
            form=FormChoice.of("schema"),
            clock=lambda: endpoint.now,
            draw=lambda: 0.0,
        )

    async def _take_out(self, name: str, reason: str) -> None:
        self.taken_out[name] = reason

    async def judge(self, number: int = 0) -> Verdict:
        pair = Pair(f"p{number}", "r", Task.VIDEO_SUMMARY)
        return await self.pool.judge(pair, 0, run_id=RUN)

    def shares(self) -> dict[str, int]:
        return {name: each.answers for name, each in self.endpoints.items()}

    async def ticks_for(self, pairs: int) -> int:
        """Judge so many pairs at once; every endpoint admits one call a tick. Returns the ticks."""
        asked = [asyncio.create_task(self.judge(number)) for number in range(pairs)]
        ticks = 0
        await until_idle()
        while not all(each.done() for each in asked):
            ticks += 1
            for each in self.endpoints.values():
                each.permit()
            await until_idle()
        assert all(each.result().scores for each in asked), "no pair is lost"
        return ticks


async def until_idle() -> None:
    """Let everything that can go on do so."""
    for _ in range(200):
        await asyncio.sleep(0)


def some(count: int) -> list[Endpoint]:
    return [Endpoint(f"e{number}", by_permit=True) for number in range(count)]


PAIRS = 120


async def test_four_endpoints_judge_at_four_times_the_rate_of_one() -> None:
    alone, four = await Setup(*some(1)).ticks_for(PAIRS), Setup(*some(4))
    ticks = await four.ticks_for(PAIRS)
    assert alone == PAIRS
    assert alone >= 3.6 * ticks
    assert set(four.shares().values()) == {PAIRS // 4}


async def test_a_dead_endpoint_loses_no_pair_and_hardly_any_time() -> None:
    three = await Setup(*some(3)).ticks_for(PAIRS)
    endpoints = some(4)
    endpoints[1].failure = LOST
    one_dead = Setup(*endpoints)
    assert await one_dead.ticks_for(PAIRS) <= 1.1 * three
    assert endpoints[1].calls <= FAILURES + PLACES, "the breaker stops them"


async def test_a_slow_endpoint_gets_fewer_and_holds_nobody_up() -> None:
    quick, hangs = Endpoint("quick"), Endpoint("hangs", by_permit=True)
    setup = Setup(quick, hangs)
    asked = [asyncio.create_task(setup.judge(number)) for number in range(50)]
    await until_idle()
    held = sum(not each.done() for each in asked)
    assert 1 <= held <= PLACES
    for _ in range(held):
        hangs.permit()
    await asyncio.gather(*asked)
    assert setup.shares() == {"quick": 50 - held, "hangs": held}


async def test_where_one_refuses_the_next_is_asked_at_once_and_the_verdict_counts_both() -> None:
    refuses, answers = Endpoint("a"), Endpoint("b")
    refuses.failure = CallFailed("failing", "x", "lost", maybe_billed=True)
    verdict = await Setup(refuses, answers).judge()
    assert verdict.scores
    assert verdict.attempts == 2
    assert verdict.is_estimated
    assert verdict.cost_microusd > 15, "what the lost call may have cost"
    assert dict(verdict.waste.calls) == {"x": 1}


async def test_when_all_refuse_it_waits_as_one_endpoint_does_and_gives_up_for_now() -> None:
    a, b = Endpoint("a"), Endpoint("b")
    a.failure = b.failure = BUSY
    with pytest.raises(TryLater) as caught:
        await Setup(a, b, rounds=2).judge()
    assert (a.calls, b.calls, caught.value.attempts) == (2, 2, 4)
    assert not caught.value.counts, "to be throttled says nothing of a pair"
    a.failure = LOST
    with pytest.raises(TryLater) as caught:
        await Setup(a, b, rounds=1).judge()
    assert caught.value.counts


async def test_when_all_are_down_it_says_which_and_why() -> None:
    a, b = Endpoint("a"), Endpoint("b")
    a.failure = CallFailed("unusable", "key", "the key is refused")
    setup = Setup(a, b)
    setup.pooled["b"].out = "drained: new keys"
    with pytest.raises(ProviderDown) as caught:
        await setup.judge()
    assert caught.value.detail == "a: the key is refused; b: drained: new keys"
    assert caught.value.attempts == 1
    assert not await setup.pool.is_up()
    setup.pooled["b"].out = ""
    await setup.pool.tell()
    assert (await setup.judge()).scores


async def test_a_drained_endpoint_ends_its_calls_and_gets_no_new_one() -> None:
    drained, other = some(2)
    setup = Setup(drained, other)
    asked = [asyncio.create_task(setup.judge(number)) for number in range(12)]
    await until_idle()
    setup.pooled["e0"].out = "drained: maintenance"
    for _ in range(12):
        drained.permit()
        other.permit()
        await until_idle()
    await asyncio.gather(*asked)
    assert setup.shares() == {"e0": PLACES, "e1": 12 - PLACES}


async def test_an_endpoint_of_another_model_is_taken_out_and_its_pair_judged_elsewhere() -> None:
    wrong, right = Endpoint("wrong"), Endpoint("right")
    wrong.model = "fake-1-mini"
    setup = Setup(wrong, right)
    verdict = await setup.judge()
    assert (verdict.scores is not None, verdict.model) == (True, "fake-1")
    assert "fake-1-mini" in setup.taken_out["wrong"]
    assert dict(verdict.waste.calls) == {"other_model": 1}
    for number in range(5):
        await setup.judge(number)
    assert wrong.calls == 1


async def test_a_budget_of_one_endpoint_stops_it_alone_and_those_of_all_stop_the_month() -> None:
    a, b = Endpoint("a"), Endpoint("b")
    setup = Setup(a, b)
    a.budget_is_spent = True
    assert (await setup.judge()).scores
    b.budget_is_spent = True
    for _ in range(2):  # also where both are known to be spent
        with pytest.raises(BudgetExhausted) as caught:
            await setup.judge()
        assert caught.value.scope == "month"
    a.now = b.now = 60.0
    a.budget_is_spent = False
    assert (await setup.judge()).scores, "another month may have begun"


async def test_one_that_was_down_is_probed_with_one_pair_and_comes_back() -> None:
    a, b = Endpoint("a"), Endpoint("b")
    setup = Setup(a, b)
    a.failure = LOST
    for number in range(10):
        await setup.judge(number)
    assert a.calls == FAILURES
    a.now = 61.0
    await asyncio.gather(*(setup.judge(number) for number in range(8)))
    assert a.calls == FAILURES + 1, "the probe failed"
    a.now, a.failure = 300.0, None
    for number in range(10):
        await setup.judge(number)
    assert a.answers >= 4


async def test_what_another_replica_found_of_all_holds_for_each() -> None:
    setup = Setup(Endpoint("a"), Endpoint("b"))
    setup.pool.learn(ProviderState(1.0, 30.0, "refused"))
    with pytest.raises(ProviderDown):
        await setup.judge()
    setup.pool.learn(ProviderState(2.0, None))
    assert (await setup.judge()).scores


@pytest.mark.parametrize(
    ("listed", "says"),
    [
        ([], ""),
        (["m-1"], ""),
        (["models/m-1", "m-2"], ""),
        (["m-1-2025-04-14"], ""),
        (["m-2"], "its list of models has no m-1, but m-2"),
        ([f"x{n}" for n in range(7)], "but x0, x1, x2, x3, x4 and 2 more"),
    ],
)
def test_a_list_of_other_models_alone_takes_an_endpoint_out(listed: list[str], says: str) -> None:
    models: dict[str, date | None] = dict.fromkeys(listed)
    found = other_models("m-1", models, None)
    assert says in found
    assert bool(says) == bool(found)
