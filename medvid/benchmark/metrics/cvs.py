"""CVS_acc: critical view of safety (SPEC 2, CVS)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from medvid.benchmark import truth
from medvid.benchmark.metrics.components import ComparedScores, accuracy
from medvid.benchmark.parsing.cvs import parse_components
from medvid.benchmark.results import AnsweredSample, Record, TaskScore, metric_score

_VALID: Final = range(3)


def score(answers: Sequence[AnsweredSample]) -> TaskScore:
    """Score the components; a missing prediction counts as an empty one, naming none of them."""
    comparisons: list[ComparedScores] = []
    records: dict[int, Record] = {}
    for answer in answers:
        parsed = parse_components(answer.text)
        comparisons.append(
            ComparedScores(
                sample=answer.sample,
                true=truth.component_scores(answer.sample),
                compat=parsed,
                strict={name: value for name, value in parsed.items() if value in _VALID},
            )
        )
        records[answer.sample.index] = {"parsed": parsed}
    contributions = accuracy(comparisons)
    metrics = {"cvs_acc": metric_score(contributions, comparisons)}
    return TaskScore(metrics, records, {"cvs_acc": contributions})
