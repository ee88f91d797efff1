"""`medvid convert`: the output of inference, in one file or many, as a submission file.

Accepted are all forms that the server takes, and those in which inference is often written: tables,
wrappers, the outputs of evaluation tools, and shards (one file for each process) whose records are
keyed by their place in the test set. Only the id, qa_type, question and the model's text are kept:
whatever else a file holds, such as references or scores, never leaves this machine.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.text import Text

from medvid.benchmark.report import Problems, Report, shown
from medvid.benchmark.submission import Record
from medvid.cli.conversion.convert import Conversion, Failed, Options, convert_files
from medvid.cli.conversion.files import LIMITS
from medvid.cli.failures import WrongUsage
from medvid.cli.files import read_file, read_samples
from medvid.cli.parameters import Json
from medvid.cli.printing import Exit, print_json, problem_text
from medvid.cli.validate import check_content, show_report


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
    ] = "stop",
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
        bool, typer.Option("--strip-reasoning", help="remove reasoning such as `<think>` blocks")
    ] = False,
    tidy: Annotated[
        bool,
        typer.Option("--tidy", help="rewrite texts that are not read as meant; lists every rule"),
    ] = False,
    ground_truth: Annotated[
        Path | None, typer.Option(help="check the result with this ground truth")
    ] = None,
    test_set: Annotated[
        Path | None, typer.Option(help="check the result with this test set")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="overwrite the output")] = False,
    as_json: Json = False,
) -> int:
    """Make a submission file out of the output of inference, in one file or in shards.

    Reads the outputs of vLLM and OpenAI batches, lmms-eval, VLMEvalKit, swift and LLaMA-Factory
    too. Only ids, qa_types, questions and the model's texts are kept.
    """
    if output.exists() and (not force or any(output.samefile(each) for each in inputs)):
        raise WrongUsage(f"{output} is there already.", fix="Name another, or use --force.")
    if by_position and not (ground_truth or test_set):
        raise WrongUsage("give --test-set FILE: --by-position takes ids and qa_types from it.")
    options = Options(answer_field, failed, last_wins, by_position, strip_reasoning, tidy)
    problems = Problems()
    report: Report | None = None
    samples = read_samples(ground_truth, test_set)
    files = {str(each): read_file(each, LIMITS.unpacked_bytes) for each in inputs}
    done = convert_files(files, problems, options, samples)
    if not problems.count:
        content = document(done.records)
        output.write_bytes(gzip.compress(content, mtime=0) if output.suffix == ".gz" else content)
        report = check_content(content, samples) if samples else None
    if as_json:
        print_json(_as_json(done, output, problems, report))
    else:
        _show(done, output, problems, report)
    return Exit.REFUSED if problems.count or (report and not report.ok) else Exit.DONE


def _show(done: Conversion, output: Path, problems: Problems, report: Report | None) -> None:
    if problems.count:
        complaints = Console(stderr=True, highlight=False)
        for problem in problems.first:
            complaints.print(problem_text(problem), soft_wrap=True)
        complaints.print(f"{problems.count:,} error(s); nothing was written.")
        return
    console = Console(highlight=False)
    console.print(Text(f"{len(done.records):,} records written to {output}."), soft_wrap=True)
    for note in done.notes:
        console.print(Text(f"  {note}"), soft_wrap=True)
    for rewrite in done.rewrites:
        rule = f"  {rewrite.count:,} rewritten by {rewrite.rule}, first at {rewrite.path}:"
        change = f"    {_line(rewrite.before)}\n  → {_line(rewrite.after)}"
        console.print(Text(f"{rule}\n{change}"), soft_wrap=True)
    if report is not None:
        show_report(report, console)


def _line(text: str) -> str:
    return shown(text.replace("\n", " ⏎ "))


def _as_json(
    done: Conversion, output: Path, problems: Problems, report: Report | None
) -> dict[str, object]:
    return {
        "ok": not problems.count and (report is None or report.ok),
        "output": None if problems.count else str(output),
        "records": 0 if problems.count else len(done.records),
        "problem_count": problems.count,
        "problems": [asdict(problem) for problem in problems.first],
        "notes": [asdict(note) for note in done.notes],
        "rewrites": [asdict(rewrite) for rewrite in done.rewrites],
        "report": report.to_dict() if report else None,
    }


def document(records: Sequence[Record]) -> bytes:
    """Return a submission file: an array, or an object where the records name their positions."""
    rows = [_row(record) for record in records]
    if [record.position for record in records] == list(range(len(records))):
        return orjson.dumps(rows, option=orjson.OPT_APPEND_NEWLINE)
    keyed = {str(record.position): row for record, row in zip(records, rows, strict=True)}
    return orjson.dumps(keyed, option=orjson.OPT_APPEND_NEWLINE)


def _row(record: Record) -> dict[str, str]:
    row = {"id": record.id, "qa_type": record.qa_type}
    if record.question is not None:
        row["question"] = record.question.decode()
    return {**row, "prediction": record.prediction.decode()}
