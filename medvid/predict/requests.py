"""One call to an OpenAI-compatible endpoint, what its failures mean, and when it is repeated."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from medvid.judging.retry import RetryPolicy, parse_retry_after
from medvid.predict.prompts import Message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import openai

Cause = Literal["passing", "rejected", "unusable"]
POLICY: Final = RetryPolicy(attempts=6, base=1.0, longest=60.0)
_LASTING: Final = {
    401: "The endpoint refuses the key: set OPENAI_API_KEY to a valid one.",
    402: "The account has no credit left.",
    403: "The key may not use this model.",
    404: "The endpoint has no such model or path: check --model and --base-url (most end in /v1).",
    405: "The address takes no chat completions: check --base-url (most end in /v1).",
}
"""Statuses that every other sample would meet too, and what to do."""
_NO_QUOTA: Final = "The account's quota is used up."
_PASSING_STATUSES: Final = frozenset({408, 409, 425, 429})
_CONNECT_SECONDS: Final = 10.0
_SHOWN_CHARACTERS: Final = 300
_SHORTEST_SECRET: Final = 8


class RequestFailed(Exception):
    """A call without an answer, after all repetitions.

    `passing`: the endpoint is overloaded or out of reach. `rejected`: this sample never works.
    `unusable`: no sample works as things are set. The text holds no key.
    """

    def __init__(self, cause: Cause, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.cause: Cause = cause
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a model sent back. Token counts are 0 where the endpoint does not say."""

    text: str
    finish_reason: str
    model: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """How the model generates; greedy by default, as the reference does."""

    model: str
    temperature: float = 0.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class PredictionEndpoint:
    """Where a model answers. `seconds` bounds one call; `policy` says when it is repeated."""

    client: openai.AsyncOpenAI
    sampling: GenerationSettings
    seconds: float
    policy: RetryPolicy = POLICY

    async def ask(self, messages: Sequence[Message], max_tokens: int) -> ModelAnswer:
        """Return the answer; raises CallFailed and nothing else."""
        attempts = 0
        while True:
            attempts += 1
            try:
                return await self._call(messages, max_tokens)
            except RequestFailed as failure:
                wait = None
                if failure.cause == "passing":
                    wait = self.policy.wait(attempts, failure.retry_after, random.random)
                if wait is None:
                    raise
            await asyncio.sleep(wait)

    async def _call(self, messages: Sequence[Message], max_tokens: int) -> ModelAnswer:
        parameters: dict[str, Any] = {
            "max_tokens": max_tokens,
            "temperature": self.sampling.temperature,
        }
        if self.sampling.seed is not None:
            parameters["seed"] = self.sampling.seed
        try:
            async with asyncio.timeout(self.seconds):
                answer: object = await self.client.chat.completions.create(
                    model=self.sampling.model, messages=cast(Any, messages), **parameters
                )
            return _completion(answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, it may hold the key
            failure = self._failure(error)
        raise failure  # outside of the handler, so that nothing hangs on to the request

    def _failure(self, error: Exception) -> RequestFailed:
        import openai

        if isinstance(error, openai.APIStatusError):
            return self._refusal(error)
        if isinstance(error, openai.APITimeoutError | TimeoutError):
            return RequestFailed("passing", f"no answer within {self.seconds:g} s")
        if isinstance(error, openai.APIConnectionError):
            cause = error.__cause__ or error
            return RequestFailed("passing", f"the connection failed: {type(cause).__name__}")
        return RequestFailed("passing", f"the answer cannot be read: {type(error).__name__}")

    def _refusal(self, error: openai.APIStatusError) -> RequestFailed:
        status = error.status_code
        detail = self._without_key(f"{status}: {error.message}")[:_SHOWN_CHARACTERS]
        if status in _LASTING:
            return RequestFailed("unusable", f"{_LASTING[status]} ({detail})")
        if error.code == "insufficient_quota":
            return RequestFailed("unusable", f"{_NO_QUOTA} ({detail})")
        header = error.response.headers.get("retry-after")
        passing = status >= 500 or status in _PASSING_STATUSES
        wait = parse_retry_after(header, datetime.now(UTC))
        return RequestFailed("passing" if passing else "rejected", detail, wait)

    def _without_key(self, text: str) -> str:
        key = self.client.api_key
        return text if len(key) < _SHORTEST_SECRET else text.replace(key, "(key)")


@asynccontextmanager
async def open_endpoint(
    sampling: GenerationSettings, *, base_url: str, api_key: str, seconds: float
) -> AsyncIterator[PredictionEndpoint]:
    """Open a client without retries of its own, which follows no redirect."""
    import openai

    timeout = openai.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
    http = openai.DefaultAsyncHttpxClient(
        base_url=base_url, timeout=timeout, follow_redirects=False
    )
    async with openai.AsyncOpenAI(
        api_key=api_key, base_url=base_url, max_retries=0, timeout=timeout, http_client=http
    ) as client:
        yield PredictionEndpoint(client, sampling, seconds)


def _completion(answer: object) -> ModelAnswer:
    """Read an answer as the endpoint sent it: the client does not check types."""
    found: Any = answer
    choice = found.choices[0]
    usage = getattr(found, "usage", None)
    text = choice.message.content
    return ModelAnswer(
        text=text if isinstance(text, str) else "",
        finish_reason=str(choice.finish_reason or ""),
        model=str(found.model or ""),
        prompt_tokens=_whole(getattr(usage, "prompt_tokens", 0)),
        completion_tokens=_whole(getattr(usage, "completion_tokens", 0)),
    )


def _whole(tokens: object) -> int:
    return tokens if isinstance(tokens, int) and tokens > 0 else 0
