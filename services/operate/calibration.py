"""Whether a judge may be trusted: it is held against the consensus of humans, part by part.

Every gate looks at a 95 % interval (bootstrap over pairs), as a figure of few pairs proves little:
alpha passes where its lower bound clears the mark, a bias where its whole interval is small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final, Literal

import numpy as np

from medvid.benchmark.tasks import ASPECTS, CAPTION_TASKS, task_of
from medvid.judging.agreement import (
    AgreementInterval,
    Floats,
    alphas,
    coincidences,
    interval,
    means,
    quadratic_kappa,
    rank_correlations,
    resampled,
)

LEAST_PAIRS: Final = 100
"""With fewer there is no verdict."""
LEAST_OF_PART: Final = 30
"""A task, or a bias that is probed, of fewer is shown, and neither passes nor fails."""
ALPHA: Final = 0.667
"""The least alpha for tentative conclusions (Krippendorff, Content Analysis, 2004, ch. 11)."""
ALPHA_OF_PART: Final = 0.5
"""For one aspect or task. Their intervals are up to twice as wide and they are eight: with the mark
of the whole a judge 0.15 above it would pass in 23 of 100 calibrations (docs/performance.md)."""
BIAS: Final = 0.5
"""Half a level: what rounding alone can hide."""
LENGTH_BIAS: Final = 0.3
"""Correlation of the judge's excess over humans with length that a judge may show, either way."""
MARKS: Final = {
    "alpha": ALPHA, "part_alpha": ALPHA_OF_PART, "bias": BIAS, "length_bias": LENGTH_BIAS,
    "pairs": LEAST_PAIRS,
}  # fmt: skip

