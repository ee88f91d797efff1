"""What a panel's verdicts come to: its values, its members' own, and how far they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medvid.benchmark.caption_pairs import JudgingPlan
from medvid.benchmark.statistics.bootstrap import Estimate, Estimates
from medvid.benchmark.tasks import ASPECTS
from medvid.judging.agreement import LEVELS, alphas, coincidences_of, quadratic_kappa
from medvid.judging.panels import Panel
from medvid.judging.results import JudgedMetric, RunOutcome
from medvid.judging.verdicts import Verdict

Rounds = Sequence[Mapping[int, Verdict]]
"""Of one judge: the verdicts of each repeat, by text."""


def panel_outcome(
    plan: JudgingPlan,
    asked: Panel,
    outcomes: Sequence[RunOutcome],
    rounds: Sequence[Rounds],
    missing: Mapping[str, str],
) -> RunOutcome:
    """Return the outcome of a panel by those of its members, all of them publishable.

    `outcomes` and `rounds` are of the members that are not `missing`, in their order; `missing`
    says why, by version. A panel of one has its member's outcome.
    """
    if asked.is_single:
        return outcomes[0]
    panel = asked.without(missing)
    together = zip(*(each.metrics for each in outcomes), strict=True)
    metrics = {key: _facts(panel, [_of(each, key) for each in outcomes]) for key in plan.pairs}
    return RunOutcome(
        publishable=True,
        problem="",
        metrics=tuple(_metric(panel, found) for found in together),
        facts={
            **outcomes[0].facts,
            "metrics": metrics,
            "panel": {
                "combine": asked.combine,
                "of": len(asked.members),
                "judged_by": len(panel.members),
                "members": [
                    {**member.public(), "metrics": each.facts["metrics"]}
                    for member, each in zip(panel.members, outcomes, strict=True)
                ],
                "missing": [
                    {**each.public(), "reason": missing[each.judge_version]}
                    for each in asked.members
                    if each.judge_version in missing
                ],
                "agreement": {
                    key: agreement(panel, _scores({pair.text for pair in pairs}, rounds))
                    for key, pairs in plan.pairs.items()
                },
            },
        },
    )


def panel_replicates(
    panel: Panel, members: Sequence[Mapping[str, Estimates]]
) -> dict[str, Estimates]:
    """Return the replicates of a panel by those of its members: each combined as the value is."""
    return {
        metric: Estimates(
            _estimate(panel, [each[metric].whole for each in members]),
            {
                source: _estimate(panel, [each[metric].by_source[source] for each in members])
                for source in first.by_source
                if all(source in each[metric].by_source for each in members)
            },
        )
        for metric, first in members[0].items()
        if all(metric in each for each in members)
    }


def agreement(panel: Panel, scores: NDArray[np.int64]) -> dict[str, Any]:
    """Return how far members agree: ordinal alpha of all, quadratic kappa of each two.

    `scores` has a row for each unit (text, repeat, aspect) and a column for each member, 0 where it
    gave none. None where a value is not defined, as where all scores are one.
    """
    counts = np.stack([(scores == level + 1).sum(axis=1) for level in range(LEVELS)], axis=1)
    (alpha,) = alphas(coincidences_of(counts.astype(float))[None, :], np.ones((1, 1)))
    kappas = []
    for one, other in combinations(range(len(panel.members)), 2):
        both = (scores[:, one] > 0) & (scores[:, other] > 0)
        kappas.append(
            {
                "a": panel.members[one].judge_version,
                "b": panel.members[other].judge_version,
                "kappa": quadratic_kappa(scores[both, one].tolist(), scores[both, other].tolist())
                if both.any()
                else None,
            }
        )
    return {"alpha": float(alpha) if np.isfinite(alpha) else None, "kappas": kappas}


def _scores(texts: set[int], rounds: Sequence[Rounds]) -> NDArray[np.int64]:
    columns = [
        [
            score
            for verdicts in member
            for text in sorted(texts)
            for score in _in_order(verdicts.get(text))
        ]
        for member in rounds
    ]
    return np.array(columns, np.int64).T


def _in_order(verdict: Verdict | None) -> list[int]:
    return [0] * len(ASPECTS) if verdict is None else [verdict[aspect] for aspect in ASPECTS]


def _estimate(panel: Panel, found: Sequence[Estimate]) -> Estimate:
    replicates = panel.rows([each.replicates for each in found])
    return Estimate(replicates, max(each.clusters for each in found))


def _metric(panel: Panel, found: Sequence[JudgedMetric]) -> JudgedMetric:
    first = found[0]
    return JudgedMetric(
        metric=first.metric,
        value=panel.value([each.value for each in found]),
        answered=min(each.answered for each in found),
        expected=first.expected,
        by_source={
            source: _part(panel, [each.by_source[source] for each in found])
            for source in first.by_source
            if all(source in each.by_source for each in found)
        },
    )


def _part(panel: Panel, parts: Sequence[Any]) -> dict[str, Any]:
    """Return a source's part: what it rests on is what every member has."""
    return {
        name: panel.value([part[name] for part in parts])
        if name == "compat"
        else min(part[name] for part in parts)
        for name in parts[0]
    }


def _of(outcome: RunOutcome, metric: str) -> dict[str, Any]:
    metrics: Any = outcome.facts["metrics"]
    return dict(metrics[metric])


def _facts(panel: Panel, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = found[0]
    scored = min(each["scored"] for each in found)
    return {
        "value": panel.value([each["value"] for each in found]),
        "pairs": first["pairs"],
        "distinct_pairs": first["distinct_pairs"],
        "scored": scored,
        "coverage": scored / first["pairs"] if first["pairs"] else None,
        "aspects": {
            aspect: panel.value([each["aspects"].get(aspect) for each in found])
            for aspect in first["aspects"]
        },
    }
