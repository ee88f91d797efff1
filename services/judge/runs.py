"""A run, its items and its batches.

A run moves through its items: each distinct text pair, each repeat. An item is terminal when it has
a verdict, scored or not. Items travel in batches: the state of a batch is in its rows, its message
only asks to work on it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from medvid.judging.forms import ReplyForm
from medvid.judging.pricing import MICROUSD
from services.judge.verdict import NO_WASTE, Pair, ProviderState, Verdict, Waste


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """A run that waits to be planned, or planned again after a pause or a failure."""

    id: UUID
    submission_id: UUID
    ground_truth_version: str
    repeats: int
    planned: bool
    wanted_version: str | None = None
    """The judge version of the job that it belongs to."""
    known_only: bool = False
    """It makes no call: it ends where a pair has no verdict."""
    leaves_final: bool = False
    """Pairs that are unscored for good stay so."""
    fast: bool = False
    """Whether its owner wants it online, where others travel in batches of the provider's."""


@dataclass(frozen=True, slots=True)
class Item:
    """One pair to judge, one repeat of it.

    `tries` counts how often it had to be retried later, `calls` the failed calls by then;
    `throttled` how often the provider took none of its calls while it answered others.
    """

    ordinal: int
    repeat: int
    sha256: bytes
    pair: Pair
    tries: int
    calls: int = 0
    throttled: int = 0

    @property
    def key(self) -> ItemKey:
        """Return what identifies the verdict within a judge version."""
        return self.sha256, self.repeat


ItemKey = tuple[bytes, int]


def keys_apart(keys: Collection[ItemKey]) -> tuple[list[bytes], list[int]]:
    """Return pairs and repeats as the two arrays that queries take."""
    return [pair for pair, _ in keys], [repeat for _, repeat in keys]


class PlannedRun(Protocol):
    """Names a run that a judge version was planned for: its own row, or one of its batches."""

    @property
    def run_id(self) -> UUID:
        """The run."""

    @property
    def submission_id(self) -> UUID:
        """Whose captions are judged."""

    @property
    def judge_version(self) -> str:
        """Who judges them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that is not done: the items of it that are not terminal."""

    id: int
    run_id: UUID
    submission_id: UUID
    run_state: str
    judge_version: str
    items: Sequence[Item]
    provider: ProviderState | None = None
    """What a replica last found out about the provider, if anything."""
    is_of_panel: bool = False
    """Its judge, the version's, is one of several: the run goes on while it is down."""
    notes: RunNotes = field(default_factory=lambda: RunNotes())


@dataclass(frozen=True, slots=True)
class RunNotes:
    """What is written down of a run once: how it goes on, in which form it was answered."""

    is_cautious: bool = False
    """It goes on with one pair at a time, until one gets a verdict."""
    reply_form: ReplyForm | None = None
    cost_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """Why a run cannot go on for now: a stable code, and the same for a human.

    `down_seconds`: no replica shall call the provider for so long; None where it is not to blame.
    """

    reason: str
    detail: str
    down_seconds: float | None = None

    def is_of_member(self, batch: Batch) -> bool:
        """Tell whether only a panel's member is down, so that its run goes on."""
        return batch.is_of_panel and self.down_seconds is not None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What was achieved for a batch.

    `scored` and `unscored` items are terminal; `retried` and `throttled` ones count it and, like
    all others, come again after `delay` seconds. `called` items keep how many calls were made for
    them. A `pause` stops the whole run. `waste`: billed calls without a verdict.
    """

    scored: Collection[Item] = ()
    unscored: Collection[Item] = ()
    retried: Collection[Item] = ()
    throttled: Collection[Item] = ()
    called: Collection[Item] = ()
    delay: float = 0.0
    pause: Pause | None = None
    waste: Waste = NO_WASTE
    reply_form: ReplyForm | None = None
    cost_estimated: bool = False


@dataclass(frozen=True, slots=True)
class RunPolicy:
    """How runs are cut and scheduled; see the settings of the same names.

    `batch_items` and `window_batches` bound what follows the fleet (sizing); None: nothing does.
    """

    batch_items: int | None = None
    window_batches: int | None = None
    least_batches: int = 2
    tries: int = 6
    busy_seconds: float = 2.0
    at_provider_seconds: float = 60.0
    longest_delay_seconds: float = 300.0
    waste_share: float = 0.05
    waste_calls: int = 20

    @property
    def most_throttled(self) -> int:
        """Return how often a pair may be throttled while others are answered.

        So often that it is no chance, and for longer than a busy hour of the account lasts.
        """
        return 5 * self.tries


def given_up(detail: str, *, attempts: int = 0) -> Verdict:
    """Return the verdict on a pair that never got a reply."""
    return Verdict(
        scores=None,
        unscored_reason="given_up",
        detail=detail,
        raw_reply="",
        model="",
        latency_seconds=0,
        attempts=attempts,
        cost_microusd=0,
    )


_CURES: Final = {
    "reasoning_limit": "raise MEDVID_JUDGE_MAX_TOKENS, or lower MEDVID_JUDGE_REASONING_EFFORT",
    "truncated": "raise MEDVID_JUDGE_MAX_TOKENS (models that think aloud need more)",
    "malformed": "take a model that keeps to a form, or another MEDVID_JUDGE_REPLY_FORM",
    "empty": "raise MEDVID_JUDGE_MAX_TOKENS, or take another model",
    "refused": "take an endpoint whose content filter lets surgery pass",
    "other_model": "set MEDVID_JUDGE_MODEL to the model that answers, or MEDVID_JUDGE_MODEL_PREFIX",
    "timeout": "raise MEDVID_JUDGE_TIMEOUT_SECONDS, or lower MEDVID_JUDGE_CONCURRENCY",
}


def wasted_too_much(calls: int, microusd: int, reasons: Mapping[str, int]) -> str:
    """Return what an operator reads of a run that paid too often for nothing."""
    most = sorted(reasons, key=lambda reason: (-reasons[reason], reason))
    counted = ", ".join(f"{reason} {reasons[reason]}" for reason in most)
    cure = next((_CURES[reason] for reason in most if reason in _CURES), "see the judge's log")
    return (
        f"{calls} calls were billed ({microusd / MICROUSD:.2f} USD) and gave no verdict: "
        f"{counted}. The fix: {cure}. Try it with `medvid admin judge-check`, then resume the run."
    )


@dataclass(frozen=True, slots=True)
class Claims:
    """The outcome of a claim: items to ask for now, known ones, and those that others ask for.

    `at_provider`: those are in batches of the provider's, which take hours.
    """

    taken: Sequence[Item] = ()
    known: Sequence[Item] = ()
    busy: Sequence[Item] = ()
    at_provider: bool = False
