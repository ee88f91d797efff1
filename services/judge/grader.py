"""The judge behind an OpenAI-compatible endpoint: one verdict a call, one retry policy.

The client's own retries are off. What passes by itself (429, 5xx, timeouts, lost connections) is
tried again after a jittered wait, at last the pair goes back (`TryLater`). A reply that is no
verdict is asked for once more, then the pair is unscored. What no retry can mend (a wrong key, an
unknown model) opens the breaker (`ProviderDown`).
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast
from uuid import UUID

import openai
import structlog
from openai.types.chat import ChatCompletion
from prometheus_client import Counter, Gauge, Histogram

from services.judge.domain.breaker import Breaker
from services.judge.domain.concurrency import AdaptiveLimit
from services.judge.domain.pricing import TokenPrice
from services.judge.domain.prompt import (
    ChatMessage,
    Form,
    build_messages,
    estimate_tokens,
    reply_schema,
)
from services.judge.domain.replies import InvalidReply, read_reply
from services.judge.domain.retry import RetryPolicy, parse_retry_after
from services.judge.domain.rubric import Rubric
from services.judge.ports import (
    CallGate,
    Grade,
    JudgeVersion,
    Pair,
    ProviderDown,
    Spending,
    TryLater,
)

CALLS: Final = Counter(
    "medvid_judge_calls_total", "Calls to the model by how they ended", ["outcome"]
)
LATENCY: Final = Histogram("medvid_judge_call_seconds", "Time of answered calls")
TOKENS: Final = Counter("medvid_judge_tokens_total", "Tokens that answers used", ["kind"])
CONCURRENCY: Final = Gauge("medvid_judge_concurrency_limit", "Calls allowed at the same time")
_NO_RETRY_HELPS: Final = (401, 403, 404)
_TRY_AGAIN: Final = (408, 409)
_SHOWN_CHARACTERS: Final = 300
_log = structlog.get_logger(__name__)


class _GarbledAnswer(Exception):
    """An answer with status 200 that is none."""


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How a call is made; `model_prefix`: which models' answers count, None for the model's own."""

    token_parameter: str = "max_tokens"  # noqa: S105 - tokens of text
    model_prefix: str | None = None


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
class OpenAiGrader:
    """Implements Grader; one instance serves a replica."""

    client: openai.AsyncOpenAI
    version: JudgeVersion
    rubric: Rubric
    policy: RetryPolicy
    concurrency: AdaptiveLimit
    breaker: Breaker
    gate: CallGate
    spending: Spending
    price: TokenPrice
    options: CallOptions = CallOptions()
    clock: Callable[[], float] = time.monotonic
    draw: Callable[[], float] = random.random
    _form: Form | None = field(default=None, init=False)
    _probing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _slots: asyncio.Condition = field(default_factory=asyncio.Condition, init=False)
    _open: int = field(default=0, init=False)

    async def grade(self, pair: Pair, repeat: int, *, run_id: UUID) -> Grade:  # noqa: ARG002
        """Return a grade; raises TryLater, ProviderDown or BudgetExhausted.

        `repeat` asks the same again: what differs is the model's mood, not the prompt.
        """
        tally = _Tally()
        while True:
            try:
                completion = await self._ask(pair, run_id, tally)
            except openai.APIStatusError as error:
                if (unscored := self._refused(error, tally)) is not None:
                    return unscored
                await self._wait(tally, error)
            except (openai.APIConnectionError, _GarbledAnswer) as error:  # timeouts too
                self.breaker.failed(self._shown(error), self.clock())
                await self._wait(tally, error)
            else:
                grade = self._read(completion, tally)
                if grade.scores is not None or grade.unscored_reason == "other_model":
                    return grade
                if tally.asked_again:
                    return grade
                tally.asked_again = True

    async def is_up(self) -> bool:
        """Ask for the list of models, which costs nothing. An endpoint without one is up too."""
        try:
            await self.client.models.list()
        except openai.APIStatusError as error:
            if error.status_code >= 500 or error.status_code in (401, 403, 429):
                return False
        except openai.OpenAIError:
            return False
        self.breaker.succeeded()
        return True

    async def _ask(self, pair: Pair, run_id: UUID, tally: _Tally) -> ChatCompletion:
        """Make one call, the first of all as a probe of what the endpoint understands."""
        if self._form is not None:
            return await self._call(pair, self._form, run_id, tally)
        async with self._probing:
            if self._form is None:
                return await self._probe(pair, run_id, tally)
        return await self._call(pair, self._form, run_id, tally)

    async def _probe(self, pair: Pair, run_id: UUID, tally: _Tally) -> ChatCompletion:
        try:
            completion = await self._call(pair, Form.JSON, run_id, tally)
        except openai.APIStatusError as error:
            if not _refuses_schema(error):
                raise
            _log.info("judge_endpoint_without_schema")
            completion = await self._call(pair, Form.LINES, run_id, tally)
            self._form = Form.LINES
        else:
            self._form = Form.JSON
        return completion

    async def _call(self, pair: Pair, form: Form, run_id: UUID, tally: _Tally) -> ChatCompletion:
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
        reserved = self.price.cost(prompt, self.version.max_tokens)
        async with self._slot():
            self._require_closed_breaker()
            await self.gate.admit(prompt + self.version.max_tokens)
            used, spent = 0, 0
            try:
                await self.spending.reserve(run_id, reserved)
                try:
                    completion = await self._send(messages, form, tally)
                    used, spent = self._count(completion, tally)
                except openai.APITimeoutError:
                    spent = reserved  # it may have been answered, and billed
                    raise
                finally:
                    self.spending.settle(run_id, reserved, spent)
            finally:
                self.gate.settle(prompt + self.version.max_tokens, used)
        return completion

    async def _send(self, messages: list[ChatMessage], form: Form, tally: _Tally) -> ChatCompletion:
        version = self.version
        more: dict[str, Any] = {self.options.token_parameter: version.max_tokens}
        if version.temperature is not None:
            more["temperature"] = version.temperature
        if version.seed is not None:
            more["seed"] = version.seed
        if form is Form.JSON:
            schema = {"name": "verdict", "strict": True, "schema": reply_schema()}
            more["response_format"] = {"type": "json_schema", "json_schema": schema}
        tally.attempts += 1
        started = self.clock()
        try:
            completion: object = await self.client.chat.completions.create(
                model=version.model, messages=cast(Any, messages), **more
            )
        except (ValueError, TypeError) as error:
            raise _GarbledAnswer(f"the answer cannot be read: {type(error).__name__}") from None
        if not isinstance(completion, ChatCompletion):
            raise _GarbledAnswer("the answer is no chat completion")
        tally.latency = self.clock() - started
        self.breaker.succeeded()
        self.concurrency.answered(tally.latency, self.clock())
        LATENCY.observe(tally.latency)
        return completion

    def _count(self, completion: ChatCompletion, tally: _Tally) -> tuple[int, int]:
        """Add what an answer used; returns its tokens and its cost."""
        usage = completion.usage
        prompt = _whole(usage.prompt_tokens) if usage else 0
        reply = _whole(usage.completion_tokens) if usage else 0
        cost = self.price.cost(prompt, reply)
        tally.prompt_tokens += prompt
        tally.completion_tokens += reply
        tally.cost += cost
        TOKENS.labels("prompt").inc(prompt)
        TOKENS.labels("completion").inc(reply)
        return prompt + reply, cost

    def _read(self, completion: ChatCompletion, tally: _Tally) -> Grade:
        if not completion.choices:
            return self._graded(tally, None, "empty", "the answer has no choices", "", completion)
        choice = completion.choices[0]
        message: Any = choice.message  # as the endpoint sent it: the client does not check types
        content = message.content if isinstance(getattr(message, "content", None), str) else None
        raw = content or ""
        said = str(completion.model or "")
        if not self._is_ours(said):
            detail = f"the answer is of the model {said[:_SHOWN_CHARACTERS]}"
            return self._graded(tally, None, "other_model", detail, raw, completion)
        try:
            verdict = read_reply(
                content,
                finish_reason=choice.finish_reason,
                refusal=getattr(message, "refusal", None),
            )
        except InvalidReply as error:
            return self._graded(tally, None, error.reason, error.detail, raw, completion)
        return self._graded(tally, verdict, None, "", raw, completion)

    def _graded(
        self,
        tally: _Tally,
        scores: Mapping[str, int] | None,
        reason: str | None,
        detail: str,
        raw: str,
        completion: ChatCompletion | None,
    ) -> Grade:
        CALLS.labels(reason or "scored").inc()
        return Grade(
            scores=scores,
            unscored_reason=reason,
            detail=detail,
            raw_reply=raw,
            model=str(completion.model or "")[:_SHOWN_CHARACTERS] if completion else "",
            prompt_tokens=tally.prompt_tokens,
            completion_tokens=tally.completion_tokens,
            latency_seconds=tally.latency,
            attempts=tally.attempts,
            cost_microusd=tally.cost,
        )

    def _refused(self, error: openai.APIStatusError, tally: _Tally) -> Grade | None:
        """Sort an error status: None to try again, a grade when this pair never works.

        Raises ProviderDown when no pair works.
        """
        status = error.status_code
        CALLS.labels(str(status)).inc()
        if status == 429 and error.code != "insufficient_quota":
            self.concurrency.throttled(self.clock())
            return None
        if status >= 500 or status in _TRY_AGAIN:
            self.breaker.failed(self._shown(error), self.clock())
            return None
        if status in _NO_RETRY_HELPS or status == 429:
            self.breaker.trip(self._shown(error), self.clock())
            self._require_closed_breaker()
        return self._graded(tally, None, "rejected", self._shown(error), "", None)

    async def _wait(self, tally: _Tally, error: Exception) -> None:
        """Sleep before the next attempt; raises TryLater after the last, ProviderDown if open."""
        if self.breaker.is_open:
            raise ProviderDown(self.breaker.reason, seconds=self.breaker.seconds) from None
        tally.failed += 1
        response = getattr(error, "response", None)
        header = response.headers.get("retry-after") if response is not None else None
        asked = parse_retry_after(header, datetime.now(UTC))
        seconds = self.policy.wait(tally.failed, asked, self.draw)
        if seconds is None:
            raise TryLater(asked or self.policy.longest, self._shown(error)) from None
        await asyncio.sleep(seconds)

    def _require_closed_breaker(self) -> None:
        """Raise ProviderDown while calls are held back."""
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
            async with self._slots:
                self._open -= 1
                self._slots.notify_all()
            CONCURRENCY.set(self.concurrency.limit)

    def _is_ours(self, said: str) -> bool:
        """Tell whether a model is the pinned one, or a dated or numbered version of it."""
        if self.options.model_prefix is not None:
            return said.startswith(self.options.model_prefix)
        return (
            re.fullmatch(rf"{re.escape(self.version.model)}(-[0-9][0-9a-z.-]*)?", said) is not None
        )

    def _shown(self, error: Exception) -> str:
        """Return what an error says, without the key that a careless endpoint may repeat."""
        status = f"{error.status_code}: " if isinstance(error, openai.APIStatusError) else ""
        text = f"{status}{error}"
        key = self.client.api_key
        return (text.replace(key, "(key)") if key else text)[:_SHOWN_CHARACTERS]


def _whole(tokens: object) -> int:
    """Return a count of tokens, 0 for what is none: a wrong bill must not stop the work."""
    return tokens if isinstance(tokens, int) and tokens > 0 else 0


def _refuses_schema(error: openai.APIStatusError) -> bool:
    return error.status_code in (400, 422) and any(
        word in error.message for word in ("response_format", "json_schema", "schema")
    )
