"""What judging needs around one call to a model: the pair, the grade, who graded, what it may cost.

The refusals below are Transient: where nobody looks closer, the work is tried again later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal, Protocol
from uuid import UUID

from medvid.benchmark.tasks import Task
from medvid.judging.prompt import ChatMessage, Form
from shared.runtime.errors import Transient


@dataclass(frozen=True, slots=True)
class Pair:
    """Two captions to compare, exactly as they stand. The task only gives the model context."""

    prediction: str
    reference: str
    task: Task


UNSCORED: Final = ("malformed", "truncated", "refused", "empty", "other_model", "rejected")


@dataclass(frozen=True, slots=True)
class Grade:
    """What became of one pair: five scores, or none and why.

    `unscored_reason` is a stable code of `UNSCORED`, `detail` says more to a human. Tokens and cost
    cover every call that was made for this grade, `latency_seconds` and `raw_reply` the last one.
    A raw reply may hold any character, NUL too: store it as bytes.
    """

    scores: Mapping[str, int] | None
    unscored_reason: str | None
    detail: str
    raw_reply: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    latency_seconds: float
    attempts: int
    cost_microusd: int


@dataclass(frozen=True, slots=True)
class JudgeVersion:
    """Everything a verdict depends on but its texts: a different version is a different judge.

    The endpoint's address is not part of it, so that moving a proxy does not void paid verdicts.
    """

    provider: str
    model: str
    rubric: str
    """Name of the rubric file and the digest of its content."""
    prompt: str
    parser: str
    temperature: float | None
    max_tokens: int
    seed: int | None
    max_caption_characters: int | None
    """Longer captions are cut for the judge; None sends them whole."""

    @property
    def hash(self) -> str:
        """Return the sha256 (hex) over the canonical JSON of all fields."""
        canonical = json.dumps(self.public(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def public(self) -> dict[str, object]:
        """Return the fields as plain values, to be shown beside a number."""
        return asdict(self)


class TryLater(Transient):
    """This pair goes back: it may work after `seconds`.

    `counts` is false where it was our own limits that put it off: a pair must not end unscored
    for having waited its turn.
    """

    code = "try_later"

    def __init__(self, seconds: float, reason: str, *, counts: bool = True) -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.reason = reason
        self.counts = counts


class ProviderDown(Transient):
    """No pair will work now: the provider fails or refuses us. May be over in `seconds`."""

    code = "provider_down"

    def __init__(self, reason: str, *, seconds: float = 60) -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.reason = reason


class BudgetExhausted(Transient):
    """The money is spent: `scope` is `run` or `month`."""

    code = "budget_exhausted"

    def __init__(self, scope: str, reason: str) -> None:
        super().__init__(reason)
        self.scope = scope
        self.reason = reason


class BadReplies(Transient):
    """One run's pairs got replies that are no verdicts, too many in a row to go on paying."""

    code = "bad_replies"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Finding:
    """What the replicas found out about the provider last.

    `at` (seconds of any epoch) tells one finding from another; `down_seconds` for how long no call
    shall be made, None once it works again.
    """

    at: float
    down_seconds: float | None
    reason: str = ""


class Grader(Protocol):
    """A judge of pairs."""

    @property
    def version(self) -> JudgeVersion:
        """Who judges."""

    async def grade(self, pair: Pair, repeat: int, *, run_id: UUID) -> Grade:
        """Return a grade; raises TryLater, ProviderDown, BadReplies or BudgetExhausted.

        `repeat` counts from 0; `run_id` is whose money is spent.
        """

    async def is_up(self) -> bool:
        """Ask the provider, free of charge, whether calls may work again."""

    def learn(self, finding: Finding) -> None:
        """Take over what another replica found out about the provider."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered to one call. `usage`: prompt and completion tokens, if told."""

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


class Endpoint(Protocol):
    """Where a model answers. One call each: no retry, no limit."""

    async def ask(self, messages: Sequence[ChatMessage], form: Form) -> Answer:
        """Return the answer; raises CallFailed and nothing else."""

    async def is_up(self) -> bool:
        """Ask, free of charge, whether calls may work."""


class CallGate(Protocol):
    """The rate that all replicas share."""

    async def admit(self, tokens: int) -> None:
        """Wait for one request of so many tokens; raises TryLater if that would take too long."""

    def settle(self, estimated: int, used: int) -> None:
        """Correct an admitted estimate by what was used."""


class Spending(Protocol):
    """The money that all replicas share, in millionths of a US dollar."""

    async def reserve(self, run_id: UUID, microusd: int) -> None:
        """Set money aside before a call; raises BudgetExhausted, or TryLater near the cap."""

    def settle(self, run_id: UUID, reserved: int, spent: int) -> None:
        """Turn a reservation into what the call cost."""
