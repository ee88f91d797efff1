"""The judge: one verdict from a model, with one retry policy around every call.

What passes by itself (429, 5xx, timeouts, lost connections) is tried again after a jittered wait,
at last the pair goes back (`TryLater`). A reply that is no verdict is asked for once more, then
the pair is unscored. What no retry can mend (a wrong key, an unknown model) opens the breaker
(`ProviderDown`).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

from services.judge.domain.breaker import Breaker
from services.judge.domain.concurrency import AdaptiveLimit
from services.judge.domain.model_names import counts_as
from services.judge.domain.pricing import TokenPrice
from services.judge.domain.prompt import ChatMessage, Form, build_messages, estimate_tokens
from services.judge.domain.replies import InvalidReply, read_reply
from services.judge.domain.retry import RetryPolicy
from services.judge.domain.rubric import Rubric
from services.judge.ports import (
    Answer,
    CallFailed,
    CallGate,
    Endpoint,
    Grade,
    JudgeVersion,
    Pair,
    ProviderDown,
    Spending,
    TryLater,
)
from shared.runtime.metrics import (
    JUDGE_CALL_SECONDS,
    JUDGE_CALLS,
    JUDGE_CONCURRENCY,
    JUDGE_CONCURRENCY_LIMIT,
    JUDGE_RATE_LIMITED,
    JUDGE_TOKENS,
)
from shared.runtime.tracing import span

_PROBE_PATIENCE: Final = 5.0  # seconds; a first call that hangs must not hold up all others
_RAW_CHARACTERS: Final = 20_000
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Tally:
    """What the calls for one grade used."""

    attempts: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: int = 0
    latency: float = 0.0
    asked_again: bool = False


@dataclass(slots=True)
class ModelGrader:
    """Implements Grader; one instance serves a replica.

    `model_prefix`: answers of which models count; None for the version's own and its dated ones.
    """

    endpoint: Endpoint
    version: JudgeVersion
    rubric: Rubric
    policy: RetryPolicy
    concurrency: AdaptiveLimit
    breaker: Breaker
    gate: CallGate
    spending: Spending
    price: TokenPrice
    model_prefix: str | None = None
    clock: Callable[[], float] = time.monotonic
    draw: Callable[[], float] = random.random
    _form: Form | None = field(default=None, init=False)
    _probe_over: asyncio.Event | None = field(default=None, init=False)
    _in_vain: int = field(default=0, init=False)
    """Calls in a row of which nothing can count: rejected, or answered by another model."""
    _has_answered: bool = field(default=False, init=False)
    _slots: asyncio.Condition = field(default_factory=asyncio.Condition, init=False)
    _open: int = field(default=0, init=False)

    async def grade(self, pair: Pair, repeat: int, *, run_id: UUID) -> Grade:  # noqa: ARG002
        """Return a grade; raises TryLater, ProviderDown or BudgetExhausted.

        `repeat` asks the same again: what differs is the model's mood, not the prompt.
        """
        tally = _Tally()
        while True:
            try:
                answer = await self._ask(pair, run_id, tally)
            except CallFailed as failure:
                if failure.kind in ("rejected", "no_schema"):
                    self._stop_if_down()
                    return _unscored(tally, "rejected", failure.detail)
                await self._wait(tally, failure)
                continue
            grade = self._read(answer, tally)
            self._note_answer(grade)
            JUDGE_CALLS.labels(grade.unscored_reason or "scored").inc()
            if grade.scores or grade.unscored_reason == "other_model" or tally.asked_again:
                return grade
            tally.asked_again = True

    async def is_up(self) -> bool:
        """Ask the endpoint, once the breaker's pause is over; calls then pass on trial."""
        if self.breaker.seconds_left(self.clock()) or not await self.endpoint.is_up():
            return False
        self.breaker.trust()
        return True

    async def _ask(self, pair: Pair, run_id: UUID, tally: _Tally) -> Answer:
        """Make one call, the first of all as a probe of what the endpoint understands."""
        if self._form is None and self._probe_over is None:
            self._probe_over = asyncio.Event()
            try:
                return await self._probe(pair, run_id, tally)
            finally:
                self._probe_over.set()
        if self._form is None and self._probe_over is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PROBE_PATIENCE):
                    await self._probe_over.wait()
        if self._form is Form.LINES:
            return await self._call(pair, Form.LINES, run_id, tally)
        return await self._probe(pair, run_id, tally)

    async def _probe(self, pair: Pair, run_id: UUID, tally: _Tally) -> Answer:
        try:
            answer = await self._call(pair, Form.JSON, run_id, tally)
        except CallFailed as failure:
            if failure.kind != "no_schema":
                raise
        else:
            self._form = Form.JSON
            return answer
        answer = await self._call(pair, Form.LINES, run_id, tally)
        if self._form is not Form.LINES:  # also where one of several servers behind it refuses
            _log.info("judge_endpoint_without_schema")
            self._form = Form.LINES
        return answer

    async def _call(self, pair: Pair, form: Form, run_id: UUID, tally: _Tally) -> Answer:
        messages = build_messages(
            self.rubric,
            pair.prediction,
            pair.reference,
            pair.task,
            form=form,
            limit=self.version.max_caption_characters,
            reminder=tally.asked_again,
        )
        prompt = estimate_tokens(messages, at_most=True)
        tokens = prompt + self.version.max_tokens
        reserved = self.price.cost(prompt, self.version.max_tokens)
        async with self._slot():
            self._require_closed_breaker()
            await self.gate.admit(tokens)
            used = 0
            try:
                await self.spending.reserve(run_id, reserved)
                # Unless we learn better: a call that is cut off may be answered, and billed.
                used, spent = tokens, reserved
                try:
                    answer = await self._send(messages, form, tally)
                    if answer.usage is not None:
                        used, spent = self._count(answer.usage, tally)
                except CallFailed as failure:
                    if not failure.maybe_billed:
                        used = spent = 0
                    raise
                finally:
                    tally.cost += spent
                    self.spending.settle(run_id, reserved, spent)
            finally:
                self.gate.settle(tokens, used)
        return answer

    async def _send(self, messages: list[ChatMessage], form: Form, tally: _Tally) -> Answer:
        tally.attempts += 1
        started = self.clock()
        try:
            with span("judge call", "client", self._facts()), JUDGE_CONCURRENCY.track_inprogress():
                answer = await self.endpoint.ask(messages, form)
        except CallFailed as failure:
            JUDGE_CALLS.labels(failure.outcome).inc()
            self._note(failure)
            raise
        tally.latency = self.clock() - started
        self.concurrency.answered(tally.latency, self.clock())
        JUDGE_CALL_SECONDS.observe(tally.latency)
        return answer

    def _facts(self) -> dict[str, str]:
        return {
            "gen_ai.request.model": self.version.model,
            "gen_ai.provider.name": self.version.provider,
            "medvid.judge_version": self.version.hash,
        }

    def _note(self, failure: CallFailed) -> None:
        now = self.clock()
        if failure.kind == "throttled":
            JUDGE_RATE_LIMITED.inc()
            self.concurrency.throttled(now)
        elif failure.kind == "failing":
            self.breaker.failed(failure.detail, now)
        elif failure.kind == "unusable":
            self.breaker.trip(failure.detail, now)
        elif failure.kind == "rejected" and not self._has_answered:
            # Once it has answered, a rejection (a content filter) is about the captions: nobody
            # must be able to stop the judge for all by uploading what the provider rejects.
            self._note_in_vain(failure.detail)

    def _note_answer(self, grade: Grade) -> None:
        if grade.unscored_reason == "other_model":
            self._note_in_vain(f"{grade.detail}; see MEDVID_JUDGE_MODEL_PREFIX")
        else:
            self._has_answered = True
            self._in_vain = 0
        if self._in_vain < self.breaker.failures:
            self.breaker.succeeded()

    def _note_in_vain(self, reason: str) -> None:
        """Stop after some in a row: it is rather our settings than these captions."""
        self._in_vain += 1
        if self._in_vain >= self.breaker.failures:
            self.breaker.trip(reason, self.clock())

    def _count(self, usage: tuple[int, int], tally: _Tally) -> tuple[int, int]:
        """Add what an answer used; returns its tokens and its cost."""
        prompt, reply = usage
        tally.prompt_tokens += prompt
        tally.completion_tokens += reply
        JUDGE_TOKENS.labels("prompt").inc(prompt)
        JUDGE_TOKENS.labels("completion").inc(reply)
        return prompt + reply, self.price.cost(prompt, reply)

    def _read(self, answer: Answer, tally: _Tally) -> Grade:
        if not counts_as(self.version.model, answer.model, prefix=self.model_prefix):
            detail = f"the answer is of the model {answer.model}"
            return _unscored(tally, "other_model", detail, answer)
        try:
            verdict = read_reply(
                answer.content, finish_reason=answer.finish_reason, refusal=answer.refusal
            )
        except InvalidReply as error:
            return _unscored(tally, error.reason, error.detail, answer)
        return _graded(tally, verdict, None, "", answer)

    async def _wait(self, tally: _Tally, failure: CallFailed) -> None:
        """Sleep before the next attempt; raises TryLater after the last, ProviderDown if open."""
        if failure.kind != "throttled":
            self._stop_if_down()
        tally.failed += 1
        seconds = self.policy.wait(tally.failed, failure.retry_after, self.draw)
        if seconds is None:
            raise TryLater(failure.retry_after or self.policy.longest, failure.detail) from None
        await asyncio.sleep(seconds)

    def _stop_if_down(self) -> None:
        """Raise ProviderDown after a call that opened the breaker, or found it open."""
        if self.breaker.is_open:
            seconds = self.breaker.seconds_left(self.clock())
            raise ProviderDown(self.breaker.reason, seconds=seconds) from None

    def _require_closed_breaker(self) -> None:
        """Raise ProviderDown while calls are held back; who passes half-open is the probe."""
        seconds = self.breaker.retry_in(self.clock())
        if seconds is not None:
            raise ProviderDown(self.breaker.reason, seconds=seconds) from None

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


def _unscored(tally: _Tally, reason: str, detail: str, answer: Answer | None = None) -> Grade:
    return _graded(tally, None, reason, detail, answer)


def _graded(
    tally: _Tally,
    scores: Mapping[str, int] | None,
    reason: str | None,
    detail: str,
    answer: Answer | None,
) -> Grade:
    return Grade(
        scores=scores,
        unscored_reason=reason,
        detail=detail,
        raw_reply=((answer.content or answer.refusal or "") if answer else "")[:_RAW_CHARACTERS],
        model=answer.model if answer else "",
        prompt_tokens=tally.prompt_tokens,
        completion_tokens=tally.completion_tokens,
        latency_seconds=tally.latency,
        attempts=tally.attempts,
        cost_microusd=tally.cost,
    )
