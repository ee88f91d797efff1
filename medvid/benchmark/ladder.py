"""What an owner is shown of values that are evaluated only, after the Ladder. Pure.

Who may ask often and sees each value learns the answers: of a thousand guesses, a majority vote of
those that did better than chance does better than it should. After Blum and Hardt (2015), "The
Ladder: A Reliable Leaderboard for Machine Learning Competitions": an answer says something new only
where it differs from earlier answers by more than chance explains. Else it repeats one. Such
answers come in steps; one that beats the owner's best comes in full, and is the best from then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from medvid.benchmark.disclosure import DECIMALS, rounded
from medvid.benchmark.statistics.comparisons import BEYOND_CHANCE, Difference, Score, difference
from medvid.benchmark.tasks import JUDGE_METRIC_KEYS, METRIC_KEYS

FULL: Final = 10.0**-DECIMALS
"""The step of a value that is shown in full."""


@dataclass(frozen=True, slots=True)
class Steps:
    """To what answers are rounded: shares, and points of judged metrics."""

    shares: float
    points: float

    def of(self, metric: str) -> float:
        """Return the step of a metric."""
        return self.points if metric in JUDGE_METRIC_KEYS else self.shares


USUAL_STEPS: Final = Steps(0.01, 0.05)


@dataclass(frozen=True, slots=True)
class Rung:
    """An earlier answer: the exact score, the value that was shown, and its step."""

    score: Score
    shown: float
    step: float


@dataclass(frozen=True, slots=True)
class LadderAnswer:
    """What an owner is shown: a value, and to what it is rounded.

    `is_new`: it is a rung of its own; else it repeats one, as chance explains the difference.
    """

    shown: float
    step: float
    is_new: bool


def answer(score: Score, earlier: Sequence[Rung], step: float, asked: int) -> LadderAnswer:
    """Return what an owner is shown of a score, given the earlier answers, oldest first.

    `asked` counts the owner's questions with this one: the more there were, the less a difference
    proves, so p-values are multiplied by it, and by the number of metrics (Bonferroni).
    """
    found = [difference(score, each.score) for each in earlier]
    for rung, each in zip(earlier, found, strict=True):
        if not _is_decided(each, asked):
            return LadderAnswer(rung.shown, rung.step, is_new=False)
    is_best = bool(found) and all(each.difference > 0 and not each.few_videos for each in found)
    shown = rounded(score.value) if is_best else to_step(score.value, step)
    assert shown is not None  # noqa: S101 - the score has a value
    return LadderAnswer(shown, FULL if is_best else step, is_new=True)


def to_step(value: float, step: float) -> float:
    """Return a value rounded to a step; of a step finer than what leaves the server to that."""
    step = max(step, FULL)
    return round(round(value / step) * step, DECIMALS) + 0.0


def _is_decided(found: Difference, asked: int) -> bool:
    """Tell whether chance does not explain a difference, whatever else was asked."""
    return found.p is not None and found.p * asked * len(METRIC_KEYS) < BEYOND_CHANCE
