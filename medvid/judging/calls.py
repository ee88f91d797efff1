"""One call to a model: what it sends back, how it fails, and the endpoint that is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol

from medvid.judging.prompt import ChatMessage, Form


class Usage(NamedTuple):
    """Tokens of a call, or of several.

    `cached` of the prompt's were read from a cache of the provider's, `reasoning` of the
    completion's were spent before the reply.
    """

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """Return the tokens that count against a rate."""
        return self.prompt + self.completion

    def plus(self, other: Usage) -> Usage:
        """Return the sum of both."""
        return Usage(*(mine + its for mine, its in zip(self, other, strict=True)))


NOTHING_USED: Final = Usage(0, 0)


class Allowance(NamedTuple):
    """What an account's limit leaves: `calls` at once, or any number `interval` seconds apart."""

    calls: float
    interval: float


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model sent back.

    `model` is the name that the endpoint gives; `usage` is None where it tells none that can be
    believed. `wait`: seconds after which the account takes the next call, where this used up what
    it allows; `allowance`: what is left. `facts`: what the endpoint and gateways say about who
    answered.
    """

    content: str | None
    refusal: str | None
    finish_reason: str | None
    model: str
    usage: Usage | None
    wait: float | None = None
    allowance: Allowance | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


Failure = Literal["throttled", "failing", "unusable", "rejected", "unfit", "refused", "no_schema"]
FINAL: Final[tuple[Failure, ...]] = ("rejected", "unfit", "no_schema", "refused")
"""Failures of a call that no second call changes, of these captions unless all are alike."""
Cause = Literal["key", "access", "credit", "quota", "model", "address", "parameter"]


class CallFailed(Exception):
    """A call without an answer.

    `throttled`: asked too much. `failing`: may pass by itself. `unusable`: no call can work as
    things are set, for a `cause`. `rejected`: this request never works, be it for its captions or
    for a setting. `unfit`: these captions do not fit, be they too long or nothing that the model
    makes JSON of. `refused`: a content policy refuses these captions. `no_schema`: the endpoint
    does not take a schema; `may_be_form`: that may be the reason of another kind.

    `outcome` is a short label; `detail` is for a human and holds no secret; `retry_after` what the
    endpoint asks for (s); `maybe_billed`: it may have been answered; `usage`: what it says it used;
    `said`: its own words where `detail` begins with a cure.
    """

    def __init__(
        self,
        kind: Failure,
        outcome: str,
        detail: str,
        *,
        cause: Cause | None = None,
        retry_after: float | None = None,
        maybe_billed: bool = False,
        may_be_form: bool = False,
        usage: Usage | None = None,
        said: str = "",
    ) -> None:
        super().__init__(detail)
        self.kind: Failure = kind
        self.outcome = outcome
        self.detail = detail
        self.cause: Cause | None = cause
        self.retry_after = retry_after
        self.maybe_billed = maybe_billed
        self.may_be_form = may_be_form
        self.usage = usage
        self.said = said


class ModelEndpoint(Protocol):
    """Where a model answers. One call each: no retry, no limit."""

    async def ask(self, messages: Sequence[ChatMessage], form: Form) -> Completion:
        """Return the completion; raises CallFailed and nothing else."""

    async def is_up(self) -> bool:
        """Ask, free of charge, whether a call is worth a try."""
