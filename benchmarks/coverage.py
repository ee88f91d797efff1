"""How often intervals hold the true value, and how often equal models seem to differ.

    python benchmarks/coverage.py [--simulations 2000] [--json]

Each simulation draws a test set: videos, their questions, and for each of two equal models whether
it answers them rightly. A model answers one video's questions alike: it has a rate of its own on
each video, drawn from a beta distribution whose mean is the true value and whose spread gives the
correlation within a video. What is measured is the code that scores files.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from typing import Final

import numpy as np

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from medvid.benchmark.ground_truth import Sample  # noqa: E402
from medvid.benchmark.metrics.components import ComparedScores, accuracy  # noqa: E402
from medvid.benchmark.statistics.bootstrap import estimates, resample  # noqa: E402
from medvid.benchmark.statistics.comparisons import Score, compare  # noqa: E402
from medvid.benchmark.statistics.intervals import interval  # noqa: E402
from medvid.benchmark.sums import Contributions  # noqa: E402
from medvid.benchmark.tasks import Task  # noqa: E402

TRUE_VALUE: Final = 0.6
CORRELATIONS: Final = (0.0, 0.2, 0.5)
"""Of right answers within a video."""
ASPECTS: Final = tuple(f"aspect {number}" for number in range(6))
SKILL: Final = 9
"""Videos of the skill task."""
NAIVE_EVERY: Final = 10
P_LEVEL: Final = 0.05


@dataclass(frozen=True, slots=True)
class TestSet:
    """How the videos of a test set are drawn: how many, and how many questions each has."""

    name: str
    videos: int
    fewest: int
    most: int
    parts: Sequence[str] = ("answer",)
    """A question is one answer, or several scores of which each counts."""


TEST_SETS: Final = (
    TestSet("skill, 9 videos", SKILL, 14, 21, ASPECTS),
    TestSet("a source of 9 videos", 9, 1, 15),
    TestSet("a source of 15 videos", 15, 1, 15),
    TestSet("30 videos", 30, 1, 15),
    TestSet("50 videos", 50, 1, 15),
    TestSet("CVS, 79 videos", 79, 1, 15, ASPECTS[:3]),
    TestSet("250 videos", 250, 1, 9),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares of simulations.

    `covered`: the interval holds the true value; `naive`: so does one that takes each question for
    a video of its own (in every tenth simulation, as it is slow); `rejected`: the equal models
    differ with p < 0.05.
    """

    covered: float
    naive: float
    rejected: float


def simulate(test_set: TestSet, correlation: float, simulations: int) -> Figures:
    """Return the figures over independent test sets; the same in every run."""
    dice = np.random.default_rng([test_set.videos, len(test_set.parts), int(100 * correlation)])
    covered = naive = rejected = 0
    for number in range(simulations):
        counts = dice.integers(test_set.fewest, test_set.most, test_set.videos, endpoint=True)
        videos = np.repeat(np.arange(test_set.videos), counts)
        one, other = (_answers(dice, videos, correlation, test_set) for _ in range(2))
        found = _estimates(videos, [one, other], number)
        covered += _holds(found[0])
        rejected += _differs(*found)
        if number % NAIVE_EVERY == 0:
            apart = _estimates(np.arange(len(videos)), [one], number)
            naive += _holds(apart[0])
    tenth = len(range(0, simulations, NAIVE_EVERY))
    return Figures(covered / simulations, naive / tenth, rejected / simulations)


def _answers(
    dice: np.random.Generator, videos: np.ndarray, correlation: float, test_set: TestSet
) -> np.ndarray:
    """Return which parts of each question are right, questions by parts."""
    rates = np.full(test_set.videos, TRUE_VALUE)
    if correlation > 0:
        total = 1 / correlation - 1  # of the beta distribution's two parameters
        rates = dice.beta(TRUE_VALUE * total, (1 - TRUE_VALUE) * total, test_set.videos)
    drawn: np.ndarray = dice.random((len(videos), len(test_set.parts))) < rates[videos][:, None]
    return drawn


def _estimates(videos: np.ndarray, models: Sequence[np.ndarray], number: int) -> list[Score]:
    """Return each model's score, on draws of the simulation's own."""
    samples = [
        Sample(index, "", "skill_assessment", Task.SKILL_ASSESSMENT, "s", "", "", 1.0, None, str(v))
        for index, v in enumerate(videos.tolist())
    ]
    resampling = resample(samples, str(number))
    contributions = dict(enumerate(_contributions(samples, right) for right in models))
    found = estimates(contributions, resampling)
    return [Score(contributions[n].value()[0] or 0.0, each.whole) for n, each in found.items()]


def _contributions(samples: Sequence[Sample], right: np.ndarray) -> Contributions:
    """Return the metric that the skill task has: mean over aspects of the share that is right."""
    names = [f"part {number}" for number in range(right.shape[1])]
    true = dict.fromkeys(names, 1)
    comparisons = [
        ComparedScores(sample, true, said := dict(zip(names, row, strict=True)), said)
        for sample, row in zip(samples, right.astype(int).tolist(), strict=True)
    ]
    return accuracy(comparisons)["compat"]


def _holds(score: Score) -> bool:
    found = interval(score.estimate) if score.estimate else None
    if found is None or found.low is None or found.high is None:
        return False
    return found.low <= TRUE_VALUE <= found.high


def _differs(one: Score, other: Score) -> bool:
    p = compare({"m": one}, {"m": other})["m"].p
    return p is not None and p < P_LEVEL


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    cases = [(each, correlation) for each in TEST_SETS for correlation in CORRELATIONS]
    with ProcessPoolExecutor() as pool:
        found = pool.map(simulate, *zip(*cases, strict=True), repeat(options.simulations))
        figures = {(each.name, at): one for (each, at), one in zip(cases, found, strict=True)}
    if options.json:
        print(json.dumps([
            {"test_set": name, "correlation": correlation} | asdict(one)
            for (name, correlation), one in figures.items()
        ], indent=2))  # fmt: skip
        return
    print("| test set | correlation | covered | naive | A against A |\n|---|---|---|---|---|")
    for (name, correlation), one in figures.items():
        shares = " | ".join(f"{each:.1%}" for each in (one.covered, one.naive, one.rejected))
        print(f"| {name} | {correlation} | {shares} |")


if __name__ == "__main__":
    main()
