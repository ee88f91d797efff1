"""Single answers of a file: the worst ones, and those of which nothing can be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.reading import read
from medvid.benchmark.tasks import Scoring, Task
from medvid.benchmark.test_set import TestItem
from medvid.rewards.values import RewardItem, rule_value


@dataclass(frozen=True, slots=True)
class Answered:
    """A prediction of a sample; `value` by rule, None where its task has none."""

    sample: Sample
    text: str
    value: float | None
    is_read: bool


def answered(
    samples: Sequence[Sample],
    predictions: Iterable[str | None],
    scoring: Scoring,
    task: Task | None = None,
) -> list[Answered]:
    """Return the answers that are there, of one task or of all, in test-set order."""
    return [
        Answered(
            sample, text, rule_value(RewardItem(sample, text), scoring), _is_read(sample, text)
        )
        for sample, text in zip(samples, predictions, strict=True)
        if text is not None and task in (None, sample.task)
    ]


def worst(answers: Iterable[Answered], count: int) -> list[Answered]:
    """Return the answers of lowest value, in test-set order where values are equal."""
    valued = [(each.value, each) for each in answers if each.value is not None]
    return [each for _, each in sorted(valued, key=lambda pair: pair[0])[:count]]


def _is_read(sample: Sample, text: str) -> bool:
    """Whether anything of a text is read as its task expects it."""
    item = TestItem(sample.index, sample.id, sample.task, sample.question, source=sample.source)
    return read(text, item, sample).emitted > 0
