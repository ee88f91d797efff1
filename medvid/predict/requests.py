"""Calls to a model until it answers: the judge's caller, repeated by one policy."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from medvid.judging.calls import CallFailed, Completion, Failure
from medvid.judging.prompt import Form
from medvid.judging.retry import RetryPolicy
from medvid.predict.prompts import Message

if TYPE_CHECKING:
    from medvid.judging.endpoint import OpenAiEndpoint

POLICY: Final = RetryPolicy(attempts=6, base=1.0, longest=60.0)
PASSING: Final[tuple[Failure, ...]] = ("throttled", "failing")
"""Failures that a later call may not meet."""


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """How the model generates; greedy by default, as the reference does."""

    model: str
    temperature: float = 0.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class PredictionEndpoint:
    """Where a model answers, and when a call is repeated."""

    caller: OpenAiEndpoint
    policy: RetryPolicy = POLICY

    async def ask(self, messages: Sequence[Message], max_tokens: int) -> Completion:
        """Return the answer; raises CallFailed and nothing else."""
        sampling = replace(self.caller.sampling, max_tokens=max_tokens)
        caller = replace(self.caller, sampling=sampling)
        attempts = 0
        while True:
            attempts += 1
            try:
                return await caller.ask(cast(Any, messages), Form.LINES)
            except CallFailed as failure:
                wait = None
                if failure.kind in PASSING:
                    wait = self.policy.wait(attempts, failure.retry_after, random.random)
                if wait is None:
                    raise
            await asyncio.sleep(wait)


@asynccontextmanager
async def open_endpoint(
    sampling: GenerationSettings, *, base_url: str, api_key: str, seconds: float
) -> AsyncIterator[PredictionEndpoint]:
    """Open a client; `seconds` bounds one call."""
    from medvid.judging import endpoint

    how = endpoint.Sampling(sampling.model, 0, temperature=sampling.temperature, seed=sampling.seed)
    async with endpoint.open_client(api_key=api_key, base_url=base_url, seconds=seconds) as client:
        yield PredictionEndpoint(endpoint.OpenAiEndpoint(client, how, seconds))
