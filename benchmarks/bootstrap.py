"""What replicates and rank intervals cost, in processor time of one core.

    python benchmarks/bootstrap.py [--json] [--quick]

Scoring with replicates is a ratio, measured by turns in one process; without embeddings (the harder
case, as they take most of a file's time) and with. `--quick` leaves out the board of 2,000.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

ROOT: Final = Path(__file__).parents[1]
DATA: Final = ROOT / "benchmarks" / "data"
sys.path.insert(0, str(ROOT))

from medvid.benchmark.collection import paused_collection  # noqa: E402
from medvid.benchmark.embedder import Embedder  # noqa: E402
from medvid.benchmark.embedding import load_embedder  # noqa: E402
from medvid.benchmark.ground_truth import GroundTruth, load_ground_truth  # noqa: E402
from medvid.benchmark.ranking import Row, rank  # noqa: E402
from medvid.benchmark.scorecard import Scorecard, score  # noqa: E402
from medvid.benchmark.statistics.bootstrap import (  # noqa: E402
    REPLICATES,
    Resampling,
    estimates,
    resample,
)
from medvid.benchmark.statistics.comparisons import minimum_detectable  # noqa: E402
from medvid.benchmark.statistics.intervals import interval  # noqa: E402
from medvid.benchmark.statistics.ranks import rank_statistics  # noqa: E402
from medvid.benchmark.statistics.second_opinions import majority, sensitivity  # noqa: E402
from medvid.benchmark.tasks import METRIC_KEYS  # noqa: E402
from medvid.benchmark.test_set import TestSet  # noqa: E402
from medvid.benchmark.validation import Predictions, validate_submission  # noqa: E402
from medvid.cli.scored_files import OFFLINE_LIMITS  # noqa: E402 - the path comes first

REPEATS: Final = 9


def seconds(action: Callable[[], object]) -> float:
    """Return the processor time of an action."""
    start = time.process_time()
    action()
    return time.process_time() - start


def by_turns(*actions: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Return the median processor time of each action, taken by turns."""
    times = [[seconds(action) for action in actions] for _ in range(repeats)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def with_replicates(card: Scorecard, resampling: Resampling) -> None:
    """Make replicates and intervals of every metric in both scorings."""
    contributions = {
        (metric, scoring): each
        for metric, by_scoring in card.contributions.items()
        for scoring, each in by_scoring.items()
    }
    for found in estimates(contributions, resampling).values():
        interval(found.whole)


def scoring(truth: GroundTruth, data: bytes, embedder: Embedder | None) -> dict[str, float]:
    """Compare a file's way to its scores, from reading it on, with and without replicates."""
    resampling = resample(truth.samples, truth.version)
    test_set = TestSet.from_ground_truth(truth)

    def read() -> Predictions:
        found = validate_submission(
            data, test_set, minimum_records=0, limits=OFFLINE_LIMITS, diagnose=False
        ).predictions
        if found is None:
            raise SystemExit("the bundled file is not valid")
        return found

    def plain() -> Scorecard:
        return score(truth.samples, read(), embedder)

    def replicated() -> None:
        with_replicates(plain(), resampling)

    card = plain()
    with paused_collection():
        before, after, alone = by_turns(
            plain, replicated, lambda: with_replicates(card, resampling)
        )
    return {"without_s": before, "with_s": after, "ratio": after / before, "replicates_s": alone}


def a_board(entries: int) -> dict[str, float]:
    """Time the statistics of a board all of whose entries have replicates of every metric."""
    dice = np.random.default_rng(entries)
    centres = dice.uniform(0.2, 0.8, (entries, len(METRIC_KEYS)))
    replicates = {
        n: dict(
            zip(METRIC_KEYS, centre[:, None] + dice.normal(0, 0.01, (10, REPLICATES)), strict=True)
        )
        for n, centre in enumerate(centres)
    }
    rows: list[Row] = [
        {"model_name": f"m{n:05}", **dict(zip(METRIC_KEYS, centre.tolist(), strict=True))}
        for n, centre in enumerate(centres)
    ]
    ranked, _ = rank(rows)
    return {
        "rank_intervals_s": seconds(lambda: rank_statistics(ranked, replicates)),
        "sensitivity_s": seconds(lambda: sensitivity(ranked)),
        "majority_s": seconds(lambda: majority(ranked)),
        "minimum_detectable_s": seconds(
            lambda: [
                minimum_detectable([found[key] for found in replicates.values()])
                for key in METRIC_KEYS
            ]
        ),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="leave out the board of 2,000")
    options = parser.parse_args(arguments)
    truth = load_ground_truth((DATA / "ground_truth.json.gz").read_bytes())
    data = gzip.decompress((DATA / "predictions_strong.json.gz").read_bytes())
    with threadpool_limits(1):
        figures: dict[str, Any] = {
            "drawing the videos": {
                "seconds": by_turns(lambda: resample(truth.samples, truth.version))[0]
            },
            "scoring": scoring(truth, data, None),
            "scoring, with embeddings": scoring(truth, data, load_embedder()),
            "board of 200": a_board(200),
        }
        if not options.quick:
            figures["board of 2,000"] = a_board(2000)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for group, values in figures.items():
        print(group)
        for name, value in values.items():
            print(f"  {name}: {value:.3g}")


if __name__ == "__main__":
    main()
