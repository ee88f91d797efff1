"""`medvid score`: predictions and a ground truth in, scorecard out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from medvid.benchmark.caption_pairs import DVC_THRESHOLDS, JudgingPlan, plan
from medvid.benchmark.collection import paused_collection
from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.ground_truth import Sample
from medvid.benchmark.results import MetricScore
from medvid.benchmark.scorecard import Scorecard
from medvid.benchmark.similarity import METRICS as SIMILARITIES
from medvid.benchmark.similarity import Similarity, measure
from medvid.benchmark.statistics.bootstrap import resample
from medvid.benchmark.tasks import METRICS, Task
from medvid.cli import score_intervals, score_report
from medvid.cli.judge_options import (
    OPENAI,
    BaseUrl,
    CacheFile,
    Concurrency,
    Effort,
    HeaderNames,
    JudgeOptions,
    KeyName,
    LimitUsd,
    MaxTokens,
    Model,
    ModelPrefix,
    Query,
    Seed,
    Temperature,
    WhichForm,
    WhichJudge,
    WhichParser,
    WhichTokens,
    WithRationale,
)
from medvid.cli.parameters import JSON_OR_GZIP, Json
from medvid.cli.printing import Exit, plain_table
from medvid.cli.replicate_files import model_name_of, write_replicates
from medvid.cli.score_intervals import Intervals, intervals
from medvid.cli.score_judge import beside, judged_by
from medvid.cli.scored_files import (
    VersionLabel,
    estimates_of,
    load_truth,
    score_file,
)
from medvid.judging.aggregate import JudgeScore, aggregate
from medvid.judging.parts_table import DEFAULT_PARSER
from medvid.judging.verdicts import Verdict
from medvid.rewards.values import reward_values


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
    judge: WhichJudge = None,
    model: Model = None,
    model_prefix: ModelPrefix = None,
    base_url: BaseUrl = OPENAI,
    api_key_env: KeyName = "OPENAI_API_KEY",
    query: Query = None,
    header_env: HeaderNames = None,
    concurrency: Concurrency = 16,
    max_tokens: MaxTokens = 200,
    token_parameter: WhichTokens = "max_tokens",  # noqa: S107 - tokens of text
    reasoning_effort: Effort = None,
    temperature: Temperature = "0",
    seed: Seed = None,
    reply_form: WhichForm = "auto",
    rationale: WithRationale = False,
    parser: WhichParser = DEFAULT_PARSER,
    cache: CacheFile = None,
    limit_usd: LimitUsd = None,
    similarities: Annotated[
        bool,
        typer.Option(
            "--similarities",
            help="add how near captions are to their references (about 20 s for a whole test set)",
        ),
    ] = False,
    version_label: VersionLabel = None,
    replicates: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="write the bootstrap's replicates to this .npz file"),
    ] = None,
    subset: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="only the samples of 'medvid sample'"),
    ] = None,
    answered_only: Annotated[
        bool, typer.Option("--answered-only", help="only samples with a prediction")
    ] = False,
    by_source: Annotated[
        bool, typer.Option("--by-source", help="show each metric by source dataset, too")
    ] = False,
    report: Annotated[
        list[Path] | None,
        typer.Option(help="write a report to this .md or .html file; may be repeated"),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="compare with these predictions in it"),
    ] = None,
) -> int:
    """Score predictions against a ground truth file of your own.

    With --subset or --answered-only the values are not comparable with those of a board.
    """
    options = None
    if judge is not None:
        options = JudgeOptions(
            judge, cache or beside(predictions), model, model_prefix, base_url, api_key_env,
            query or (), header_env or (), concurrency, max_tokens, token_parameter, temperature,
            reasoning_effort, seed, reply_form, rationale, parser, limit_usd,
        )  # fmt: skip
    with paused_collection():
        return _score(
            ground_truth, predictions, as_json=as_json, per_sample=per_sample,
            options=options, with_similarities=similarities,
            version_label=version_label, replicate_file=replicates,
            subset=subset, answered_only=answered_only, by_source=by_source,
            reports=report or [], against=against,
        )  # fmt: skip


def _score(
    ground_truth: Path,
    predictions: Path,
    *,
    as_json: bool,
    per_sample: Path | None,
    options: JudgeOptions | None,
    with_similarities: bool,
    version_label: str | None,
    replicate_file: Path | None,
    subset: Path | None,
    answered_only: bool,
    by_source: bool,
    reports: Sequence[Path],
    against: Path | None,
) -> int:
    score_report.check_reports(reports, against)
    truth = load_truth(ground_truth)
    scored = score_file(truth, predictions, subset=subset, answered_only=answered_only)
    card = scored.card
    needs_pairs = options is not None or with_similarities or per_sample is not None
    pairs = plan(scored.samples, scored.predictions) if needs_pairs else None
    judged: Mapping[str, JudgeScore] = {}
    with_verdicts, by = None, None
    if pairs and options:
        by = judged_by(options, pairs)
        with_verdicts = pairs, by.verdicts
        judged = aggregate(*with_verdicts)
    resampling = resample(truth.samples, version_label or truth.version)
    replicates = estimates_of(card, resampling, scored.samples, with_verdicts)
    found = intervals(replicates, {**card.metrics, **judged})
    whole = score_report.Scored(predictions, scored, judged, replicates)
    score_report.write_reports(reports, truth, whole, found, resampling, against, options)
    if replicate_file:
        name = model_name_of(predictions)
        write_replicates(replicate_file, name, resampling.ground_truth_version, replicates)
    near: Mapping[str, Similarity] = {}
    if pairs and with_similarities:
        near = {key: measure(pairs, key, load_embedder()) for key in SIMILARITIES}
    if pairs and per_sample:
        lines = sample_lines(
            scored.samples, scored.predictions, card, pairs, by.verdicts if by else None
        )
        _write_lines(per_sample, lines)
    if as_json:
        sys.stdout.write(
            orjson.dumps(
                as_document(card, judged, near, found)
                | ({"judge": dict(by.facts)} if by and by.facts else {})
                | ({"not_comparable": scored.scope} if scored.scope else {}),
                option=orjson.OPT_INDENT_2,
            ).decode()
        )
        sys.stdout.write("\n")
    else:
        _print_table(card, judged, near, found)
        if by_source:
            Console().print(score_report.source_table(whole.scores))
        if scored.scope:
            print(f"Not comparable with a board's values: only {scored.scope} were scored.")
    return by.status if by else Exit.DONE


def as_document(
    card: Scorecard,
    judged: Mapping[str, JudgeScore],
    near: Mapping[str, Similarity],
    found: Intervals,
) -> dict[str, object]:
    """Return the JSON document: metrics by key in board order, with intervals; coverage, version.

    Similarities are there where they were asked for.
    """
    scores: Mapping[str, MetricScore | JudgeScore] = {**card.metrics, **judged}
    return {
        "metrics": {
            metric.key: asdict(scores[metric.key])
            | {"intervals": score_intervals.as_document(found[metric.key])}
            for metric in METRICS
            if metric.key in scores
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
    predictions: Sequence[str | None],
    card: Scorecard,
    pairs: JudgingPlan,
    judged: Sequence[Verdict | None] | None,
) -> Iterator[dict[str, object]]:
    """Yield one record a sample, in test-set order: its identity, then its values."""
    captions = _caption_pairs(pairs)
    verdicts = _verdicts(pairs, judged) if judged is not None else {}
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


def _verdicts(pairs: JudgingPlan, judged: Sequence[Verdict | None]) -> dict[int, dict[str, object]]:
    """Return the judge's verdict of each summary and region caption sample, where it has one."""
    return {
        pair.sample: dict(verdict)
        for key in ("vs_llm", "rc_llm")
        for pair in pairs.pairs[key]
        if (verdict := judged[pair.text]) is not None
    }


