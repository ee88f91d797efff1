"""What the scorer's handlers need."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from medvid.benchmark.tasks import Board
from shared.contracts.messages import Envelope, Message


@dataclass(frozen=True, slots=True)
class Work:
    """A submission that waits for its scores; `payload` is the upload, gzip."""

    submission_id: UUID
    entry_id: UUID
    board: Board
    ground_truth_version: str
    file_sha256: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One metric of one submission, as it is stored; values are finite or None."""

    metric: str
    compat: float | None
    strict: float | None
    answered: int
    expected: int
    by_source: dict[str, object]


@dataclass(frozen=True, slots=True)
class Scores:
    """All rule-based metrics of one file, and the version of the code that computed them."""

    metric_version: str
    rows: Sequence[ScoreRow]


@dataclass(frozen=True, slots=True)
class SimilarityWork:
    """A submission some of whose similarities are not measured; `payload` is the upload, gzip."""

    submission_id: UUID
    entry_id: UUID
    ground_truth_version: str
    file_sha256: str
    payload: bytes
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SimilarityRow:
    """One similarity of one submission, as it is stored; values are finite or None."""

    metric: str
    value: float | None
    pairs: int
    distinct_pairs: int
    by_source: dict[str, object]
    version: str


class ScoringWork(Protocol):
    """The one transaction that settles a submission."""

    async def save(self, work: Work, scores: Scores) -> bool:
        """Store the scores, list the entry; False when the submission no longer waits for them."""

    async def emit(self, message: Message) -> object:
        """Put a message into the outbox."""


class Submissions(Protocol):
    """Where submissions are kept."""

    async def waiting(self, envelope: Envelope, submission_id: UUID) -> Work | None:
        """Return the work, or None where it is done, gone, or failed before."""

    def settle(self, envelope: Envelope) -> AbstractAsyncContextManager[ScoringWork]:
        """Open the transaction that handles this message once; raises AlreadySeen."""


class RescoreWork(Protocol):
    """The one transaction that settles an entry of a re-score job."""

    async def save(self, work: Work, scores: Scores) -> bool:
        """Store the scores beside those in force; False when the job waits for none any more.

        The last entry of a job announces that.
        """


class Rescores(Protocol):
    """Where re-score jobs are kept."""

    async def waiting(self, envelope: Envelope, job_id: UUID, entry_id: UUID) -> Work | None:
        """Return the work, or None where it is done or its job is over; raises Permanent."""

    def settle(self, envelope: Envelope, job_id: UUID) -> AbstractAsyncContextManager[RescoreWork]:
        """Open the transaction that handles this message once; raises AlreadySeen."""


class Similarities(Protocol):
    """Where similarities are kept, and which are still to be measured."""

    async def waiting(self, submission_id: UUID) -> SimilarityWork | None:
        """Return what is still to be measured, or None where nothing is."""

    async def save(self, work: SimilarityWork, row: SimilarityRow) -> None:
        """Store one similarity, which replaces one of another test set or version."""

    async def finish(self, submission_id: UUID) -> None:
        """Note that nothing is left to be measured."""


class SimilarityMeter(Protocol):
    """Measures similarities, off the event loop."""

    async def measure(self, work: SimilarityWork, metric: str) -> SimilarityRow:
        """Return one similarity; raises Permanent when this file can never be measured."""


class Evaluator(Protocol):
    """Computes scores, off the event loop."""

    async def score(self, work: Work) -> Scores:
        """Return the scores; raises Permanent when this file can never be scored."""
