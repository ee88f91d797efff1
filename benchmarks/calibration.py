"""How often judges of known quality pass a calibration: `python -m benchmarks.calibration [DRAWS]`.

A judge of true alpha q repeats the consensus with probability q and else draws from the same
distribution: then q is its alpha, by any metric. Its misses are independent, or fall on all five
aspects of a pair together, which is the hardest case for intervals. docs/performance.md has a run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from medvid.benchmark.tasks import ASPECTS, CAPTION_TASKS
from services.operate.calibration import ALPHA, LabelledPair, calibrate

PAIRS: Final = 150
_LEVELS: Final = (0.1, 0.2, 0.3, 0.25, 0.15)
"""Shares of the scores 1 to 5 among humans."""

Scores = Mapping[str, int]
Judge = Callable[[np.random.Generator, Scores], Scores]


def drawn(rng: np.random.Generator) -> Scores:
    """Return scores as humans give them, of no pair in particular."""
    return {aspect: int(rng.choice(5, p=_LEVELS)) + 1 for aspect in ASPECTS}


def faithful(alpha: float, *, together: bool = False) -> Judge:
    """Return a judge of this true alpha."""

    def judge(rng: np.random.Generator, consensus: Scores) -> Scores:
        other = drawn(rng)
        kept = rng.random(1 if together else len(ASPECTS)) < alpha
        kept = np.broadcast_to(kept, len(ASPECTS))
        return {
            aspect: (consensus if keep else other)[aspect]
            for aspect, keep in zip(ASPECTS, kept, strict=True)
        }

    return judge


def at_random(rng: np.random.Generator, _: Scores) -> Scores:
    """Judge without looking."""
    return drawn(rng)


def r8_at_random(rng: np.random.Generator, consensus: Scores) -> Scores:
    """Judge four aspects as the humans do, and R8 without looking."""
    return {**consensus, "R8": drawn(rng)["R8"]}


def generous(_: np.random.Generator, consensus: Scores) -> Scores:
    """Give one more than the humans, always."""
    return {aspect: min(5, score + 1) for aspect, score in consensus.items()}


JUDGES: Final[Mapping[str, tuple[Judge, int]]] = {
    "true alpha at the mark": (faithful(ALPHA), 1),
    "the same, aspects missed together": (faithful(ALPHA, together=True), 1),
    "true alpha 0.15 above the mark": (faithful(ALPHA + 0.15), 1),
    "the same, aspects missed together ": (faithful(ALPHA + 0.15, together=True), 1),
    "random, 10 raters": (at_random, 10),
    "R8 random": (r8_at_random, 1),
    "always one more": (generous, 1),
}
"""Judges, and how many raters (who agree) they are held against."""


def sample(judge: Judge, raters: int, rng: np.random.Generator) -> list[LabelledPair]:
    """Return labelled and judged pairs of all caption tasks."""
    pairs = []
    for number in range(PAIRS):
        consensus, length = drawn(rng), int(rng.integers(20, 200))
        task = CAPTION_TASKS[number % len(CAPTION_TASKS)]
        humans = (consensus,) * raters
        scores = judge(rng, consensus)
        pairs.append(LabelledPair("p" * length, "r", task.value, humans, scores))
    return pairs


def passes(judge: Judge, raters: int, draws: int, seed: int = 1) -> float:
    """Return in which share of so many calibrations a judge passes."""
    rng = np.random.default_rng(seed)
    outcomes = [calibrate(sample(judge, raters, rng)).outcome for _ in range(draws)]
    return outcomes.count("passed") / draws


def main(draws: int) -> None:
    """Print the share of calibrations that each judge passes."""
    print(f"{draws} calibrations of {PAIRS} pairs each")
    for name, (judge, raters) in JUDGES.items():
        print(f"{name:40} passes {passes(judge, raters, draws):6.1%}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
