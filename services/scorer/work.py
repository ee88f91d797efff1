"""What the scorer works on, and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from medvid.benchmark.tasks import Board


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
