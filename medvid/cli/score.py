"""`medvid score`: predictions and a ground truth in, scorecard out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final, Literal

import orjson
import typer
from rich.console import Console
from rich.table import Table

from medvid.benchmark.caption_pairs import DVC_THRESHOLDS, JudgingPlan, plan
from medvid.benchmark.collection import paused_collection
from medvid.benchmark.decoding import Limits
from medvid.benchmark.embedding import ModelMissing, load_embedder
from medvid.benchmark.ground_truth import InvalidGroundTruth, Sample, load_ground_truth
from medvid.benchmark.report import Code, Problem
from medvid.benchmark.results import MetricScore
from medvid.benchmark.scorecard import Scorecard
from medvid.benchmark.scorecard import score as scorecard
from medvid.benchmark.similarity import METRICS as SIMILARITIES
from medvid.benchmark.similarity import Similarity, measure
from medvid.benchmark.tasks import METRICS, Task
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.validation import Predictions, validate_submission
from medvid.cli.parameters import JSON_OR_GZIP, Json
from medvid.cli.printing import Exit, problem_line
from medvid.judging import standin
from medvid.judging.aggregate import JudgeScore, aggregate
from medvid.rewards.values import reward_values

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


def score(
    ground_truth: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help=f"the whole test set, {JSON_OR_GZIP}"),
    ],
    predictions: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=JSON_OR_GZIP)],
    as_json: Json = False,
    per_sample: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="write one JSON line a sample to this file"),
    ] = None,
    judge: Annotated[
        Literal["stub"] | None,
        typer.Option(help="add the judge metrics; 'stub' scores by hash, to test pipelines"),
    ] = None,
    similarities: Annotated[
        bool,
        typer.Option(
            "--similarities",
            help="add how near captions are to their references (about 20 s for a whole test set)",
        ),
    ] = False,
) -> int:
    """Score predictions against a ground truth file of your own."""
    with paused_collection():
        return _score(
            ground_truth, predictions, as_json=as_json, per_sample=per_sample,
            with_judge=judge is not None, with_similarities=similarities,
        )  # fmt: skip


def _score(
    ground_truth: Path,
    predictions: Path,
    *,
    as_json: bool,
    per_sample: Path | None,
    with_judge: bool,
    with_similarities: bool,
) -> int:
    try:
        truth = load_ground_truth(ground_truth.read_bytes())
    except InvalidGroundTruth as invalid:
        return _refuse(ground_truth, invalid.problems, invalid.problem_count)
    submission = validate_submission(
        predictions.read_bytes(),
        TestSet.from_ground_truth(truth),
        minimum_records=0,
        limits=OFFLINE_LIMITS,
        diagnose=False,
    )
    if submission.predictions is None:
        return _refuse(predictions, submission.report.problems, submission.report.problem_count)
    for advice in submission.report.warnings:
        if advice.code == Code.TOO_FEW_RECORDS:
            sys.stderr.write(f"warning: {advice.count:,} {advice.message}\n")
    try:
        embedder = load_embedder()
    except ModelMissing as error:
        sys.stderr.write(f"medvid: {error}. Scoring needs it: install the extra 'scoring'.\n")
        return Exit.REFUSED
    card = scorecard(truth.samples, submission.predictions, embedder)
    needs_pairs = with_judge or with_similarities or per_sample is not None
    pairs = plan(truth.samples, submission.predictions) if needs_pairs else None
    judged: Mapping[str, JudgeScore] = {}
    if pairs and with_judge:
        judged = aggregate(pairs, [standin.judge(pair) for pair in pairs.texts])
    near: Mapping[str, Similarity] = {}
    if pairs and with_similarities:
        near = {key: measure(pairs, key, embedder) for key in SIMILARITIES}
    if pairs and per_sample:
        lines = sample_lines(truth.samples, submission.predictions, card, pairs, with_judge)
        _write_lines(per_sample, lines)
    if as_json:
        sys.stdout.write(
            orjson.dumps(as_document(card, judged, near), option=orjson.OPT_INDENT_2).decode()
        )
        sys.stdout.write("\n")
    else:
        _print_table(card, judged, near)
    return Exit.DONE


def as_document(
    card: Scorecard, judged: Mapping[str, JudgeScore], near: Mapping[str, Similarity]
) -> dict[str, object]:
    """Return the JSON document: metrics by key in board order, coverage, version.

    Similarities are there where they were asked for.
    """
    scores: Mapping[str, MetricScore | JudgeScore] = {**card.metrics, **judged}
    return {
        "metrics": {
            metric.key: asdict(scores[metric.key]) for metric in METRICS if metric.key in scores
        },
        "coverage": asdict(card.coverage) | {"share": card.coverage.share},
        "coverage_by_task": {
            task.value: asdict(coverage) | {"share": coverage.share}
            for task, coverage in card.coverage_by_task.items()
        },
        "metric_version": card.metric_version,
    } | ({"similarities": {key: asdict(found) for key, found in near.items()}} if near else {})


def sample_lines(
    samples: Sequence[Sample],
    predictions: Predictions,
    card: Scorecard,
    pairs: JudgingPlan,
    with_judge: bool,
) -> Iterator[dict[str, object]]:
    """Yield one record a sample, in test-set order: its identity, then its values."""
    captions = _caption_pairs(pairs)
    verdicts = _verdicts(pairs) if with_judge else {}
    for sample, prediction in zip(samples, predictions, strict=True):
        values: dict[str, object] = {
            "index": sample.index,
            "id": sample.id,
            "qa_type": sample.qa_type,
            "source": sample.source,
            "predicted": prediction is not None,
        }
        values |= card.records.get(sample.index, {})
        values["reward"] = reward_values(sample, prediction or "")
        if sample.task is Task.DENSE_CAPTIONING:
            values["caption_pairs"] = captions.get(sample.index, _no_pairs())
        yield values | verdicts.get(sample.index, {})


def _caption_pairs(pairs: JudgingPlan) -> dict[int, dict[str, int]]:
    """Return the number of pairs by threshold of each dense captioning sample."""
    counts: dict[int, dict[str, int]] = {}
    for pair in pairs.pairs["dvc_llm"]:
        counts.setdefault(pair.sample, _no_pairs())[str(pair.threshold)] += 1
    return counts


def _no_pairs() -> dict[str, int]:
    return {str(threshold): 0 for threshold in DVC_THRESHOLDS}


def _verdicts(pairs: JudgingPlan) -> dict[int, dict[str, object]]:
    """Return the stand-in judge's verdict of each summary and region caption sample."""
    return {
        pair.sample: dict(standin.judge(pairs.texts[pair.text]))
        for key in ("vs_llm", "rc_llm")
        for pair in pairs.pairs[key]
    }


