"""What a metric module takes and gives: answers in, metric scores and record values out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from medvid.benchmark.ground_truth import Sample

Record = Mapping[str, object]
"""One sample's values, JSON-ready, named as in the golden files; null for non-finite times."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A sample with its prediction, None where the submission has none (partial submission)."""

    sample: Sample
    prediction: str | None

    @property
    def text(self) -> str:
        """The prediction; a missing one counts as an empty text."""
        return self.prediction or ""


@dataclass(frozen=True, slots=True)
class SourceScore:
    """A metric within one source dataset; None where nothing is scorable."""

    compat: float | None
    strict: float | None
    answered: int
    expected: int


@dataclass(frozen=True, slots=True)
class MetricScore:
    """A metric over the whole test set.

    `expected` counts the records of the task that have a truth, `answered` those among them whose
    prediction yields something to score. Values are finite or None.
    """

    compat: float | None
    strict: float | None
    answered: int
    expected: int
    by_source: Mapping[str, SourceScore]


@dataclass(frozen=True, slots=True)
class TaskScore:
    """The metrics of one task and the record values by sample index."""

    metrics: Mapping[str, MetricScore]
    records: Mapping[int, Record]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A record's contribution to a mean; None where the record is left out of that mean."""

    source: str
    compat: float | None
    strict: float | None
    answered: bool
    expected: bool


def mean(values: Iterable[float]) -> float | None:
    """Return the mean, None of nothing."""
    listed = list(values)
    return math.fsum(listed) / len(listed) if listed else None


def present(values: Iterable[float | None]) -> list[float]:
    """Return the values that are not None."""
    return [value for value in values if value is not None]


_HasSource = TypeVar("_HasSource", Outcome, Answer)


def source_of(item: Outcome | Answer) -> str:
    """Return the source dataset an outcome or an answer belongs to."""
    return item.source if isinstance(item, Outcome) else item.sample.source


def grouped(items: Iterable[_HasSource]) -> dict[str, list[_HasSource]]:
    """Return items by source, sources in order of name."""
    groups: dict[str, list[_HasSource]] = {}
    for item in items:
        groups.setdefault(source_of(item), []).append(item)
    return dict(sorted(groups.items()))


def mean_of_records(outcomes: Sequence[Outcome]) -> MetricScore:
    """Return the plain mean over records, and the same within each source."""
    by_source = {source: _source_score(group) for source, group in grouped(outcomes).items()}
    total = _source_score(outcomes)
    return MetricScore(total.compat, total.strict, total.answered, total.expected, by_source)


def _source_score(outcomes: Sequence[Outcome]) -> SourceScore:
    return SourceScore(
        compat=mean(present(outcome.compat for outcome in outcomes)),
        strict=mean(present(outcome.strict for outcome in outcomes)),
        answered=sum(outcome.answered for outcome in outcomes),
        expected=sum(outcome.expected for outcome in outcomes),
    )
