"""The scorecard: all seven rule-based metrics of one submission over the whole test set."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from medvid.benchmark.embedder import Embedder
from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.metrics import cvs, dvc, nap, sa, stg, tal
from medvid.benchmark.results import AnsweredSample, ByScoring, MetricScore, Record, TaskScore
from medvid.benchmark.tasks import RULE_METRIC_KEYS, Task
from medvid.benchmark.versions import METRIC_VERSION


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many samples have a prediction at all, parsable or not."""

    predicted: int
    samples: int

    @property
    def share(self) -> float:
        """Predicted over samples; 1 where there is nothing to predict."""
        return self.predicted / self.samples if self.samples else 1.0


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Metric scores by key, coverage, and the record values by sample index.

    `contributions` are what the metrics are sums of, by key and scoring: replicates of the values
    are made of them (`medvid.benchmark.statistics`).
    """

    metric_version: str
    metrics: Mapping[str, MetricScore]
    coverage: Coverage
    coverage_by_task: Mapping[Task, Coverage]
    records: Mapping[int, Record]
    contributions: Mapping[str, ByScoring] = field(compare=False, repr=False)


def score(
    samples: Sequence[Sample],
    predictions: Iterable[str | None],
    embedder: Embedder | None,
    chosen: Collection[int] | None = None,
) -> Scorecard:
    """Score predictions, given in the order of the whole test set; None = missing.

    Pure: equal input gives equal output. A missing sample stays a record of its task, with an
    empty prediction; each metric module says what that means for its mean. Without an embedder
    `nap_acc` is a lower bound (see `nap.score`). With `chosen` (indices) only these samples count;
    what they are asked for still follows from the whole test set.

    Raises:
        ValueError: the lengths differ, or a truth is malformed.

    """
    by_task: dict[Task, list[AnsweredSample]] = {task: [] for task in Task}
    for sample, prediction in zip(samples, predictions, strict=True):
        if chosen is None or sample.index in chosen:
            by_task[sample.task].append(AnsweredSample(sample, prediction))
    scorers: Mapping[Task, Callable[[Sequence[AnsweredSample]], TaskScore]] = {
        Task.TAL: tal.score,
        Task.STG: stg.score,
        Task.DENSE_CAPTIONING: dvc.score,
        Task.NEXT_ACTION: lambda answers: nap.score(answers, embedder, samples),
        Task.CVS_ASSESSMENT: cvs.score,
        Task.SKILL_ASSESSMENT: sa.score,
    }
    scored = [scorer(by_task[task]) for task, scorer in scorers.items()]
    metrics = {key: metric for result in scored for key, metric in result.metrics.items()}
    parts = {key: part for result in scored for key, part in result.contributions.items()}
    return Scorecard(
        metric_version=METRIC_VERSION,
        metrics={key: metrics[key] for key in RULE_METRIC_KEYS},
        coverage=_coverage(answer for answers in by_task.values() for answer in answers),
        coverage_by_task={task: _coverage(answers) for task, answers in by_task.items()},
        records={index: record for result in scored for index, record in result.records.items()},
        contributions={key: parts[key] for key in RULE_METRIC_KEYS},
    )


def _coverage(answers: Iterable[AnsweredSample]) -> Coverage:
    listed = list(answers)
    return Coverage(sum(answer.prediction is not None for answer in listed), len(listed))
