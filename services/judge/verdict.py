"""A verdict on a pair of captions, who gave it, and why there may be none now.

The refusals below are Transient: unless they are caught, the message is retried later.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from medvid.benchmark.tasks import Task
from medvid.judging.calls import NOTHING_USED, Usage
from medvid.judging.forms import ReplyForm
from medvid.judging.replies import REASONING_LIMIT
from medvid.judging.versions import JudgeVersion
from shared.runtime.errors import Transient


@dataclass(frozen=True, slots=True)
class Pair:
    """Two captions to compare, exactly as they stand. The task only gives the model context."""

    prediction: str
    reference: str
    task: Task

    @property
    def digest(self) -> bytes:
        """Return what tells two pairs apart."""
        texts = f"{self.prediction}\0{self.reference}"
        return hashlib.sha256(texts.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Waste:
    """Billed calls that came to no verdict: how many for each reason, and what they cost."""

    calls: Mapping[str, int] = field(default_factory=dict)
    microusd: int = 0

    @classmethod
    def sum(cls, wastes: Iterable[Waste]) -> Waste:
        """Add up."""
        calls: Counter[str] = Counter()
        microusd = 0
        for waste in wastes:
            calls.update(waste.calls)
            microusd += waste.microusd
        return cls(calls, microusd)


NO_WASTE: Final = Waste()
UNSCORED: Final = (
    "malformed", "truncated", "refused", "empty", "other_model", "rejected", REASONING_LIMIT,
)  # fmt: skip
FINAL: Final = ("rejected", "refused", REASONING_LIMIT)
"""Why a pair stays unscored as captions and settings are: only a person has it asked for again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Five scores of one pair, or none and why.

    `unscored_reason` is a stable code of `UNSCORED`, `detail` says more to a human. Tokens and cost
    cover every call that was made for this verdict, `latency_seconds` and `raw_reply` the last one.
    A raw reply may hold any character, NUL too: store it as bytes.
    """

    scores: Mapping[str, int] | None
    unscored_reason: str | None
    detail: str
    raw_reply: str
    model: str
    latency_seconds: float
    attempts: int
    cost_microusd: int
    used: Usage = NOTHING_USED
    reply_form: ReplyForm | None = None
    served_by: Mapping[str, str] = field(default_factory=dict)
    """What endpoint and gateways say about who answered."""
    is_confirmed: bool = True
    """Whether the model that answered calls itself by the model's own name."""
    is_estimated: bool = False
    """Whether a part of the cost is an estimate, as no usage came that can be believed."""
    waste: Waste = NO_WASTE
    rationale: str | None = None
    """The judge's reason, where it is asked for: it may repeat the reference."""


class NoVerdict(Transient):
    """There is no verdict on a pair now; `attempts` calls were made, and some perhaps wasted."""

    attempts = 0
    cost_microusd = 0
    waste = NO_WASTE
    is_estimated = False


class TryLater(NoVerdict):
    """This pair is retried later: it may work after `seconds`.

    `counts` is false where our own limits or the account's are the reason: a pair must not end
    unscored for having waited its turn. `throttled_alone`: others were answered between its calls,
    which a pair that the provider will never take sees again and again. `asked`: the seconds that
    the provider asked for, None where it named none.
    """

    code = "try_later"

    def __init__(
        self,
        seconds: float,
        detail: str,
        *,
        counts: bool = True,
        throttled_alone: bool = False,
        asked: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.seconds = seconds
        self.asked = asked
        self.counts = counts
        self.throttled_alone = throttled_alone


class ProviderDown(NoVerdict):
    """No pair will work now: the provider fails or refuses us. May be over in `seconds`."""

    code = "provider_down"

    def __init__(self, detail: str, *, seconds: float = 60) -> None:
        super().__init__(detail)
        self.seconds = seconds


class BudgetExhausted(NoVerdict):
    """The money is spent: `scope` is `run`, `month` or, of one in a pool, `endpoint`."""

    code = "budget_exhausted"

    def __init__(self, scope: str, detail: str) -> None:
        super().__init__(detail)
        self.scope = scope


class BadReplies(NoVerdict):
    """One run's pairs got replies that are no verdicts, too many in a row to go on paying."""

    code = "bad_replies"


@dataclass(frozen=True, slots=True)
class ProviderState:
    """What a replica last found out about the provider.

    `at` (seconds of any epoch) identifies it; `down_seconds` is for how long no call may be
    made, None once it works again.
    """

    at: float
    down_seconds: float | None
    reason: str = ""


class Grader(Protocol):
    """A judge of pairs."""

    @property
    def version(self) -> JudgeVersion:
        """Who judges."""

    @property
    def allowed_calls(self) -> int:
        """How many calls this replica may have open now."""

    async def judge(self, pair: Pair, repeat: int, *, run_id: UUID) -> Verdict:
        """Return a verdict; raises TryLater, ProviderDown, BadReplies or BudgetExhausted.

        `repeat` counts from 0; `run_id` is whose money is spent.
        """

    async def is_up(self) -> bool:
        """Ask the provider, free of charge, whether calls may work again."""

    def learn(self, state: ProviderState) -> None:
        """Take over what another replica found out about the provider."""
