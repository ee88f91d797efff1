"""The public part of a test set, as validation sees it; with its truth where there is one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from medvid.benchmark.clips import canonical, loosened
from medvid.benchmark.tasks import Task

if TYPE_CHECKING:
    from medvid.benchmark.ground_truth import GroundTruth

_VIDEO_TOKEN: Final = "<video>"  # noqa: S105 - a placeholder in prompts, no secret


@dataclass(frozen=True, slots=True)
class TestItem:
    """One sample without its truth.

    `question` has its leading `<video>` token and outer white space removed, and is empty where the
    test set has none. `aliases` are the canonical ids that name the sample; left out, its id is the
    only one. `clip_seconds` is the clip's length, None where it is not known.
    """

    __test__ = False  # pytest: not a test class

    index: int
    id: str
    task: Task
    question: str
    qa_type: str = ""
    source: str = ""
    aliases: tuple[str, ...] = ()
    clip_seconds: float | None = None

    def __post_init__(self) -> None:
        """Complete the aliases."""
        if not self.aliases:
            object.__setattr__(self, "aliases", (canonical(self.id),))


@dataclass(frozen=True)
class TestSet:
    """The samples a submission answers, in order. `truth` is None for a public test set."""

    __test__ = False  # pytest: not a test class

    items: tuple[TestItem, ...]
    truth: GroundTruth | None = field(default=None, repr=False)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.items)

    @classmethod
    def from_ground_truth(cls, truth: GroundTruth) -> TestSet:
        """Return a ground truth as a test set that knows it."""
        items = (
            TestItem(
                index=sample.index,
                id=sample.id,
                task=sample.task,
                question=sample.question,
                qa_type=sample.qa_type,
                source=sample.source,
                aliases=sample.aliases,
                clip_seconds=sample.clip_seconds,
            )
            for sample in truth.samples
        )
        return cls(tuple(items), truth)

    @cached_property
    def public(self) -> TestSet:
        """The same samples without their truth: all that a submitter's report may rest on."""
        return replace(self, truth=None)

    @cached_property
    def positions_by_alias(self) -> dict[str, dict[str, list[int]]]:
        """The sample indices by canonical id and question, in test-set order."""
        groups: dict[str, dict[str, list[int]]] = {}
        for item in self.items:
            for alias in item.aliases:
                groups.setdefault(alias, {}).setdefault(item.question, []).append(item.index)
        return groups

    @cached_property
    def ids_by_loose(self) -> dict[str, str]:
        """An id by its loosened spellings, with and without its last number: for suggestions."""
        found: dict[str, str] = {}
        for item in self.items:
            for spelling in (item.id, *item.aliases):
                found.setdefault(loosened(spelling), item.id)
        for loose, identity in list(found.items()):
            found.setdefault(loose.rpartition(" ")[0], identity)
        return found


def without_video_token(question: str) -> str:
    """Return a question without leading `<video>` tokens and outer white space."""
    question = question.strip()
    while question.startswith(_VIDEO_TOKEN):
        question = question[len(_VIDEO_TOKEN) :].strip()
    return question
