"""One call to the model, within concurrency, rate and money, and what it used.

The order matters: a place among the open calls, then the provider's health, the shared rate and the
money; nothing is reserved that cannot be settled afterwards.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from medvid.judging.calls import CallFailed, Completion, ModelEndpoint, Usage
from medvid.judging.pricing import TokenPrice
from medvid.judging.prompt import ChatMessage, Form, estimate_tokens
from services.judge.budgets import Spending
from services.judge.concurrency import AdaptiveLimit
from services.judge.provider_health import ProviderHealth
from services.judge.rates import CallGate
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
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: int = 0
    latency: float = 0.0
    asked_again: bool = False


@dataclass(slots=True)
class ModelCaller:
    """Makes calls; one instance serves a replica. `reply_tokens`: the longest reply.

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
    clock: Callable[[], float] = time.monotonic
    _slots: asyncio.Condition = field(default_factory=asyncio.Condition, init=False)
    _open: int = field(default=0, init=False)

    async def call(
        self, messages: list[ChatMessage], form: Form, run_id: UUID, tally: Tally
    ) -> Completion:
        """Return the completion; raises CallFailed, TryLater, ProviderDown or BudgetExhausted."""
        prompt = estimate_tokens(messages, at_most=True)
        tokens = prompt + self.reply_tokens
        reserved = self.price.cost(prompt, self.reply_tokens)
        async with self._slot():
            self.health.require_good(run_id)
            self.health.require_up()
            await self.gate.admit(tokens)
            used = 0
            try:
                await self.spending.reserve(run_id, reserved)
                # Unless we learn better: a call that is cut off may be answered, and billed.
                used, spent = tokens, reserved
                try:
                    completion = await self._send(messages, form, tally)
                    if completion.usage is not None:
                        used, spent = self._count(completion.usage, tally)
                except CallFailed as failure:
                    if failure.usage is not None:
                        used, spent = self._count(failure.usage, tally)
                    elif not failure.maybe_billed:
                        used = spent = 0
                    raise
                finally:
                    tally.cost += spent
                    self.spending.settle(run_id, reserved, spent)
            finally:
                self.gate.settle(tokens, used)
        return completion

    async def _send(self, messages: list[ChatMessage], form: Form, tally: Tally) -> Completion:
        tally.attempts += 1
        started = self.clock()
        try:
            with span("judge call", "client", self.facts), JUDGE_CONCURRENCY.track_inprogress():
                completion = await self.endpoint.ask(messages, form)
        except CallFailed as failure:
            JUDGE_CALLS.labels(failure.outcome).inc()
            if failure.kind == "throttled":
                JUDGE_RATE_LIMITED.inc()
                self.concurrency.throttled(self.clock())
            self.health.failed(failure)
            raise
        tally.latency = self.clock() - started
        self.concurrency.answered(tally.latency, self.clock())
        JUDGE_CALL_SECONDS.observe(tally.latency)
        return completion

    def _count(self, usage: Usage, tally: Tally) -> tuple[int, int]:
        """Add what an answer used; returns its tokens and its cost."""
        tally.prompt_tokens += usage.prompt
        tally.completion_tokens += usage.completion
        JUDGE_TOKENS.labels("prompt").inc(usage.prompt)
        JUDGE_TOKENS.labels("completion").inc(usage.completion)
        return usage.total, self.price.cost(*usage)

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
