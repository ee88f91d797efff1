"""The offline commands: nothing is started, nothing is sent. Bodies are imported when called."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from medvid.cli.parameters import Ranking

_JSON_OR_GZIP = "JSON or JSON Lines, plain or gzip"


class Judge(StrEnum):
    """The judges that need no network."""

    STUB = "stub"


class Failed(StrEnum):
    """What becomes of samples whose inference failed."""

    STOP = "stop"
    SKIP = "skip"
    EMPTY = "empty"


def register(app: typer.Typer) -> None:
    """Add the offline commands to the `medvid` command."""
    for command in (validate, convert, score, rank):
        app.command(rich_help_panel="On your machine")(command)


Json = Annotated[bool, typer.Option("--json", help="print JSON instead of text")]


def validate(
    predictions: Annotated[Path, typer.Argument(help=_JSON_OR_GZIP)],
    ground_truth: Annotated[
        Path | None,
        typer.Option(help="align with this ground truth; the fullest diagnosis"),
    ] = None,
    test_set: Annotated[
        Path | None,
        typer.Option(help="align with this test set (id, qa_type, question)"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check predictions as the server would; exit status 1 if they have errors."""
    from medvid.cli.validate import run

    raise typer.Exit(run(predictions, ground_truth, test_set, as_json=as_json))


def convert(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            help="what inference wrote: JSON, JSON Lines, CSV, TSV or Excel; plain or gzip"
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", dir_okay=False, help="a name ending in .gz is packed")
    ],
    answer_field: Annotated[
        str | None,
        typer.Option(help="the field of the model's text; a dotted path reaches inside objects"),
    ] = None,
    failed: Annotated[
        Failed,
        typer.Option(help="samples whose inference failed: stop, leave out, or answer as empty"),
    ] = Failed.STOP,
    last_wins: Annotated[
        bool,
        typer.Option("--last-wins", help="of records of one sample, keep the last (resumed runs)"),
    ] = False,
    by_position: Annotated[
        bool,
        typer.Option(
            "--by-position", help="take ids, qa_types and questions from --test-set, in its order"
        ),
    ] = False,
    strip_reasoning: Annotated[
        bool,
        typer.Option("--strip-reasoning", help="remove reasoning such as <think> blocks"),
    ] = False,
    tidy: Annotated[
        bool,
        typer.Option("--tidy", help="rewrite texts that are not read as meant; lists every rule"),
    ] = False,
    ground_truth: Annotated[
        Path | None,
        typer.Option(help="check the result with this ground truth"),
    ] = None,
    test_set: Annotated[
        Path | None,
        typer.Option(help="check the result with this test set"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="overwrite the output")] = False,
    as_json: Json = False,
) -> None:
    """Make a submission file out of the output of inference, in one file or in shards.

    Reads the outputs of vLLM and OpenAI batches, lmms-eval, VLMEvalKit, swift and LLaMA-Factory
    too. Only ids, qa_types, questions and the model's texts are kept.
    """
    from medvid.cli.convert import run

    raise typer.Exit(
        run(
            inputs,
            output,
            answer_field=answer_field,
            ground_truth=ground_truth,
            test_set=test_set,
            force=force,
            failed=failed.value,
            last_wins=last_wins,
            by_position=by_position,
            strip_reasoning=strip_reasoning,
            tidy=tidy,
            as_json=as_json,
        )
    )


def rank(
    rows: Annotated[Path, typer.Argument(help="a list of rows: model_name and metric keys")],
    ranking: Annotated[
        Ranking,
        typer.Option(help="what follows equal values: 1, 2, 2, 4 (competition) or 1, 2, 2, 3"),
    ] = Ranking.COMPETITION,
    as_json: Json = False,
) -> None:
    """Rank rows by the board's rule: order and mean ranks; a metric left out is missing.

    Rows without any value come last and have no rank.
    """
    from medvid.cli.rank import run

    raise typer.Exit(run(rows, ranking.value, as_json=as_json))


def score(
    ground_truth: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help=f"the whole test set, {_JSON_OR_GZIP}"),
    ],
    predictions: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=_JSON_OR_GZIP)],
    as_json: Json = False,
    per_sample: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="write one JSON line a sample to this file"),
    ] = None,
    judge: Annotated[
        Judge | None,
        typer.Option(help="add the judge metrics; 'stub' scores by hash, to test pipelines"),
    ] = None,
    similarities: Annotated[
        bool,
        typer.Option(
            "--similarities",
            help="add how near captions are to their references (about 20 s for a whole test set)",
        ),
    ] = False,
) -> None:
    """Score predictions against a ground truth file of your own."""
    from medvid.benchmark.collection import paused_collection
    from medvid.cli.score import score_files

    with paused_collection():
        status = score_files(
            ground_truth,
            predictions,
            as_json=as_json,
            per_sample=per_sample,
            with_judge=judge is Judge.STUB,
            with_similarities=similarities,
        )
    raise typer.Exit(status)
