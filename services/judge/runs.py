"""A run, its items and its batches.

A run moves through its items: each distinct text pair, each repeat. An item is terminal when it has
a verdict, scored or not. Items travel in batches: the state of a batch is in its rows, its message
only asks to work on it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.judge.verdict import Pair, ProviderState, Verdict


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """A run that waits to be planned, or planned again after a pause or a failure."""

    id: UUID
    submission_id: UUID
    ground_truth_version: str
    repeats: int
    planned: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One pair to judge, one repeat of it. `tries` counts how often it had to be retried later."""

    ordinal: int
    repeat: int
    sha256: bytes
    pair: Pair
    tries: int

    @property
    def key(self) -> ItemKey:
        """Return what identifies the verdict within a judge version."""
        return self.sha256, self.repeat


ItemKey = tuple[bytes, int]


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


@dataclass(frozen=True, slots=True)
class Pause:
    """Why a run cannot go on for now: a stable code, and the same for a human.

    `down_seconds`: no replica shall call the provider for so long; None where it is not to blame.
    """

    reason: str
    detail: str
    down_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What was achieved for a batch.

    `scored` and `unscored` items are terminal; `retried` ones count a try and, like all others,
    come again after `delay` seconds. A `pause` stops the whole run.
    """

    scored: Collection[Item] = ()
    unscored: Collection[Item] = ()
    retried: Collection[Item] = ()
    delay: float = 0.0
    pause: Pause | None = None


@dataclass(frozen=True, slots=True)
class RunPolicy:
    """How runs are cut and scheduled; see the settings of the same names."""

    batch_items: int = 8
    window_batches: int = 48
    least_batches: int = 2
    tries: int = 6
    busy_seconds: float = 2.0
    longest_delay_seconds: float = 300.0


def given_up(detail: str) -> Verdict:
    """Return the verdict on a pair that never got a reply."""
    return Verdict(
        scores=None,
        unscored_reason="given_up",
        detail=detail,
        raw_reply="",
        model="",
        prompt_tokens=0,
        completion_tokens=0,
        latency_seconds=0,
        attempts=0,
        cost_microusd=0,
    )


@dataclass(frozen=True, slots=True)
class Claims:
    """The outcome of a claim: items to ask for now, known ones, and those that others ask for."""

    taken: Sequence[Item] = ()
    known: Sequence[Item] = ()
    busy: Sequence[Item] = ()
