"""The test set as validation sees it: ids, qa_types, questions; with truth where there is some."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from shared.benchmark.tasks import Task

if TYPE_CHECKING:
    from shared.benchmark.ground_truth import GroundTruth


@dataclass(frozen=True, slots=True)
class TestItem:
    """One sample without its truth; `question` as `normalised_question` gives it."""

    __test__ = False  # pytest: not a test class

    index: int
    id: str
    task: Task
    question: str


@dataclass(frozen=True)
class TestSet:
    """The samples a submission answers, in order. `truth` is None for a public test-set file."""

    __test__ = False  # pytest: not a test class

    items: tuple[TestItem, ...]
    truth: GroundTruth | None = field(default=None, repr=False)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.items)

    @classmethod
    def from_ground_truth(cls, truth: GroundTruth) -> TestSet:
        """Return the view of a ground truth that alignment needs."""
        items = (
            TestItem(sample.index, sample.id, sample.task, normalised_question(sample.question))
            for sample in truth.samples
        )
        return cls(tuple(items), truth)

    @cached_property
    def positions_by_key(self) -> dict[tuple[str, Task], tuple[int, ...]]:
        """Return the sample indices of each (id, task), in test-set order."""
        groups: defaultdict[tuple[str, Task], list[int]] = defaultdict(list)
        for item in self.items:
            groups[item.id, item.task].append(item.index)
        return {key: tuple(indices) for key, indices in groups.items()}

    @cached_property
    def tasks_by_id(self) -> dict[str, tuple[Task, ...]]:
        """Return the tasks in which each id occurs."""
        groups: defaultdict[str, dict[Task, None]] = defaultdict(dict)
        for item in self.items:
            groups[item.id][item.task] = None
        return {sample_id: tuple(tasks) for sample_id, tasks in groups.items()}

    @cached_property
    def ids_by_clip(self) -> dict[str, str]:
        """Return an id for each `video&&start&&end`, to suggest where only the fps differs."""
        return {item.id.rpartition("&&")[0]: item.id for item in self.items}


def normalised_question(text: str) -> str:
    """Return a question without `<video>` tokens and with runs of white space as one space."""
    return " ".join(text.replace("<video>", " ").split())
