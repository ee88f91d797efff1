"""What a thousand evaluate-only answers tell an attacker, with the ladder and without.

    python benchmarks/boosting.py [--submissions 1000] [--runs 20] [--json]

The test set is as large as the benchmark: 6,245 yes-or-no questions of 2,400 videos. The attacker
knows nothing and sends random bits. From each answer they learn whether the bits did better than
chance, and send a majority vote of those that did (the boosting of Blum and Hardt, 2015); the
second attack also turns round those that did worse. The true score of anything they send, on new
questions, is 0.5: what they are shown above it is the gap. `rounded` only rounds, which is what
callers without a key get.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from medvid.benchmark.ladder import Rung, answer, to_step  # noqa: E402
from medvid.benchmark.statistics.bootstrap import Estimate  # noqa: E402
from medvid.benchmark.statistics.comparisons import Score  # noqa: E402
from medvid.benchmark.sums import Array  # noqa: E402

QUESTIONS: Final = 6245
VIDEOS: Final = 2400
STEP: Final = 0.01
CHANCE: Final = 0.5
Rule = Literal["full", "rounded", "ladder"]
Bits = NDArray[np.bool_]


@dataclass(slots=True)
class Server:
    """Holds the answers, and tells an owner of their submissions by one rule."""

    rule: Rule
    random: np.random.Generator
    questions: int = QUESTIONS
    videos: int = VIDEOS
    earlier: list[Rung] = field(default_factory=list)
    asked: int = 0
    truth: Bits = field(init=False)
    video: NDArray[np.int64] = field(init=False)
    weights: Array = field(init=False)
    sizes: Array = field(init=False)

    def __post_init__(self) -> None:
        """Draw the answers, the videos of the questions, and the bootstrap's weights."""
        self.truth = self.random.random(self.questions) < CHANCE
        self.video = self.random.integers(self.videos, size=self.questions)
        counts = [np.bincount(self.random.integers(self.videos, size=self.videos),
                              minlength=self.videos) for _ in range(1000)]  # fmt: skip
        self.weights = np.stack(counts).astype(np.float64)
        self.sizes = self.weights @ np.bincount(self.video, minlength=self.videos)

    def show(self, bits: Bits) -> float:
        """Return what is shown of a submission."""
        right = bits == self.truth
        value = float(right.mean())
        if self.rule == "full":
            return round(value, 4)
        if self.rule == "rounded":
            return to_step(value, STEP)
        sums = np.bincount(self.video, weights=right, minlength=self.videos)
        score = Score(value, Estimate(self.weights @ sums / self.sizes, self.videos))
        self.asked += 1
        found = answer(score, self.earlier, STEP, self.asked)
        if found.is_new:
            self.earlier.append(Rung(score, found.shown, found.step))
        return found.shown


def attack(server: Server, submissions: int, *, turns_round: bool) -> float:
    """Return what is shown of the majority vote after so many submissions, less its true score."""
    votes = np.zeros(server.questions)
    for _ in range(submissions - 1):
        bits = server.random.random(server.questions) < CHANCE
        shown = server.show(bits)
        if shown > CHANCE:
            votes += np.where(bits, 1, -1)
        elif shown < CHANCE and turns_round:
            votes -= np.where(bits, 1, -1)
    ties = server.random.random(server.questions) < CHANCE
    return server.show(np.where(votes == 0, ties, votes > 0)) - CHANCE


def simulate(rule: Rule, submissions: int, runs: int, *, turns_round: bool) -> dict[str, float]:
    """Return mean and largest gap over runs, in steps."""
    gaps = [
        attack(Server(rule, np.random.default_rng(seed)), submissions, turns_round=turns_round)
        for seed in range(runs)
    ]
    return {"mean": float(np.mean(gaps)) / STEP, "largest": float(np.max(np.abs(gaps))) / STEP}


def main(write: Callable[[str], object] = sys.stdout.write) -> None:
    """Run the attacks and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--submissions", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = {
        (rule, turns): simulate(rule, given.submissions, given.runs, turns_round=turns)
        for rule in ("full", "rounded", "ladder")
        for turns in (False, True)
    }
    if given.json:
        rows = [{"rule": rule, "turns_round": turns, **gap} for (rule, turns), gap in found.items()]
        write(json.dumps(rows, indent=1) + "\n")
        return
    write(f"gap in steps of {STEP}, {given.submissions} submissions, {given.runs} runs\n")
    for (rule, turns), gap in found.items():
        name = f"{rule}{', worse ones turned round' if turns else ''}"
        write(f"{name:36} mean {gap['mean']:6.2f}   largest {gap['largest']:6.2f}\n")


if __name__ == "__main__":
    main()
