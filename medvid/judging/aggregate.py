"""From verdicts to `vs_llm`, `rc_llm` and `dvc_llm` (SPEC 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from medvid.benchmark.caption_pairs import DVC_THRESHOLDS, JudgingPlan, MatchedPair
from medvid.benchmark.tasks import ASPECTS
from medvid.judging.verdicts import Verdict, is_valid

MAX_UNSCORED_SHARE: Final = 0.05
"""Above this share of pairs without a valid verdict no number is published."""

_Thresholds = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class JudgeSourceScore:
    """A judge metric within one source; None where no pair is scored.

    `samples` are those with a scored pair, of which a dense caption has any number.
    """

    compat: float | None
    pairs: int
    scored: int
    samples: int


@dataclass(frozen=True, slots=True)
class JudgeScore:
    """A judge metric over the whole test set.

    `pairs` counts every pair at every threshold, `distinct_pairs` their distinct texts, `scored`
    the pairs with a valid verdict. `compat` is None where nothing is scorable or too much is
    unscored (then `publishable` is False). `aspects` are the five values whose mean it is.
    """

    compat: float | None
    pairs: int
    distinct_pairs: int
    scored: int
    publishable: bool
    aspects: Mapping[str, float]
    by_source: Mapping[str, JudgeSourceScore]


def aggregate(
    plan: JudgingPlan, verdicts: Mapping[int, Verdict | None] | Sequence[Verdict | None]
) -> dict[str, JudgeScore]:
    """Return the judge metrics by key.

    `verdicts` holds one verdict a text of the plan, by its index; a text without a valid verdict
    leaves its pairs out, never as zero. A metric is published only where neither it nor the whole
    run has more than 5 % of its pairs unscored.
    """
    valid = _valid_by_text(plan, verdicts)
    every = [pair for pairs in plan.pairs.values() for pair in pairs]
    run_is_complete = _is_complete(every, valid)
    return {
        key: _score(pairs, plan.records[key], valid, run_is_complete, _thresholds(key))
        for key, pairs in plan.pairs.items()
    }


def _valid_by_text(
    plan: JudgingPlan, verdicts: Mapping[int, Verdict | None] | Sequence[Verdict | None]
) -> dict[int, Verdict]:
    given = verdicts.items() if isinstance(verdicts, Mapping) else enumerate(verdicts)
    count = len(plan.texts)
    return {
        text: verdict
        for text, verdict in given
        if 0 <= text < count and verdict is not None and is_valid(verdict)
    }


def _thresholds(key: str) -> _Thresholds:
    return DVC_THRESHOLDS if key == "dvc_llm" else (None,)


def _is_complete(pairs: Sequence[MatchedPair], valid: Mapping[int, Verdict]) -> bool:
    unscored = sum(pair.text not in valid for pair in pairs)
    return unscored <= MAX_UNSCORED_SHARE * len(pairs)


@dataclass(slots=True)
class _Tally:
    """Sums of aspect scores over the scored pairs of one source at one threshold."""

    pairs: int = 0
    scored: int = 0
    sums: list[int] = field(default_factory=lambda: [0] * len(ASPECTS))
    samples: set[int] = field(default_factory=set)

    def add(self, sample: int, verdict: Verdict | None) -> None:
        self.pairs += 1
        if verdict:
            self.scored += 1
            self.samples.add(sample)
            self.sums = [
                total + verdict[aspect] for total, aspect in zip(self.sums, ASPECTS, strict=True)
            ]

    def means(self) -> list[float]:
        return [total / self.scored for total in self.sums]


def _score(
    pairs: Sequence[MatchedPair],
    records: Mapping[str, int],
    valid: Mapping[int, Verdict],
    run_is_complete: bool,
    thresholds: _Thresholds,
) -> JudgeScore:
    tallies: dict[str, dict[float | None, _Tally]] = {
        source: {threshold: _Tally() for threshold in thresholds} for source in sorted(records)
    }
    for pair in pairs:
        tallies[pair.source][pair.threshold].add(pair.sample, valid.get(pair.text))
    is_dense = len(thresholds) > 1
    overall = _over_sources(tallies, records) if is_dense else _over_pairs(tallies)
    publishable = run_is_complete and _is_complete(pairs, valid)
    return JudgeScore(
        compat=_mean(overall) if overall and publishable else None,
        pairs=len(pairs),
        distinct_pairs=len({pair.text for pair in pairs}),
        scored=sum(pair.text in valid for pair in pairs),
        publishable=publishable,
        aspects=dict(zip(ASPECTS, overall, strict=True)) if overall and publishable else {},
        by_source={source: _source_score(found) for source, found in tallies.items()},
    )


def _over_pairs(tallies: Mapping[str, Mapping[float | None, _Tally]]) -> list[float]:
    """Return the aspect means over all scored pairs (VS, RC); nothing where there is none."""
    total = _Tally()
    for by_threshold in tallies.values():
        for tally in by_threshold.values():
            total.scored += tally.scored
            total.sums = [one + other for one, other in zip(total.sums, tally.sums, strict=True)]
    return total.means() if total.scored else []


def _over_sources(
    tallies: Mapping[str, Mapping[float | None, _Tally]], records: Mapping[str, int]
) -> list[float]:
    """Return the aspect means over sources, weighted by records (DVC).

    A source without a scored pair counts 0 with its weight. Aspects may be averaged last: within
    a source they share their thresholds, so the mean over aspects commutes with all others.
    """
    weight = sum(records.values())
    if not weight:
        return []
    by_source = {source: _over_thresholds(found) for source, found in tallies.items()}
    return [
        math.fsum(by_source[source][aspect] * count for source, count in records.items()) / weight
        for aspect in range(len(ASPECTS))
    ]


def _over_thresholds(by_threshold: Mapping[float | None, _Tally]) -> list[float]:
    """Return a source's aspect means over the thresholds that have a scored pair, else zeros."""
    means = [tally.means() for tally in by_threshold.values() if tally.scored]
    if not means:
        return [0.0] * len(ASPECTS)
    return [_mean(values) for values in zip(*means, strict=True)]


def _source_score(by_threshold: Mapping[float | None, _Tally]) -> JudgeSourceScore:
    scored = sum(tally.scored for tally in by_threshold.values())
    return JudgeSourceScore(
        compat=_mean(_over_thresholds(by_threshold)) if scored else None,
        pairs=sum(tally.pairs for tally in by_threshold.values()),
        scored=scored,
        samples=len(set[int]().union(*(tally.samples for tally in by_threshold.values()))),
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
