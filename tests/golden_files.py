"""The golden files on the full-size test set, as the library scores them: what servers must say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from medvid.benchmark.caption_pairs import plan
from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.ground_truth import GroundTruth, load_ground_truth
from medvid.benchmark.scorecard import score
from medvid.benchmark.statistics.bootstrap import Estimates, estimates, resample
from medvid.benchmark.sums import Contributions
from medvid.benchmark.tasks import METRIC_KEYS, Scoring
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.validation import validate_submission
from medvid.judging import standin
from medvid.judging.aggregate import contributions as judged_contributions

DATA = Path(__file__).parents[1] / "benchmarks" / "data"

Key = tuple[str, Scoring]


@cache
def truth() -> GroundTruth:
    return load_ground_truth((DATA / "ground_truth.json.gz").read_bytes())


def content(file: str) -> bytes:
    """Return the upload `strong`, `weak` or `hostile` (gzip)."""
    return (DATA / f"predictions_{file}.json.gz").read_bytes()


@cache
def contributions(file: str) -> dict[Key, Contributions]:
    predictions = validate_submission(
        content(file), TestSet.from_ground_truth(truth()), diagnose=False
    ).predictions
    assert predictions is not None
    card = score(truth().samples, predictions, load_embedder())
    pairs = plan(truth().samples, predictions)
    verdicts = [standin.judge(pair) for pair in pairs.texts]
    found: dict[Key, Contributions] = {
        (metric, scoring): each
        for metric, by_scoring in card.contributions.items()
        for scoring, each in by_scoring.items()
    }
    for metric, each in judged_contributions(pairs, verdicts, truth().samples).items():
        found |= {(metric, "compat"): each, (metric, "strict"): each}
    return found


@cache
def replicates(file: str, version: str) -> Mapping[Key, Estimates]:
    """Return replicates by metric and scoring; the version of the truth decides the draws."""
    return estimates(contributions(file), resample(truth().samples, version))


@cache
def values(file: str, scoring: Scoring) -> dict[str, float | None]:
    return {metric: contributions(file)[metric, scoring].value()[0] for metric in METRIC_KEYS}
