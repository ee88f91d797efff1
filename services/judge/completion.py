"""One call to a model: what it sends back, how it fails, and the endpoint that is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from medvid.judging.prompt import ChatMessage, Form


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model sent back. `usage`: prompt and completion tokens, if the endpoint says so."""

    content: str | None
    refusal: str | None
    finish_reason: str | None
    model: str
    usage: tuple[int, int] | None


Failure = Literal["throttled", "failing", "unusable", "rejected", "no_schema"]


class CallFailed(Exception):
    """A call without an answer.

    `throttled`: asked too much. `failing`: may pass by itself. `unusable`: no call can work as
    things are set. `rejected`: this request never works. `no_schema`: the endpoint does not take
    a schema. `outcome` is a short label; `detail` is for a human and holds no secret;
    `retry_after` what the endpoint asks for (s); `maybe_billed`: it may have been answered.
    """

    def __init__(
        self,
        kind: Failure,
        outcome: str,
        detail: str,
        *,
        retry_after: float | None = None,
        maybe_billed: bool = False,
    ) -> None:
        super().__init__(detail)
        self.kind: Failure = kind
        self.outcome = outcome
        self.detail = detail
        self.retry_after = retry_after
        self.maybe_billed = maybe_billed


class ModelEndpoint(Protocol):
    """Where a model answers. One call each: no retry, no limit."""

    async def ask(self, messages: Sequence[ChatMessage], form: Form) -> Completion:
        """Return the completion; raises CallFailed and nothing else."""

    async def is_up(self) -> bool:
        """Ask, free of charge, whether calls may work."""
