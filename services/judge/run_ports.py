"""What the handlers of a run need: where runs are kept, and who plans them.

A run moves through its items: each distinct text pair, each repeat. An item is terminal when it has
a verdict, scored or not. Items travel in batches; the rows of a batch are the truth about it, its
message only says that somebody should look.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from medvid.judging.plans import StoredPlan
from services.judge.ports import Finding, Grade, JudgeVersion, Pair
from shared.contracts.messages import Envelope


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
    """One pair to judge, one repeat of it. `tries` counts how often the provider put it off."""

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
    finding: Finding | None = None
    """What the replicas found out about the provider, if anything."""


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
    """What one turn at a batch achieved.

    `scored` and `unscored` items are terminal; `put_off` ones count a try and, like all others,
    come again after `delay` seconds. A `pause` stops the whole run.
    """

    scored: Collection[Item] = ()
    unscored: Collection[Item] = ()
    put_off: Collection[Item] = ()
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


def given_up(detail: str) -> Grade:
    """Return the verdict on a pair that never got a reply."""
    return Grade(
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


class Runs(Protocol):
    """Where runs are kept."""

    async def queued(self, run_id: UUID) -> QueuedRun | None:
        """Return the run if it waits to be planned."""

    async def payload(self, submission_id: UUID) -> bytes:
        """Return a submission's upload (gzip)."""

    async def known(self, version: str, pairs: Sequence[bytes], repeats: int) -> int:
        """Return how many verdicts with scores there are for these pairs."""

    async def calls_per_second(self, version: str) -> float | None:
        """Return how fast verdicts came in lately, None when none did."""

    async def run_pairs(self, run_id: UUID) -> Sequence[tuple[bytes, int]]:
        """Return sha256 and length in bytes of each distinct text pair of a planned run."""

    async def begin(
        self,
        envelope: Envelope,
        run: QueuedRun,
        version: JudgeVersion,
        plan: StoredPlan | None,
        estimate: Mapping[str, object],
    ) -> bool:
        """Start the run: cut what has no verdict into batches and send the first.

        `plan` is None for a run that was planned before. Returns whether nothing is left to judge.
        """

    async def fail(self, envelope: Envelope, run_id: UUID, reason: str, detail: str) -> None:
        """End a queued run with a reason, as the work of this message."""

    async def batch(self, batch_id: int) -> Batch | None:
        """Return a batch that is not done."""

    async def settle(self, envelope: Envelope, batch: Batch, settlement: Settlement) -> None:
        """Note what became of a batch, as the work of this message, and send the run's next."""

    async def close(self, run_id: UUID) -> None:
        """Complete or fail a running run whose items are all terminal; once, whoever asks."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The outcome of a claim: ours to ask for, known already; all others are being asked for."""

    ours: Sequence[Item] = ()
    known: Sequence[Item] = ()
    busy: Sequence[Item] = ()


class Verdicts(Protocol):
    """The permanent cache of verdicts, and the claims that keep two from asking for the same."""

    async def claim(self, version: str, items: Sequence[Item]) -> Claimed:
        """Claim what nobody holds and what has no scores yet."""

    async def save(self, version: str, item: Item, grade: Grade) -> None:
        """Keep a verdict and let its claim go; one with scores is never replaced."""

    async def release(self, version: str, items: Collection[Item]) -> None:
        """Let claims go that came to nothing."""


class Planner(Protocol):
    """Makes plans, off the event loop."""

    async def plan(self, payload: bytes, ground_truth_version: str) -> StoredPlan:
        """Return the plan of an upload; raises Permanent when it never can be planned."""


class Budget(Protocol):
    """What may be spent."""

    async def left_microusd(self, run_id: UUID) -> int | None:
        """Return what this run may still spend, None without a cap."""


class Patrol(Protocol):
    """Finds what stands still; see the reaper."""

    async def send_due_batches(self) -> None:
        """Send batches of running runs whose time has come, as far as windows allow."""

    async def close_finished(self) -> None:
        """Close runs whose last batch was done by somebody who then died."""

    async def announce_again(self, *, runs: float, batches: float) -> None:
        """Announce queued runs and sent batches of which nothing was heard for so many seconds."""

    async def of_another_judge(self, version: str, seconds: float) -> Sequence[UUID]:
        """Return running runs of another judge version of which nothing was heard for so long."""

    async def paused_for(self, reasons: Sequence[str]) -> Sequence[UUID]:
        """Return the runs that are paused for one of these reasons."""

    async def paused_by_last_month(self) -> Sequence[UUID]:
        """Return the runs that an earlier month's budget paused."""

    async def with_bad_replies(self, seconds: float) -> Sequence[UUID]:
        """Return the runs to try again: after so many seconds, then after twice as long, ..."""

    async def may_probe(self, version: str, seconds: float) -> bool:
        """Tell whether to ask the provider now, for all replicas; within so many seconds."""

    async def provider_is_up(self, version: str) -> None:
        """Tell all replicas that the provider works again."""

    async def provider_is_down(self, version: str, reason: str, seconds: float) -> None:
        """Tell all replicas not to call the provider for so long."""

    async def pause(self, run_id: UUID, reason: str, detail: str) -> None:
        """Pause a run."""

    async def resume(self, run_id: UUID) -> None:
        """Queue a paused run again."""
