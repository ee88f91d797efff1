"""`medvid compare-files`: two files of predictions, and whether chance explains the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from medvid.benchmark.caption_pairs import plan
from medvid.benchmark.collection import paused_collection
from medvid.benchmark.ground_truth import GroundTruth
from medvid.benchmark.results import MetricScore
from medvid.benchmark.statistics.bootstrap import Resampling, resample
from medvid.benchmark.statistics.comparisons import (
    Difference,
    Score,
    compare,
    in_words,
    minimum_detectable,
)
from medvid.benchmark.tasks import METRICS, Scoring
from medvid.benchmark.versions import STATISTICS_VERSION
from medvid.cli.parameters import JSON_OR_GZIP, Json
from medvid.cli.printing import Exit, plain_table, print_json, print_table
from medvid.cli.replicate_files import model_name_of
from medvid.cli.score_intervals import WHAT_THEY_COVER
from medvid.cli.scored_files import (
    VersionLabel,
    estimates_of,
    load_truth,
    score_file,
    scores_of,
)
from medvid.judging import standin
from medvid.judging.aggregate import JudgeScore, aggregate

Predictions = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=JSON_OR_GZIP)]


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Two files by name, and how they differ by metric, in board order."""

    a: str
    b: str
    differences: Mapping[str, Difference]
    minimum_detectable: Mapping[str, float | None]


def compare_files(
    a: Predictions,
    b: Predictions,
    ground_truth: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help=f"the whole test set, {JSON_OR_GZIP}"),
    ],
    scoring: Annotated[
        Literal["compat", "strict"], typer.Option(help="the values to compare")
    ] = "compat",
    judge: Annotated[
        Literal["stub"] | None,
        typer.Option(help="add the judge metrics; 'stub' scores by hash, to test pipelines"),
    ] = None,
    version_label: VersionLabel = None,
    as_json: Json = False,
) -> int:
    """Compare two files of predictions: differences, and whether they are beyond chance.

    The same videos are drawn for both, so the differences are paired.
    """
    with paused_collection():
        truth = load_truth(ground_truth)
        resampling = resample(truth.samples, version_label or truth.version)
        scores = [
            _scores(truth, resampling, path, scoring, with_judge=judge is not None)
            for path in (a, b)
        ]
    found = _Comparison(*_names(a, b), compare(*scores), _detectable(scores))
    if as_json:
        print_json(_document(found, resampling, scoring))
    else:
        _print(found)
    return Exit.DONE


def _scores(
    truth: GroundTruth, resampling: Resampling, path: Path, scoring: Scoring, *, with_judge: bool
) -> dict[str, Score]:
    """Return one file's values that are defined, with their replicates, in board order."""
    scored = score_file(truth, path)
    judged = None
    scores: dict[str, MetricScore | JudgeScore] = dict(scored.card.metrics)
    if with_judge:
        pairs = plan(truth.samples, scored.predictions)
        judged = pairs, [standin.judge(pair) for pair in pairs.texts]
        scores |= aggregate(*judged)
    return scores_of(scores, estimates_of(scored.card, resampling, truth.samples, judged), scoring)


def _names(a: Path, b: Path) -> tuple[str, str]:
    """Return what the files are called: by their names, or in full where these are equal."""
    one, other = model_name_of(a), model_name_of(b)
    return (one, other) if one != other else (str(a), str(b))


def _detectable(scores: Sequence[Mapping[str, Score]]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for key in (each for each in scores[0] if each in scores[1]):
        estimates = [each[key].estimate for each in scores]
        found[key] = minimum_detectable([each.replicates for each in estimates if each])
    return found


def _document(found: _Comparison, resampling: Resampling, scoring: Scoring) -> dict[str, object]:
    return {
        "a": found.a,
        "b": found.b,
        "scoring": scoring,
        "ground_truth_version": resampling.ground_truth_version,
        "statistics_version": STATISTICS_VERSION,
        "metrics": {key: asdict(each) for key, each in found.differences.items()},
        "minimum_detectable": found.minimum_detectable,
    }


def _print(found: _Comparison) -> None:
    table = plain_table()
    table.add_column("metric")
    table.add_column("A - B", justify="right")
    table.add_column("95 %", style="dim")
    table.add_column("p (Holm)", justify="right")
    table.add_column("")
    for metric in METRICS:
        each = found.differences.get(metric.key)
        if each is not None:
            table.add_row(metric.label, f"{each.difference:+.4f}", *_judgement(each))
    console = Console(highlight=False)
    console.print(Text(f"A: {found.a}\nB: {found.b}"), soft_wrap=True)
    print_table(table)
    sentence = in_words("A", "B", found.differences)
    console.print(Text(f"{sentence}\n{WHAT_THEY_COVER}"), soft_wrap=True)


def _judgement(each: Difference) -> tuple[str, str, str]:
    """Return interval, p and decision as the table shows them."""
    spread = "" if each.low is None else f"{each.low:+.3f} to {each.high:+.3f}"
    p = "" if each.p_holm is None else f"{each.p_holm:.3f}" if each.p_holm >= 0.001 else "<0.001"
    return spread, p, each.decision
