"""How well a judge agrees with humans: rank correlation, quadratic kappa, Krippendorff's alpha.

The figures come from scipy, scikit-learn and krippendorff, which only calibration needs: they are
imported when called, and installed from `requirements/calibration.lock`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Final

import numpy as np

from medvid.benchmark.tasks import ASPECTS

LEAST_PAIRS: Final = 30
"""With fewer, no figure here means much."""
MARKS: Final = {"spearman": 0.6, "kappa": 0.6, "alpha": 0.667}
"""A judge passes from here on. 0.667 is the least alpha for tentative conclusions (Krippendorff,
Content Analysis, 2004, ch. 11); 0.6 begins "substantial" kappa (Landis and Koch, 1977)."""
LENGTH_BIAS: Final = 0.3
"""Correlation of the judge's excess over humans with length that a judge may show, either way."""

Scores = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """One pair with the scores of each human rater, and of the judge once it has any."""

    prediction: str
    reference: str
    qa_type: str
    humans: tuple[Scores, ...]
    judge: Scores | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement between judge and humans; None where a figure is not defined (no variance)."""

    pairs: int
    spearman: float | None
    kappa: float | None
    alpha: float | None
    human_alpha: float | None
    """Agreement of the humans among themselves: more is not to be asked of a judge."""
    judge_mean: float
    human_mean: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A judge held against humans. `failed` names the marks that it misses; empty: it passes."""

    overall: Agreement
    aspects: Mapping[str, Agreement]
    length_bias: float | None
    failed: tuple[str, ...]

    def public(self) -> dict[str, object]:
        """Return plain values."""
        return {**asdict(self), "passed": not self.failed, "marks": MARKS}


def calibrate(pairs: Sequence[LabelledPair]) -> Calibration:
    """Compare a judge with humans on pairs that both scored; raises ValueError on none."""
    judged = [pair for pair in pairs if pair.judge is not None]
    if not judged:
        raise ValueError("no pair has scores of both humans and the judge")
    overall = _agreement(judged, tuple(ASPECTS))
    bias = _length_bias(judged)
    return Calibration(
        overall=overall,
        aspects={aspect: _agreement(judged, (aspect,)) for aspect in ASPECTS},
        length_bias=bias,
        failed=tuple(_failed(overall, bias)),
    )


def _agreement(pairs: Sequence[LabelledPair], aspects: Sequence[str]) -> Agreement:
    """Compare over some aspects: correlation of means per pair, the others over all scores."""
    judge = [_judged(pair)[aspect] for pair in pairs for aspect in aspects]
    humans = _ratings(pairs, aspects)
    consensus = [_half_up(value) for value in np.nanmedian(humans, axis=0)]
    return Agreement(
        pairs=len(pairs),
        spearman=_spearman(
            [fmean(_judged(pair)[aspect] for aspect in aspects) for pair in pairs],
            [_human_mean(pair, aspects) for pair in pairs],
        ),
        kappa=_kappa(judge, consensus),
        alpha=_alpha([*humans, judge]),
        human_alpha=_alpha(humans) if len(humans) > 1 else None,
        judge_mean=fmean(judge),
        human_mean=fmean(_human_mean(pair, aspects) for pair in pairs),
    )


def _failed(overall: Agreement, bias: float | None) -> list[str]:
    failed = [] if overall.pairs >= LEAST_PAIRS else ["pairs"]
    for name, mark in MARKS.items():
        value = getattr(overall, name)
        if value is None or value < mark:
            failed.append(name)
    if bias is not None and abs(bias) > LENGTH_BIAS:
        failed.append("length_bias")
    return failed


def _judged(pair: LabelledPair) -> Scores:
    assert pair.judge is not None  # noqa: S101 - chosen so
    return pair.judge


def _human_mean(pair: LabelledPair, aspects: Sequence[str]) -> float:
    return fmean(scores[aspect] for scores in pair.humans for aspect in aspects)


def _ratings(pairs: Sequence[LabelledPair], aspects: Sequence[str]) -> list[list[float]]:
    """Return a row a rater and a column a score; nan where a rater did not score the pair."""
    raters = max(len(pair.humans) for pair in pairs)
    return [
        [
            float(pair.humans[rater][aspect]) if rater < len(pair.humans) else math.nan
            for pair in pairs
            for aspect in aspects
        ]
        for rater in range(raters)
    ]


def _length_bias(pairs: Sequence[LabelledPair]) -> float | None:
    """Correlate the judge's excess over the humans with the length of what it judged."""
    aspects = tuple(ASPECTS)
    return _spearman(
        [fmean(_judged(pair).values()) - _human_mean(pair, aspects) for pair in pairs],
        [float(len(pair.prediction)) for pair in pairs],
    )


def _spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    from scipy.stats import spearmanr

    if len(set(one)) < 2 or len(set(other)) < 2:
        return None
    return float(spearmanr(one, other).statistic)


def _kappa(one: Sequence[int], other: Sequence[int]) -> float | None:
    from sklearn.metrics import cohen_kappa_score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is undefined is what None says
        value = float(cohen_kappa_score(one, other, weights="quadratic", labels=[1, 2, 3, 4, 5]))
    return value if math.isfinite(value) else None


def _alpha(ratings: Sequence[Sequence[float]]) -> float | None:
    import krippendorff

    table = np.array(ratings, dtype=float)
    if len(set(table[~np.isnan(table)])) < 2:
        return None
    try:
        value = float(krippendorff.alpha(table, level_of_measurement="ordinal"))
    except ValueError:  # no score that two raters share
        return None
    return value if math.isfinite(value) else None


def _half_up(value: float) -> int:
    return math.floor(value + 0.5)
