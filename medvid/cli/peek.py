"""`medvid peek`: the answers of a task that score worst, or of which nothing is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.text import Text

from medvid.benchmark.collection import paused_collection
from medvid.benchmark.tasks import QA_TYPES, task_of
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.validation import validate_submission
from medvid.cli.failures import WrongUsage
from medvid.cli.parameters import JSON_OR_GZIP, Json
from medvid.cli.printing import Exit, print_json
from medvid.cli.scored_files import OFFLINE_LIMITS, load_truth, refused
from medvid.reports.answers import Answered, answered, worst
from medvid.reports.content import cut


def peek(
    ground_truth: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help=f"the whole test set, {JSON_OR_GZIP}"),
    ],
    predictions: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=JSON_OR_GZIP)],
    task: Annotated[str, typer.Option(help="the task (or qa_type), such as stg")],
    count: Annotated[int, typer.Option("--worst", min=1, help="how many answers")] = 20,
    unparsed: Annotated[
        bool, typer.Option("--unparsed", help="only answers of which nothing is read")
    ] = False,
    scoring: Annotated[
        Literal["compat", "strict"], typer.Option(help="the values to order by")
    ] = "compat",
    as_json: Json = False,
) -> int:
    """Show the worst answers of a task beside what was asked and expected.

    Next actions count if they match exactly. Summaries and region captions have no value by rule:
    of them, --unparsed shows what is empty.
    """
    chosen = task_of(task)
    if chosen is None:
        raise WrongUsage(f"--task {task}: it is one of {', '.join(QA_TYPES)}.")
    with paused_collection():
        truth = load_truth(ground_truth)
        submission = validate_submission(
            predictions.read_bytes(), TestSet.from_ground_truth(truth), minimum_records=0,
            limits=OFFLINE_LIMITS, diagnose=False,
        )  # fmt: skip
        if submission.predictions is None:
            raise refused(predictions, submission.report)
        found = answered(truth.samples, submission.predictions, scoring, chosen)
    unread = [each for each in found if not each.is_read]
    shown = unread[:count] if unparsed else worst(found, count)
    if as_json:
        print_json({"answers": len(found), "unparsed": len(unread),
                    "shown": list(map(_document, shown))})  # fmt: skip
    else:
        _print(shown, f"{len(found):,} answers of {chosen}; nothing is read of {len(unread):,}.")
    return Exit.DONE


def _document(each: Answered) -> dict[str, Any]:
    sample = each.sample
    return {
        "index": sample.index,
        "id": sample.id,
        "qa_type": sample.qa_type,
        "source": sample.source,
        "value": each.value,
        "parsed": each.is_read,
        "question": sample.question,
        "prediction": each.text,
        "reference": sample.reference,
    }


def _print(shown: Sequence[Answered], said: str) -> None:
    console = Console(highlight=False)
    for each in shown:
        sample = each.sample
        value = "" if each.value is None else f"  {each.value:.4f}"
        console.print(Text(f"{sample.index}  {sample.id}  {sample.source}{value}", style="bold"))
        for label, text in (("asked", sample.question), ("answer", each.text),
                            ("expected", sample.reference)):  # fmt: skip
            console.print(Text(f"  {label:9}{cut(text)}"), soft_wrap=True)
    console.print(Text(said))