Scores = Mapping[str, int]
Outcome = Literal["passed", "failed", "too_few_pairs"]
Probe = Literal["retest", "position", "duplication"]


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """One pair with the scores of each human rater, and of the judge once it has any.

    `probes`: what the judge gave when it was asked again, for the sentences in reverse order, and
    for the caption written twice.
    """

    prediction: str
    reference: str
    qa_type: str
    humans: tuple[Scores, ...]
    judge: Scores | None = None
    probes: Mapping[Probe, Scores] | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement between judge and consensus over some pairs and aspects."""

    pairs: int
    alpha: AgreementInterval
    bias: AgreementInterval
    """Mean of judge less humans, in levels."""
    spearman: float | None
    kappa: float | None
    human_alpha: float | None
    """Agreement of the humans among themselves: more is not to be asked of a judge."""
    judge_mean: float
    human_mean: float

    def failed(self, mark: float) -> list[str]:
        """Return which of its gates it does not pass."""
        low, (least, most) = self.alpha.low, (self.bias.low, self.bias.high)
        return [
            *(["alpha"] if low is None or low < mark else []),
            *(["bias"] if least is None or most is None or max(-least, most) > BIAS else []),
        ]

    def public(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "pairs": self.pairs,
            **_shown("alpha", self.alpha),
            **_shown("bias", self.bias),
            "spearman": self.spearman,
            "kappa": self.kappa,
            "human_alpha": self.human_alpha,
            "judge_mean": self.judge_mean,
            "human_mean": self.human_mean,
        }


@dataclass(frozen=True, slots=True)
class Calibration:
    """A judge held against humans. `failed` names the gates that it does not pass, by part.

    `retest` is its alpha with itself. `position` and `duplication` are by how many levels its
    scores change when sentences are reversed and when the caption is doubled.
    """

    overall: Agreement
    aspects: Mapping[str, Agreement]
    tasks: Mapping[str, Agreement]
    length_bias: AgreementInterval
    retest: AgreementInterval | None
    position: AgreementInterval | None
    duplication: AgreementInterval | None
    failed: tuple[str, ...]

    @property
    def outcome(self) -> Outcome:
        """Whether the judge passes; too few pairs say neither."""
        if self.overall.pairs < LEAST_PAIRS:
            return "too_few_pairs"
        return "failed" if self.failed else "passed"

    def public(self) -> dict[str, object]:
        """Return plain values, as they are kept and published."""
        probes = {"retest_alpha": self.retest, "position_bias": self.position,
                  "duplication_bias": self.duplication}  # fmt: skip
        shown = [_shown(name, found) for name, found in probes.items() if found is not None]
        return {
            "outcome": self.outcome,
            "passed": self.outcome == "passed",
            "failed": list(self.failed),
            "marks": MARKS,
            "overall": self.overall.public(),
            "aspects": {name: found.public() for name, found in self.aspects.items()},
            "tasks": {name: found.public() for name, found in self.tasks.items()},
            **_shown("length_bias", self.length_bias),
            **{name: value for one in shown for name, value in one.items()},
        }


def _shown(name: str, found: AgreementInterval) -> dict[str, float | None]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def calibrate(pairs: Sequence[LabelledPair]) -> Calibration:
    """Compare a judge with humans on pairs that both scored; raises ValueError on none."""
    judged = [pair for pair in pairs if pair.judge is not None]
    if not judged:
        raise ValueError("no pair has scores of both humans and the judge")
    every = tuple(ASPECTS)
    overall = _agreement(judged, every)
    aspects = {aspect: _agreement(judged, (aspect,)) for aspect in every}
    by_task = {task: [pair for pair in judged if task_of(pair.qa_type) is task]
               for task in CAPTION_TASKS}  # fmt: skip
    tasks = {task.value: _agreement(found, every) for task, found in by_task.items() if found}
    length = _length_bias(judged)
    position, duplication = _shift(judged, "position"), _shift(judged, "duplication")
    failed = [f"overall {gate}" for gate in overall.failed(ALPHA)]
    gated = {name: found for name, found in tasks.items() if found.pairs >= LEAST_OF_PART}
    for name, found in {**aspects, **gated}.items():
        failed += [f"{name} {gate}" for gate in found.failed(ALPHA_OF_PART)]
    if length.value is not None and abs(length.value) > LENGTH_BIAS:
        failed.append("length bias")
    shifts: dict[Probe, AgreementInterval | None] = {
        "position": position,
        "duplication": duplication,
    }
    for probe, shift in shifts.items():
        enough = len(_probed(judged, probe)) >= LEAST_OF_PART
        if shift is not None and enough and not _is_small(shift):
            failed.append(f"{probe} bias")
    return Calibration(
        overall, aspects, tasks, length, _retest(judged), position, duplication, tuple(failed)
    )


def _is_small(bias: AgreementInterval) -> bool:
    return bias.low is not None and bias.high is not None and max(-bias.low, bias.high) <= BIAS


def _agreement(pairs: Sequence[LabelledPair], aspects: Sequence[str]) -> Agreement:
    weights = resampled(len(pairs))
    consensus = [_consensus(pair) for pair in pairs]
    tables = _tables(list(zip(consensus, map(_judged, pairs), strict=True)), aspects)
    humans = np.array([_human_mean(pair, aspects) for pair in pairs])
    judge = np.array([_mean(_judged(pair), aspects) for pair in pairs])
    among = _tables([pair.humans for pair in pairs], aspects)
    return Agreement(
        pairs=len(pairs),
        alpha=interval(alphas(tables, weights)),
        bias=interval(means(judge - humans, weights)),
        spearman=_defined(rank_correlations(judge, humans, weights[:1])),
        kappa=quadratic_kappa(
            [_judged(pair)[aspect] for pair in pairs for aspect in aspects],
            [scores[aspect] for scores in consensus for aspect in aspects],
        ),
        human_alpha=_defined(alphas(among, weights[:1])),
        judge_mean=float(judge.mean()),
        human_mean=float(humans.mean()),
    )


def _tables(raters: Sequence[Sequence[Scores]], aspects: Sequence[str]) -> Floats:
    """Return the coincidence table of each pair, over some aspects."""
    return np.array(
        [
            coincidences([[scores[aspect] for scores in given] for aspect in aspects])
            for given in raters
        ]
    )


def _length_bias(pairs: Sequence[LabelledPair]) -> AgreementInterval:
    """Correlate the judge's excess over the humans with the length of what it judged."""
    every = tuple(ASPECTS)
    excess = [_mean(_judged(pair), every) - _human_mean(pair, every) for pair in pairs]
    lengths = [float(len(pair.prediction)) for pair in pairs]
    return interval(rank_correlations(np.array(excess), np.array(lengths), resampled(len(pairs))))


