"""Scoring a file against a ground truth of one's own, for the commands that start with it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from medvid.benchmark.caption_pairs import JudgingPlan
from medvid.benchmark.decoding import Limits
from medvid.benchmark.embedding import ModelMissing, load_embedder
from medvid.benchmark.ground_truth import (
    GroundTruth,
    InvalidGroundTruth,
    Sample,
    load_ground_truth,
)
from medvid.benchmark.report import Code, Problem
from medvid.benchmark.scorecard import Scorecard
from medvid.benchmark.scorecard import score as scorecard
from medvid.benchmark.statistics.bootstrap import Estimates, Resampling, estimates
from medvid.benchmark.sums import Contributions
from medvid.benchmark.tasks import Scoring
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.validation import Predictions, validate_submission
from medvid.cli.printing import problem_line
from medvid.judging.aggregate import contributions
from medvid.judging.verdicts import Verdict

GIB: Final = 1 << 30
MIB: Final = 1 << 20
OFFLINE_LIMITS: Final = Limits(
    unpacked_bytes=4 * GIB,
    record_bytes=64 * MIB,
    records=10_000_000,
    keys=1_000_000_000,
    prediction_bytes=64 * MIB,
)
"""One's own files on one's own machine: the limits only catch mistakes."""

VersionLabel = Annotated[
    str | None,
    typer.Option(
        "--version-label",
        help="the ground truth version that decides the draws of the intervals; a server names "
        "its own (the file's SHA-256 when left out)",
    ),
]
EstimatesByScoring = Mapping[tuple[str, Scoring], Estimates]
"""Replicates by metric and scoring; of a judge metric, compat alone."""


class NotScorable(Exception):
    """A file is refused, or the sentence model is missing; the text says it for people."""


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """A file's predictions, in the order of the test set, and their scores."""

    predictions: Predictions
    card: Scorecard


def load_truth(path: Path) -> GroundTruth:
    """Return a ground truth; raises NotScorable."""
    try:
        return load_ground_truth(path.read_bytes())
    except InvalidGroundTruth as invalid:
        raise _refused(path, invalid.problems, invalid.problem_count) from None


def score_file(truth: GroundTruth, path: Path) -> ScoredFile:
    """Return the scores of a file of predictions; raises NotScorable."""
    submission = validate_submission(
        path.read_bytes(),
        TestSet.from_ground_truth(truth),
        minimum_records=0,
        limits=OFFLINE_LIMITS,
        diagnose=False,
    )
    if submission.predictions is None:
        raise _refused(path, submission.report.problems, submission.report.problem_count)
    for advice in submission.report.warnings:
        if advice.code == Code.TOO_FEW_RECORDS:
            sys.stderr.write(f"warning: {advice.count:,} {advice.message}\n")
    try:
        embedder = load_embedder()
    except ModelMissing as error:
        raise NotScorable(
            f"medvid: {error}. Scoring needs it: install the extra 'scoring'."
        ) from None
    card = scorecard(truth.samples, submission.predictions, embedder)
    return ScoredFile(submission.predictions, card)


def _refused(path: Path, problems: Sequence[Problem], count: int) -> NotScorable:
    lines = [f"{path}: {count:,} problem(s); nothing was scored"]
    return NotScorable("\n".join([*lines, *(f"  {problem_line(each)}" for each in problems)]))


def estimates_of(
    card: Scorecard,
    resampling: Resampling,
    samples: Sequence[Sample],
    judged: tuple[JudgingPlan, Sequence[Verdict | None]] | None,
) -> EstimatesByScoring:
    """Return the replicates of a file's metrics; `judged` are its pairs with their verdicts."""
    found: dict[tuple[str, Scoring], Contributions] = {
        (metric, scoring): each
        for metric, by_scoring in card.contributions.items()
        for scoring, each in by_scoring.items()
    }
    if judged:
        for metric, each in contributions(*judged, samples).items():
            found[metric, "compat"] = each
    return estimates(found, resampling)
