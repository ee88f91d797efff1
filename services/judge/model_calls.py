"""One call to the model, within concurrency, rate and money, and what it used.

The order matters: a place among the open calls, then the provider's health, the shared rate and the
money; nothing is reserved that cannot be settled afterwards.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from medvid.judging.calls import NOTHING_USED, CallFailed, Completion, ModelEndpoint, Usage
from medvid.judging.pricing import TokenPrice
from medvid.judging.prompt import ChatMessage, Form, estimate_tokens
from services.judge.budgets import Spending
from services.judge.concurrency import AdaptiveLimit
from services.judge.provider_health import ProviderHealth
from services.judge.rates import CallGate
from services.judge.verdict import NO_WASTE, Waste
from shared.runtime.metrics import (
    JUDGE_CALL_SECONDS,
    JUDGE_CALLS,
    JUDGE_CONCURRENCY,
    JUDGE_CONCURRENCY_LIMIT,
    JUDGE_RATE_LIMITED,
    JUDGE_TOKENS,
)
from shared.runtime.tracing import span


@dataclass(slots=True)
class Tally:
    """What the calls for one verdict used."""

    attempts: int = 0
    failed: int = 0
    throttled: int = 0
    """Of those that failed."""
    answers_before: int = 0
    """How many calls, of any pair, had been answered when this one was taken up."""
    used: Usage = NOTHING_USED
    cost: int = 0
    latency: float = 0.0
    asked_again: bool = False
    is_estimated: bool = False
    waste: Waste = NO_WASTE
    _last: int | None = None
    """What the last call cost; None where it was not billed."""

    def add(self, spent: int, *, is_billed: bool, is_estimated: bool) -> None:
        """Note what a call cost."""
        self.cost += spent
        self._last = spent if is_billed else None
        self.is_estimated |= is_billed and is_estimated

    def add_usage(self, usage: Usage) -> None:
        """Count the tokens of a call."""
        self.used = self.used.plus(usage)
        JUDGE_TOKENS.labels("prompt").inc(usage.prompt)
        JUDGE_TOKENS.labels("completion").inc(usage.completion)

    def wasted(self, reason: str) -> None:
        """Note that the last call came to no verdict."""
        if self._last is not None:
            self.waste = Waste.sum([self.waste, Waste({reason: 1}, self._last)])
            self._last = None


@dataclass(slots=True)
class _Bill:
    """Tokens and money of a call, as far as they are known."""

    tokens: int = 0
    spent: int = 0
    is_estimate: bool = True


@dataclass(slots=True)
class ModelCaller:
    """Makes calls; one instance serves a replica. `reply_tokens`: the longest reply.

    `longest_wait`: seconds for which a call waits in its place when the provider asks for it.
    `facts` go with each call's trace.
    """

    endpoint: ModelEndpoint
    reply_tokens: int
    health: ProviderHealth
    concurrency: AdaptiveLimit
    gate: CallGate
    spending: Spending
    price: TokenPrice
    facts: Mapping[str, str]
    longest_wait: float
    clock: Callable[[], float] = time.monotonic
    _slots: asyncio.Condition = field(default_factory=asyncio.Condition, init=False)
    _open: int = field(default=0, init=False)
    _next_start: float = field(default=-math.inf, init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def call(
        self, messages: list[ChatMessage], form: Form, run_id: UUID, tally: Tally
    ) -> Completion:
        """Return the completion; raises CallFailed, TryLater, ProviderDown or BudgetExhausted."""
        prompt = estimate_tokens(messages, at_most=True)
        tokens = prompt + self.reply_tokens
        reserved = self.price.most(prompt, self.reply_tokens)
        async with self._slot():
            self.health.require_good(run_id)
            self.health.require_up()
            await self._await_start()
            await self.gate.admit(tokens)
            bill = _Bill()
            try:
                await self.spending.reserve(run_id, reserved)
                # Unless we learn better: a call that is cut off may be answered, and billed.
                bill.tokens, bill.spent = tokens, reserved
                try:
                    completion = await self._send(messages, form, tally)
                    self._settle(bill, completion.usage, tally)
                except CallFailed as failure:
                    if failure.usage is not None or not failure.maybe_billed:
                        self._settle(bill, failure.usage or NOTHING_USED, tally)
                    raise
                finally:
                    is_billed = bill.tokens > 0
                    tally.add(bill.spent, is_billed=is_billed, is_estimated=bill.is_estimate)
                    self.spending.settle(run_id, reserved, bill.spent)
            finally:
                self.gate.settle(tokens, bill.tokens)
        return completion

    async def _await_start(self) -> None:
        """Keep the distance to the call before, and the time that the provider asked for.

        Where a call that is refused in that time asks for more time, this one waits for it too.
        """
        async with self._turn:
            while (wait := self._next_start - self.clock()) > 0:  # noqa: ASYNC110 - only time passes
                await asyncio.sleep(wait)
            self._next_start = self.clock() + self.concurrency.interval

    def _hold(self, seconds: float | None) -> None:
        """Keep all calls back for so long, unless it is too long to wait in their places."""
        if seconds is not None and seconds <= self.longest_wait:
            self._next_start = max(self._next_start, self.clock() + seconds)

    def _throttled(self, retry_after: float | None, latency: float) -> None:
        """Note a call that was over the rate; a longer wait is left to the pair's own retry."""
        JUDGE_RATE_LIMITED.inc()
        wait = retry_after if (retry_after or 0.0) <= self.longest_wait else None
        self.concurrency.throttled(self.clock(), wait, latency)
        self._hold(wait)

    async def _send(self, messages: list[ChatMessage], form: Form, tally: Tally) -> Completion:
        tally.attempts += 1
        started = self.clock()
        try:
            with span("judge call", "client", self.facts), JUDGE_CONCURRENCY.track_inprogress():
                completion = await self.endpoint.ask(messages, form)
        except CallFailed as failure:
            JUDGE_CALLS.labels(failure.outcome).inc()
            if failure.kind == "throttled":
                self._throttled(failure.retry_after, self.clock() - started)
            raise
        tally.latency = self.clock() - started
        self.concurrency.answered(tally.latency, self.clock())
        JUDGE_CALL_SECONDS.observe(tally.latency)
        if completion.allowance is not None:
            self.concurrency.allowed(*completion.allowance)
        self._hold(completion.wait)
        return completion

    def _settle(self, bill: _Bill, usage: Usage | None, tally: Tally) -> None:
        """Put what an answer used in the place of the estimate, if it can be believed."""
        if usage is None:
            return
        bill.tokens, bill.spent, bill.is_estimate = usage.total, self.price.cost(*usage), False
        tally.add_usage(usage)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """Hold one of the calls that may be open at the same time."""
        async with self._slots:
            await self._slots.wait_for(lambda: self._open < self.concurrency.limit)
            self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            async with self._slots:
                self._slots.notify_all()
            JUDGE_CONCURRENCY_LIMIT.set(self.concurrency.limit)
