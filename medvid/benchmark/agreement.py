"""How far two files of predictions give the same answers, by task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medvid.benchmark.parsed import parse
from medvid.benchmark.tasks import Task
from medvid.benchmark.test_set import TestItem


@dataclass(frozen=True, slots=True)
class AnswerAgreement:
    """Of a task's samples: how many both files answer, with equal texts, and parsed alike."""

    samples: int
    both: int
    identical: int
    parsed_alike: int


def agreement(
    items: Iterable[TestItem], one: Sequence[str | None], other: Sequence[str | None]
) -> dict[Task, AnswerAgreement]:
    """Return the agreement of two files, aligned with the samples, by task.

    Texts are compared without white space around them; equal texts are parsed alike.
    """
    found: dict[Task, list[int]] = {}
    for item, a, b in zip(items, one, other, strict=True):
        counts = found.setdefault(item.task, [0, 0, 0, 0])
        counts[0] += 1
        if a is None or b is None:
            continue
        identical = a.strip() == b.strip()
        counts[1] += 1
        counts[2] += identical
        counts[3] += identical or parse(a, item).value == parse(b, item).value
    return {task: AnswerAgreement(*found[task]) for task in Task if task in found}
