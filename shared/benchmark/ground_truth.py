"""Ground truth: the private test set, parsed once, versioned by its content (SPEC 1)."""

from __future__ import annotations

from dataclasses import dataclass

from shared.benchmark.tasks import Task


@dataclass(frozen=True, slots=True)
class Sample:
    """One test sample with its truth.

    `truth` is the record's `struc_info` as loaded (its shape differs by task); read it through
    `shared.benchmark.truth`. `question` has its leading `<video>` token and white space removed.
    """

    index: int
    id: str
    qa_type: str
    task: Task
    source: str
    question: str
    reference: str
    fps: float
    truth: object