def _write_lines(path: Path, lines: Iterable[Mapping[str, object]]) -> None:
    with path.open("wb") as file:
        file.writelines(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


def _refuse(path: Path, problems: Sequence[Problem], count: int) -> int:
    """Say on standard error what is wrong with a file."""
    sys.stderr.write(f"{path}: {count:,} problem(s); nothing was scored\n")
    for problem in problems:
        sys.stderr.write(f"  {problem_line(problem)}\n")
    return Exit.REFUSED


def _print_table(
    card: Scorecard, judged: Mapping[str, JudgeScore], near: Mapping[str, Similarity]
) -> None:
    table = Table(title="MedVidBench scores")
    for heading, side in (
        ("metric", "left"), ("compat", "right"), ("strict", "right"), ("answered", "right")
    ):  # fmt: skip
        table.add_column(heading, justify="right" if side == "right" else "left")
    for metric in METRICS:
        if metric.key in card.metrics:
            found = card.metrics[metric.key]
            answered = f"{found.answered} of {found.expected}"
            table.add_row(metric.label, _shown(found.compat), _shown(found.strict), answered)
        elif metric.key in judged:
            pairs = judged[metric.key]
            answered = f"{pairs.scored} of {pairs.pairs} pairs"
            table.add_row(metric.label, _shown(pairs.compat), "", answered)
    for key, similarity in near.items():
        answered = f"{similarity.pairs} pairs"
        table.add_row(f"{key} (not ranked)", _shown(similarity.value), "", answered)
    console = Console()
    console.print(table)
    console.print(f"{card.coverage.predicted} of {card.coverage.samples} samples have a prediction")


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
