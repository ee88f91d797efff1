"""`medvid score --report --against`: the report's material, and the files it is written to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.table import Table

from medvid.benchmark.caption_pairs import plan
from medvid.benchmark.ground_truth import GroundTruth
from medvid.benchmark.results import MetricScore
from medvid.benchmark.statistics.bootstrap import Resampling
from medvid.benchmark.statistics.comparisons import compare
from medvid.benchmark.tasks import METRICS
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.validation import validate_submission
from medvid.cli.judge_options import JudgeOptions
from medvid.cli.printing import plain_table
from medvid.cli.replicate_files import model_name_of
from medvid.cli.score_intervals import Intervals
from medvid.cli.score_judge import beside, judged_by
from medvid.cli.scored_files import (
    OFFLINE_LIMITS,
    EstimatesByScoring,
    NotScorable,
    ScoredFile,
    estimates_of,
    score_file,
    scores_of,
)
from medvid.judging.aggregate import JudgeScore, aggregate
from medvid.predict.manifest import write
from medvid.reports import html, markdown
from medvid.reports.answers import answered
from medvid.reports.content import Before, Material, document

_WRITERS = {".md": markdown.render, ".html": html.render}


@dataclass(frozen=True, slots=True)
class Scored:
    """A scored file, the judge's part of it, and its replicates."""

    path: Path
    file: ScoredFile
    judged: Mapping[str, JudgeScore]
    estimates: EstimatesByScoring

    @property
    def scores(self) -> dict[str, MetricScore | JudgeScore]:
        """All metrics by key."""
        return {**self.file.card.metrics, **self.judged}


def check_reports(paths: Sequence[Path], against: Path | None) -> None:
    """Refuse names that no writer takes, before anything is scored; raises NotScorable."""
    for path in paths:
        if path.suffix not in _WRITERS:
            raise NotScorable(f"--report {path}: name it .md or .html.")
    if against and not paths:
        raise NotScorable("--against is for a report: give --report, too.")


def write_reports(
    paths: Sequence[Path],
    truth: GroundTruth,
    new: Scored,
    intervals: Intervals,
    resampling: Resampling,
    against: Path | None,
    options: JudgeOptions | None,
) -> None:
    """Write the report to each file.

    Raises NotScorable or CannotJudge for the file it compares with.
    """
    if not paths:
        return
    report = validate_submission(
        new.path.read_bytes(), TestSet.from_ground_truth(truth), minimum_records=0,
        limits=OFFLINE_LIMITS,
    ).report  # fmt: skip
    coverage = new.file.card.coverage
    material = Material(
        name=model_name_of(new.path),
        scope=new.file.scope,
        covered=f"{coverage.predicted:,} of {coverage.samples:,} samples have a prediction.",
        scores=new.scores,
        intervals={key: found.get("compat") for key, found in intervals.items()},
        report=report,
        answers=answered(new.file.samples, new.file.predictions, "compat"),
        before=_before(truth, new, resampling, against, options) if against else None,
    )
    for path in paths:
        write(path, _WRITERS[path.suffix](document(material)).encode())


def _before(
    truth: GroundTruth,
    new: Scored,
    resampling: Resampling,
    path: Path,
    options: JudgeOptions | None,
) -> Before:
    """Score the older file on the same samples, by the same judge; its verdicts lie beside it."""
    file = score_file(truth, path, among={sample.index for sample in new.file.samples})
    with_verdicts = None
    judged: Mapping[str, JudgeScore] = {}
    if options:
        pairs = plan(file.samples, file.predictions)
        with_verdicts = pairs, judged_by(replace(options, cache=beside(path)), pairs).verdicts
        judged = aggregate(*with_verdicts)
    estimates = estimates_of(file.card, resampling, file.samples, with_verdicts)
    old = Scored(path, file, judged, estimates)
    differences = compare(
        *(scores_of(each.scores, each.estimates, "compat") for each in (new, old))
    )
    return Before(model_name_of(path), old.scores, differences)


def source_table(scores: Mapping[str, MetricScore | JudgeScore]) -> Table:
    """Return each metric's values by source."""
    table = plain_table(title="By source")
    for heading in ("metric", "source", "compat", "strict"):
        table.add_column(heading, justify="left" if heading in ("metric", "source") else "right")
    for metric in METRICS:
        for source, found in scores[metric.key].by_source.items() if metric.key in scores else ():
            values = (found.compat, getattr(found, "strict", None))
            shown = ("-" if value is None else f"{value:.4f}" for value in values)
            table.add_row(metric.label, source, *shown)
    return table
