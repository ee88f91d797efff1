"""From verdicts to `vs_llm`, `rc_llm` and `dvc_llm` (SPEC 3).

As sums: a column counts a source's records, and for each threshold (VS, RC: the one group of all
pairs) one counts the scored pairs and one sums each aspect's scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from medvid.benchmark.caption_pairs import DVC_THRESHOLDS, JudgingPlan, MatchedPair
from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.sums import (
    Array,
    Contributions,
    Sums,
    Values,
    mean_of_defined,
    ratio,
    side_by_side,
    weighted_mean,
)
from medvid.benchmark.tasks import ASPECTS, METRICS
from medvid.judging.verdicts import Verdict, is_valid

MAX_UNSCORED_SHARE: Final = 0.05
"""Above this share of pairs without a valid verdict no number is published."""
_COLUMNS: Final = 1 + len(ASPECTS)
"""Of one threshold: scored pairs, then the sums of their scores."""
_SAMPLE_UNKNOWN: Final = -1
_TASKS: Final = {metric.key: metric.task for metric in METRICS if metric.step == 2}

_Records = Iterable[tuple[int, str, int]]
"""Sample index, source and number of records."""


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
    publishable = _publishable(plan, valid)
    return {
        key: _score(
            plan.pairs[key],
            _contributions(
                key,
                plan.pairs[key],
                valid,
                [(_SAMPLE_UNKNOWN, source, count) for source, count in plan.records[key].items()],
            ),
            valid,
            publishable[key],
        )
        for key in plan.pairs
    }


def contributions(
    plan: JudgingPlan,
    verdicts: Mapping[int, Verdict | None] | Sequence[Verdict | None],
    samples: Sequence[Sample],
) -> dict[str, Contributions]:
    """Return what the records of each judge metric add to its sums, for replicates.

    `samples` are those of the whole test set: a dense caption without a pair weighs, too. A metric
    that is not published is left out.
    """
    valid = _valid_by_text(plan, verdicts)
    return {
        key: _contributions(
            key,
            plan.pairs[key],
            valid,
            [(each.index, each.source, 1) for each in samples if each.task is _TASKS[key]],
        )
        for key, publishable in _publishable(plan, valid).items()
        if publishable
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


def _publishable(plan: JudgingPlan, valid: Mapping[int, Verdict]) -> dict[str, bool]:
    run_is_complete = _is_complete([p for pairs in plan.pairs.values() for p in pairs], valid)
    return {
        key: run_is_complete and _is_complete(pairs, valid) for key, pairs in plan.pairs.items()
    }


def _is_complete(pairs: Sequence[MatchedPair], valid: Mapping[int, Verdict]) -> bool:
    unscored = sum(pair.text not in valid for pair in pairs)
    return unscored <= MAX_UNSCORED_SHARE * len(pairs)


def _contributions(
    key: str, pairs: Sequence[MatchedPair], valid: Mapping[int, Verdict], records: _Records
) -> Contributions:
    """Return a row for each sample's scored pairs, and for the records of the task."""
    is_dense = key == "dvc_llm"
    groups = {t: n for n, t in enumerate(DVC_THRESHOLDS if is_dense else (None,))}
    scores = {text: (1, *(found[aspect] for aspect in ASPECTS)) for text, found in valid.items()}
    scored = [pair for pair in pairs if pair.text in valid]
    row_of: dict[tuple[int, str], int] = {}
    numbers = [row_of.setdefault((pair.sample, pair.source), len(row_of)) for pair in scored]
    sums = np.zeros((len(row_of), len(groups), _COLUMNS))
    if scored:
        columns = np.array([scores[pair.text] for pair in scored], np.float64)
        np.add.at(sums, (numbers, [groups[pair.threshold] for pair in scored]), columns)
    counts = list(records)
    rows = np.zeros((len(row_of) + len(counts), 1 + len(groups) * _COLUMNS))
    rows[: len(row_of), 1:] = sums.reshape(len(row_of), len(groups) * _COLUMNS)
    rows[len(row_of) :, 0] = [count for _, _, count in counts]
    return Contributions(
        np.array([sample for sample, _ in row_of] + [sample for sample, *_ in counts], np.int64),
        [source for _, source in row_of] + [source for _, source, _ in counts],
        rows,
        _dense if is_dense else _plain,
        # A dense caption enters the weight of its source even where nothing is matched.
        slice(0, 1) if is_dense else slice(1, 2),
    )


def _plain(sums: Sums) -> Values:
    """VS, RC: the mean over aspects of the mean over pairs."""
    return Values(
        mean_of_defined(_aspects(sums.whole)),
        {source: mean_of_defined(_aspects(found)) for source, found in sums.by_source.items()},
    )


def _dense(sums: Sums) -> Values:
    """DVC: the mean over sources, weighted by records; one without a scored pair counts 0."""
    return Values(
        mean_of_defined(_dense_aspects(sums)),
        {source: mean_of_defined(_aspects(found)) for source, found in sums.by_source.items()},
    )


def _dense_aspects(sums: Sums) -> Array:
    """Return the aspect means over sources, draws by aspects.

    Aspects may be averaged last: within a source they share their thresholds, so the mean over
    aspects commutes with all others.
    """
    draws = len(sums.whole)
    weights = side_by_side({key: found[:, 0] for key, found in sums.by_source.items()}, draws)
    by_source = {source: _aspects(found) for source, found in sums.by_source.items()}
    return np.stack(
        [
            weighted_mean(
                side_by_side({key: found[:, n] for key, found in by_source.items()}, draws), weights
            )
            for n in range(len(ASPECTS))
        ],
        axis=-1,
    )


def _aspects(sums: Array) -> Array:
    """Return the aspect means over the thresholds that have a scored pair, draws by aspects."""
    groups = sums[:, 1:].reshape(len(sums), -1, _COLUMNS)
    return mean_of_defined(np.moveaxis(ratio(groups[..., 1:], groups[..., :1]), 1, -1))


def _score(
    pairs: Sequence[MatchedPair],
    found: Contributions,
    valid: Mapping[int, Verdict],
    publishable: bool,
) -> JudgeScore:
    sums = found.sums()
    whole, by_source = found.value()
    aspects = (_dense_aspects(sums) if found.formula is _dense else _aspects(sums.whole))[0]
    in_source = Counter(pair.source for pair in pairs)
    scored = Counter(pair.source for pair in pairs if pair.text in valid)
    samples = Counter(
        source for source, _ in {(p.source, p.sample) for p in pairs if p.text in valid}
    )
    return JudgeScore(
        compat=whole if publishable else None,
        pairs=len(pairs),
        distinct_pairs=len({pair.text for pair in pairs}),
        scored=scored.total(),
        publishable=publishable,
        aspects=dict(zip(ASPECTS, aspects.tolist(), strict=True))
        if whole is not None and publishable
        else {},
        by_source={
            source: JudgeSourceScore(
                compat=value,
                pairs=in_source[source],
                scored=scored[source],
                samples=samples[source],
            )
            for source, value in by_source.items()
        },
    )
