"""What the scorer works on, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from medvid.benchmark.results import MetricScore
from medvid.benchmark.tasks import Board
from shared.storage.replicates import StoredReplicates


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
class Scores:
    """All rule-based metrics of one file by key, and the version of the code that computed them.

    `replicates` has those of every value that there is.
    """

    metric_version: str
    metrics: Mapping[str, MetricScore]
    replicates: Sequence[StoredReplicates]


@dataclass(frozen=True, slots=True)
class SimilarityWork:
    """A submission some of whose similarities are not measured; `payload` is the upload, gzip."""

    submission_id: UUID
    entry_id: UUID
    ground_truth_version: str
    file_sha256: str
    payload: bytes
    metrics: tuple[str, ...]
