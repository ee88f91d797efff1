"""What a metric module takes and gives: answers in, metric scores and record values out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.sums import Contributions, mean_of_records
from medvid.benchmark.tasks import Scoring

_LEFT_OUT: Final = (0.0, 0.0)

Record = Mapping[str, object]
"""One sample's values, JSON-ready, named as in the golden files; null for non-finite times."""


@dataclass(frozen=True, slots=True)
class AnsweredSample:
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
    """The metrics of one task, what they are made of, and the record values by sample index."""

    metrics: Mapping[str, MetricScore]
    records: Mapping[int, Record]
    contributions: Mapping[str, ByScoring] = field(compare=False, repr=False)


ByScoring = Mapping[Scoring, Contributions]
"""What a metric's records add to the sums of its two values."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A record's contribution to a mean; None where the record is left out of that mean."""

    sample: Sample
    compat: float | None
    strict: float | None
    answered: bool
    expected: bool


class Counted(Protocol):
    """A record of a metric's task: whether it has a truth, and whether it was answered."""

    @property
    def sample(self) -> Sample:
        """The sample that was answered, or not."""

    @property
    def answered(self) -> bool:
        """Whether the prediction yields something to score."""

    @property
    def expected(self) -> bool:
        """Whether the record has a truth."""


def mean(values: Iterable[float]) -> float | None:
    """Return the mean, None of nothing."""
    listed = list(values)
    return math.fsum(listed) / len(listed) if listed else None


def metric_score(contributions: ByScoring, records: Iterable[Counted]) -> MetricScore:
    """Return a metric's values with the counts of its records, over all and by source."""
    compat, compat_by_source = contributions["compat"].value()
    strict, strict_by_source = contributions["strict"].value()
    counts = {source: [0, 0] for source in compat_by_source}
    for record in records:
        count = counts[record.sample.source]
        count[0] += record.answered
        count[1] += record.expected
    return MetricScore(
        compat=compat,
        strict=strict,
        answered=sum(answered for answered, _ in counts.values()),
        expected=sum(expected for _, expected in counts.values()),
        by_source={
            source: SourceScore(compat_by_source[source], strict_by_source[source], *count)
            for source, count in counts.items()
        },
    )


def means_of_records(outcomes: Sequence[Outcome]) -> ByScoring:
    """Return the contributions to the plain means over records."""
    return {
        "compat": _to_mean(outcomes, [outcome.compat for outcome in outcomes]),
        "strict": _to_mean(outcomes, [outcome.strict for outcome in outcomes]),
    }


def _to_mean(outcomes: Sequence[Outcome], values: Sequence[float | None]) -> Contributions:
    rows = (
        (outcome.sample.index, outcome.sample.source, _LEFT_OUT if value is None else (value, 1.0))
        for outcome, value in zip(outcomes, values, strict=True)
    )
    return Contributions.of(rows, width=2, formula=mean_of_records, counted=slice(1, 2))
