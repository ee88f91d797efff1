"""What a finished run publishes: a score row for each judge metric, and public facts about it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from medvid.benchmark.caption_pairs import JudgingPlan
from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.statistics.bootstrap import Estimate, Estimates, Resampling, estimates
from medvid.judging.aggregate import MAX_UNSCORED_SHARE, JudgeScore, aggregate, contributions
from medvid.judging.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class JudgedMetric:
    """One judge metric as it is stored; `answered` counts scored pairs, `expected` all pairs."""

    metric: str
    value: float | None
    answered: int
    expected: int
    by_source: dict[str, object]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The result of a run; not publishable when too much is unscored (then `problem` says what)."""

    publishable: bool
    problem: str
    metrics: tuple[JudgedMetric, ...]
    facts: dict[str, object]


def outcome(plan: JudgingPlan, repeats: Sequence[Mapping[int, Verdict]]) -> RunOutcome:
    """Combine the verdicts of each repeat (by text index); a metric is the mean over repeats."""
    rounds = [aggregate(plan, verdicts) for verdicts in repeats]
    keys = list(plan.pairs)
    bad = [key for key in keys if not all(scores[key].publishable for scores in rounds)]
    per_metric = {key: [scores[key] for scores in rounds] for key in keys}
    facts: dict[str, object] = {
        "repeats": len(rounds),
        "distinct_pairs": len(plan.texts),
        "pairs": sum(len(pairs) for pairs in plan.pairs.values()),
        "metrics": {key: _facts(found, repeats, plan, key) for key, found in per_metric.items()},
    }
    return RunOutcome(
        publishable=not bad,
        problem=_problem(bad, per_metric),
        metrics=tuple(_metric(key, found) for key, found in per_metric.items()),
        facts=facts,
    )


def replicates(
    plan: JudgingPlan,
    repeats: Sequence[Mapping[int, Verdict]],
    samples: Sequence[Sample],
    resampling: Resampling,
) -> dict[str, Estimates]:
    """Return the replicates of each metric that is published: each a mean over repeats, too.

    Raises KeyError or IndexError for a plan of another ground truth than the samples.
    """
    rounds = [estimates(contributions(plan, verdicts, samples), resampling) for verdicts in repeats]
    return {
        key: Estimates(
            _mean_estimate([found[key].whole for found in rounds]),
            {
                source: _mean_estimate([found[key].by_source[source] for found in rounds])
                for source in rounds[0][key].by_source
                if all(source in found[key].by_source for found in rounds)
            },
        )
        for key in plan.pairs
        if all(key in found for found in rounds)
    }


def _mean_estimate(found: Sequence[Estimate]) -> Estimate:
    """Return the mean of a value's estimates; undefined where one of them is."""
    return Estimate(
        np.mean([each.replicates for each in found], axis=0), max(each.clusters for each in found)
    )


def _problem(bad: Sequence[str], per_metric: Mapping[str, Sequence[JudgeScore]]) -> str:
    if not bad:
        return ""
    shares = ", ".join(
        f"{key}: {max(score.pairs - score.scored for score in per_metric[key])} "
        f"of {per_metric[key][0].pairs}"
        for key in bad
    )
    return f"more than {MAX_UNSCORED_SHARE:.0%} of the pairs have no verdict ({shares})."


def _metric(key: str, found: Sequence[JudgeScore]) -> JudgedMetric:
    first = found[0]
    return JudgedMetric(
        metric=key,
        value=_mean([score.compat for score in found]),
        answered=min(score.scored for score in found),
        expected=first.pairs,
        by_source={
            source: asdict(part)
            | {"compat": _mean([score.by_source[source].compat for score in found])}
            for source, part in first.by_source.items()
        },
    )


def _facts(
    found: Sequence[JudgeScore],
    repeats: Sequence[Mapping[int, Verdict]],
    plan: JudgingPlan,
    key: str,
) -> dict[str, object]:
    first = found[0]
    scored = min(score.scored for score in found)
    facts: dict[str, object] = {
        "value": _mean([score.compat for score in found]),
        "pairs": first.pairs,
        "distinct_pairs": first.distinct_pairs,
        "scored": scored,
        "coverage": scored / first.pairs if first.pairs else None,
        "aspects": {
            aspect: _mean([score.aspects.get(aspect) for score in found])
            for aspect in first.aspects
        },
    }
    if len(found) > 1:
        values = [score.compat for score in found if score.compat is not None]
        facts["variance"] = statistics.variance(values) if len(values) > 1 else None
        texts = {pair.text for pair in plan.pairs[key]}
        facts["verdict_variance"] = _verdict_variance(texts, repeats)
    return facts


def _verdict_variance(texts: set[int], repeats: Sequence[Mapping[int, Verdict]]) -> float | None:
    """Return the mean over texts of how much a text's mean score varies between repeats."""
    variances = []
    for text in sorted(texts):
        means = [statistics.fmean(found[text].values()) for found in repeats if text in found]
        if len(means) > 1:
            variances.append(statistics.variance(means))
    return statistics.fmean(variances) if variances else None


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean; None where a value is missing."""
    present = [value for value in values if value is not None]
    if not present or len(present) < len(values):
        return None
    return math.fsum(present) / len(present)