def _write_lines(path: Path, lines: Iterable[Mapping[str, object]]) -> None:
    with path.open("wb") as file:
        file.writelines(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


def _print_table(
    card: Scorecard,
    judged: Mapping[str, JudgeScore],
    near: Mapping[str, Similarity],
    found: Intervals,
) -> None:
    def spread(metric: str) -> str:
        return score_intervals.shown(found[metric]["compat"])

    table = plain_table(title="MedVidBench scores")
    table.add_column("metric")
    table.add_column("compat", justify="right")
    table.add_column("95 %", style="dim")
    table.add_column("strict", justify="right")
    table.add_column("answered", justify="right")
    for metric in METRICS:
        if metric.key in card.metrics:
            score = card.metrics[metric.key]
            answered = f"{score.answered} of {score.expected}"
            strict = _shown(score.strict)
            table.add_row(metric.label, _shown(score.compat), spread(metric.key), strict, answered)
        elif metric.key in judged:
            pairs = judged[metric.key]
            answered = f"{pairs.scored} of {pairs.pairs} pairs"
            table.add_row(metric.label, _shown(pairs.compat), spread(metric.key), "", answered)
    for key, similarity in near.items():
        answered = f"{similarity.pairs} pairs"
        table.add_row(f"{key} (not ranked)", _shown(similarity.value), "", "", answered)
    console = Console()
    console.print(table)
    console.print(f"{card.coverage.predicted} of {card.coverage.samples} samples have a prediction")
    for line in score_intervals.explained(found):
        console.print(line, style="dim")


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
