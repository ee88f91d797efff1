"""Scoring a file against a ground truth of one's own, for the commands that start with it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from medvid.benchmark import subsets
from medvid.benchmark.caption_pairs import JudgingPlan
from medvid.benchmark.decoding import Limits
from medvid.benchmark.embedding import ModelMissing, load_embedder
from medvid.benchmark.ground_truth import (
    GroundTruth,
    InvalidGroundTruth,
    Sample,
    load_ground_truth,
)
from medvid.benchmark.report import Code, Report
from medvid.benchmark.results import MetricScore
from medvid.benchmark.scorecard import Scorecard
from medvid.benchmark.scorecard import score as scorecard
from medvid.benchmark.statistics.bootstrap import Estimates, Resampling, estimates
from medvid.benchmark.statistics.comparisons import Score
from medvid.benchmark.sums import Contributions
from medvid.benchmark.tasks import METRICS, Scoring
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.validation import Predictions, validate_submission
from medvid.cli.failures import CommandFailed
from medvid.cli.printing import problem_line
from medvid.judging.aggregate import JudgeScore, contributions
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


class NotScorable(CommandFailed):
    """A file is refused, or the sentence model is missing."""

    code = "not_scorable"


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """A file's predictions, in the order of the samples that were scored, and their scores.

    `scope` says in words which samples these are, where they are not the whole test set.
    """

    samples: Sequence[Sample]
    predictions: Sequence[str | None]
    card: Scorecard
    scope: str = ""


def load_truth(path: Path) -> GroundTruth:
    """Return a ground truth; raises NotScorable."""
    try:
        return load_ground_truth(path.read_bytes())
    except InvalidGroundTruth as invalid:
        raise refused(path, invalid) from None


def score_file(
    truth: GroundTruth,
    path: Path,
    *,
    subset: Path | None = None,
    answered_only: bool = False,
    among: Set[int] | None = None,
) -> ScoredFile:
    """Return the scores of a file of predictions; raises NotScorable.

    Over a part of the samples, if that is given: a subset file, those with a prediction, or those
    of these indices.
    """
    submission = validate_submission(
        path.read_bytes(),
        TestSet.from_ground_truth(truth),
        minimum_records=0,
        limits=OFFLINE_LIMITS,
        diagnose=False,
    )
    if submission.predictions is None:
        raise refused(path, submission.report)
    for advice in submission.report.warnings:
        if advice.code == Code.TOO_FEW_RECORDS:
            sys.stderr.write(f"warning: {advice.count:,} {advice.message}\n")
    try:
        embedder = load_embedder()
    except ModelMissing as error:
        raise NotScorable(
            f"{error}.", fix="Scoring needs it: install the extra 'scoring'."
        ) from None
    predictions = submission.predictions
    chosen = among
    if chosen is None:
        chosen = _chosen(truth, predictions, subset, answered_only=answered_only)
    card = scorecard(truth.samples, predictions, embedder, chosen)
    if chosen is None:
        return ScoredFile(truth.samples, predictions, card)
    kept = [index for index in range(len(truth)) if index in chosen]
    which = " of the subset" * (subset is not None) + " with a prediction" * answered_only
    return ScoredFile(
        [truth.samples[index] for index in kept],
        [predictions[index] for index in kept],
        card,
        f"the {len(kept):,} of {len(truth):,} samples{which}",
    )


def _chosen(
    truth: GroundTruth, predictions: Predictions, subset: Path | None, *, answered_only: bool
) -> set[int] | None:
    """Return the indices of the samples to score, None for all; raises NotScorable."""
    chosen: set[int] | None = None
    if subset is not None:
        try:
            chosen = set(subsets.load(subset.read_bytes(), truth.samples))
        except subsets.InvalidSubset as error:
            raise NotScorable(f"{subset}: {error}") from None
    if answered_only:
        answered = {index for index, text in enumerate(predictions) if text is not None}
        chosen = answered if chosen is None else chosen & answered
    return chosen


def refused(path: Path, report: Report | InvalidGroundTruth) -> NotScorable:
    """Return that a file is refused, with every problem found."""
    lines = [f"{path}: {report.problem_count:,} problem(s); nothing was scored"]
    return NotScorable(
        "\n".join([*lines, *(f"  {problem_line(each)}" for each in report.problems)]),
        code="invalid_file",
        report={
            "problem_count": report.problem_count,
            "problems": list(map(asdict, report.problems)),
        },
    )


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


def scores_of(
    scores: Mapping[str, MetricScore | JudgeScore], found: EstimatesByScoring, scoring: Scoring
) -> dict[str, Score]:
    """Return the values that are defined, with their replicates, in board order."""
    by_metric: dict[str, Score] = {}
    for metric in METRICS:
        of_scoring = scoring if metric.step == 1 else "compat"
        value = getattr(scores.get(metric.key), of_scoring, None)
        if value is not None:
            by_metric[metric.key] = Score(value, found[metric.key, of_scoring].whole)
    return by_metric
