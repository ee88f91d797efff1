"""SA_acc: skill assessment (SPEC 2, SA)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from medvid.benchmark import truth
from medvid.benchmark.metrics.components import ComparedScores, accuracy
from medvid.benchmark.parsing.sa import SKILL_ASPECTS, parse_aspects
from medvid.benchmark.results import AnsweredSample, Record, TaskScore, metric_score

_VALID: Final = range(1, 6)
_FOLDED_ASPECTS: Final[Mapping[str, str]] = {aspect.casefold(): aspect for aspect in SKILL_ASPECTS}


def score(answers: Sequence[AnsweredSample]) -> TaskScore:
    """Score the aspects; a missing prediction counts as an empty one, naming none of them."""
    comparisons: list[ComparedScores] = []
    records: dict[int, Record] = {}
    for answer in answers:
        named = parse_aspects(answer.text)
        parsed = dict(named)
        comparisons.append(
            ComparedScores(
                sample=answer.sample,
                true=truth.aspect_scores(answer.sample),
                compat=parsed,
                strict=_strict(named),
            )
        )
        records[answer.sample.index] = {"parsed": parsed}
    contributions = accuracy(comparisons)
    metrics = {"sa_acc": metric_score(contributions, comparisons)}
    return TaskScore(metrics, records, {"sa_acc": contributions})


def _strict(named: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Return the scores by aspect, names compared case-insensitively, later duplicates winning."""
    folded = {name.casefold(): number for name, number in named}
    return {
        aspect: folded[name]
        for name, aspect in _FOLDED_ASPECTS.items()
        if folded.get(name) in _VALID
    }