def _retest(pairs: Sequence[LabelledPair]) -> AgreementInterval | None:
    twice = [(_judged(pair), pair.probes["retest"]) for pair in _probed(pairs, "retest")
             if pair.probes]  # fmt: skip
    if not twice:
        return None
    return interval(alphas(_tables(twice, tuple(ASPECTS)), resampled(len(twice))))


def _shift(pairs: Sequence[LabelledPair], probe: Probe) -> AgreementInterval | None:
    """Return by how much the judge's scores change, in levels; None where it was not asked."""
    every = tuple(ASPECTS)
    changes = [_mean(pair.probes[probe], every) - _mean(_judged(pair), every)
               for pair in _probed(pairs, probe) if pair.probes]  # fmt: skip
    return interval(means(np.array(changes), resampled(len(changes)))) if changes else None


def _probed(pairs: Sequence[LabelledPair], probe: Probe) -> list[LabelledPair]:
    return [pair for pair in pairs if pair.probes and probe in pair.probes]


@dataclass(frozen=True, slots=True)
class JudgeComparison:
    """Two judges on the same pairs: alpha of each, and the first's less the second's."""

    pairs: int
    one: AgreementInterval
    other: AgreementInterval
    difference: AgreementInterval

    def public(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "pairs": self.pairs,
            **_shown("alpha_a", self.one),
            **_shown("alpha_b", self.other),
            **_shown("difference", self.difference),
        }


def compare(
    one: Sequence[LabelledPair], other: Sequence[LabelledPair]
) -> dict[str, JudgeComparison]:
    """Compare two judges, overall and by aspect; raises ValueError where both scored no pair.

    The same draws count for both, so that what both find hard does not blur the difference.
    """
    both = [(a, b) for a, b in zip(one, other, strict=True) if a.judge and b.judge]
    if not both:
        raise ValueError("no pair has verdicts of both judges")
    weights = resampled(len(both))

    def over(aspects: Sequence[str]) -> JudgeComparison:
        values = [
            alphas(_tables([(_consensus(pair[who]), _judged(pair[who])) for pair in both], aspects),
                   weights)
            for who in (0, 1)
        ]  # fmt: skip
        first, second = values
        return JudgeComparison(
            len(both), interval(first), interval(second), interval(first - second)
        )

    return {"overall": over(tuple(ASPECTS)), **{aspect: over((aspect,)) for aspect in ASPECTS}}


def _judged(pair: LabelledPair) -> Scores:
    assert pair.judge is not None  # noqa: S101 - chosen so
    return pair.judge


def _consensus(pair: LabelledPair) -> Scores:
    """Return the median of the raters; between two scores the higher."""
    return {
        aspect: math.floor(median(scores[aspect] for scores in pair.humans) + 0.5)
        for aspect in ASPECTS
    }


def _mean(scores: Scores, aspects: Sequence[str]) -> float:
    return fmean(scores[aspect] for aspect in aspects)


def _human_mean(pair: LabelledPair, aspects: Sequence[str]) -> float:
    return fmean(_mean(scores, aspects) for scores in pair.humans)


def _defined(values: Floats) -> float | None:
    return float(values[0]) if np.isfinite(values[0]) else None


_SENTENCE_ENDS: Final = (". ", "! ", "? ")


def reversed_sentences(text: str) -> str | None:
    """Return a text with its sentences in reverse order; None where it has one only."""
    marked = text.strip()
    for end in _SENTENCE_ENDS:
        marked = marked.replace(end, end.strip() + "\0")
    sentences = [sentence.strip() for sentence in marked.split("\0") if sentence.strip()]
    return " ".join(reversed(sentences)) if len(sentences) > 1 else None


def doubled(text: str) -> str:
    """Return a text written twice, which says nothing more."""
    return f"{text.strip()} {text.strip()}"


PROBES: Final[Mapping[Probe, Callable[[str], str | None]]] = {
    "retest": lambda text: text,
    "position": reversed_sentences,
    "duplication": doubled,
}
"""The caption that each probe shows to the judge; None where it has nothing to show."""
