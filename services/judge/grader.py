"""The judge: one verdict from a model, with one retry policy around every call.

What passes by itself (429, 5xx, timeouts, lost connections) is tried again after a jittered wait;
after the last attempt the pair is retried later (`TryLater`). A reply that is no verdict is asked
for once more, then the pair is unscored; at once where its limit was spent on reasoning. What no
retry can fix (a wrong key, an unknown model) opens the breaker (`ProviderDown`).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from uuid import UUID

import structlog

from medvid.judging.calls import FINAL, CallFailed, Completion, ModelEndpoint
from medvid.judging.forms import FormChoice, named
from medvid.judging.pricing import TokenPrice
from medvid.judging.prompt import Form, build_messages
from medvid.judging.replies import REASONING_LIMIT
from medvid.judging.retry import RetryPolicy
from medvid.judging.rubric import Rubric
from medvid.judging.versions import JudgeVersion
from services.judge.breaker import Breaker
from services.judge.budgets import Spending
from services.judge.concurrency import AdaptiveLimit
from services.judge.model_calls import ModelCaller, Tally
from services.judge.provider_health import ProviderHealth
from services.judge.rates import CallGate
from services.judge.reply_forms import SharedForm
from services.judge.verdict import (
    NoVerdict,
    Pair,
    ProviderState,
    TryLater,
    Verdict,
)
from services.judge.verdict_reading import VerdictReader
from services.judge.verdict_reading import verdict as verdict_of
from shared.runtime.metrics import JUDGE_CALLS
from shared.storage.database import TRANSIENT_ERRORS

_PROBE_PATIENCE: Final = 5.0  # seconds; a first call that hangs must not hold up all others
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ModelGrader:
    """Implements Grader; one instance serves a replica.

    `model_prefix`: answers of which models count; None for the version's own and its dated ones.
    """

    endpoint: ModelEndpoint
    version: JudgeVersion
    rubric: Rubric
    policy: RetryPolicy
    concurrency: AdaptiveLimit
    breaker: Breaker
    gate: CallGate
    spending: Spending
    price: TokenPrice
    model_prefix: str | None = None
    form: FormChoice = field(default_factory=FormChoice)
    shared_form: SharedForm | None = None
    model_end: Callable[[], Awaitable[date | None]] | None = None
    """When the provider takes the model away, as far as it is known."""
    clock: Callable[[], float] = time.monotonic
    draw: Callable[[], float] = random.random
    _health: ProviderHealth = field(init=False)
    _caller: ModelCaller = field(init=False)
    _reader: VerdictReader = field(init=False)
    _probe_over: asyncio.Event | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._health = ProviderHealth(self.breaker, self.clock)
        self._reader = VerdictReader(self.version, self.rubric.rationale, self.model_prefix)
        self._caller = ModelCaller(
            endpoint=self.endpoint,
            reply_tokens=self.version.max_tokens,
            health=self._health,
            concurrency=self.concurrency,
            gate=self.gate,
            spending=self.spending,
            price=self.price,
            facts={
                "gen_ai.request.model": self.version.model,
                "gen_ai.provider.name": self.version.provider,
                "medvid.judge_version": self.version.hash,
            },
            longest_wait=self.policy.longest,
            clock=self.clock,
        )

    @property
    def allowed_calls(self) -> int:
        """How many calls this replica may have open now."""
        return self.concurrency.limit

    async def judge(self, pair: Pair, repeat: int, *, run_id: UUID) -> Verdict:  # noqa: ARG002
        """Return a verdict; raises TryLater, ProviderDown, BadReplies or BudgetExhausted.

        `repeat` asks the same again: the prompt is the same, and the model samples anew.
        """
        tally = Tally(answers_before=self._health.answers)
        try:
            return await self._judge(pair, run_id, tally)
        except NoVerdict as refusal:
            refusal.attempts, refusal.waste = tally.attempts, tally.waste
            refusal.cost_microusd, refusal.is_estimated = tally.cost, tally.is_estimated
            raise

    async def _judge(self, pair: Pair, run_id: UUID, tally: Tally) -> Verdict:
        while True:
            try:
                verdict = await self._ask(pair, run_id, tally)
            except CallFailed as failure:
                await self._name_end(failure)
                tally.wasted(failure.outcome)
                self._health.failed(failure, pair.digest)
                if failure.kind in FINAL:
                    self._health.stop_if_down()
                    reason = "refused" if failure.kind == "refused" else "rejected"
                    return verdict_of(tally, None, reason, failure.detail)
                await self._wait(tally, failure)
                continue
            other = verdict.unscored_reason == "other_model"
            self._health.answered(in_vain=verdict.detail if other else None)
            JUDGE_CALLS.labels(verdict.unscored_reason or "scored").inc()
            in_vain = other or verdict.unscored_reason == REASONING_LIMIT
            if verdict.scores or in_vain or tally.asked_again:
                self._health.judged(run_id, well=verdict.scores is not None or other)
                return verdict
            tally.asked_again = True

    async def _name_end(self, failure: CallFailed) -> None:
        """Say of a model that is gone when its end was announced, and what to do."""
        if failure.cause != "model" or self.model_end is None:
            return
        with suppress(*TRANSIENT_ERRORS):  # a failure here must not fail the call
            end = await self.model_end()
            if end is not None:
                failure.detail = f"The model's end was announced for {end}. {failure.detail}"

    async def known_form(self) -> Form | None:
        """Return the form in which the endpoint replies; None where none is set or was found."""
        if self.form.form is None and self.shared_form is not None:
            found = await self.shared_form.load()
            self.form.form = self.form.form or found  # calls of this replica may have found it
        return self.form.form

    async def is_up(self) -> bool:
        """Ask the endpoint, free of charge."""
        return await self.endpoint.is_up()

    def learn(self, state: ProviderState) -> None:
        """Take over what another replica found out; after an outage, begin with one call."""
        if self._health.learn(state):
            self.concurrency.restart()

    async def _ask(self, pair: Pair, run_id: UUID, tally: Tally) -> Verdict:
        """Make one call, the first of all as a probe of what the endpoint understands."""
        if await self.known_form() is None and self._probe_over is None:
            self._probe_over = asyncio.Event()
            try:
                return await self._ask_in_form(pair, run_id, tally)
            finally:
                self._probe_over.set()
        if self.form.form is None and self._probe_over is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PROBE_PATIENCE):
                    await self._probe_over.wait()
        return await self._ask_in_form(pair, run_id, tally)

    async def _ask_in_form(self, pair: Pair, run_id: UUID, tally: Tally) -> Verdict:
        """Call in the form that is known; where it is refused, in the other."""
        form, said = self.form.next, ""
        try:
            completion = await self._call(pair, form, run_id, tally)
        except CallFailed as failure:
            if not self.form.tries_lines(failure, form):
                raise
            form, said = Form.LINES, failure.detail
            completion = await self._call(pair, form, run_id, tally)
        verdict = self._reader.read(completion, form, tally)
        # Before other calls continue: they use what this verdict shows.
        if verdict.scores and self.form.worked(form):
            said = said or f"answered: {completion.model}"
            _log.info("judge_reply_form", form=named(form), decided_by=said)
            if self.shared_form is not None:
                await self.shared_form.keep(form, said)
        return verdict

    async def _call(self, pair: Pair, form: Form, run_id: UUID, tally: Tally) -> Completion:
        messages = build_messages(
            self.rubric,
            pair.prediction,
            pair.reference,
            pair.task,
            form=form,
            limit=self.version.max_caption_characters,
            reminder=tally.asked_again,
        )
        return await self._caller.call(messages, form, run_id, tally)

    async def _wait(self, tally: Tally, failure: CallFailed) -> None:
        """Sleep before the next attempt; raises TryLater after the last, ProviderDown if open.

        Throttling says nothing about a pair, unless others are answered between its calls.
        """
        tally.failed += 1
        if failure.kind == "throttled":
            tally.throttled += 1
        else:
            self._health.stop_if_down()
        seconds = self.policy.wait(tally.failed, failure.retry_after, self.draw)
        if seconds is None:
            later = failure.retry_after or self.policy.longest
            counts = tally.failed > tally.throttled
            alone = not counts and self._health.answers > tally.answers_before
            raise TryLater(
                later,
                failure.detail,
                counts=counts,
                throttled_alone=alone,
                asked=failure.retry_after,
            ) from None
        await asyncio.sleep(seconds)
