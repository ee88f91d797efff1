"""`medvid convert`: the output of inference, in one file or many, as a submission file.

Accepted are all forms that the server takes, and those in which inference is often written: tables,
wrappers, the outputs of evaluation tools, and shards (one file for each process) whose records are
keyed by their place in the test set. Only the id, qa_type, question and the model's text are kept:
whatever else a file holds, such as references or scores, never leaves this machine.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson
from rich.console import Console
from rich.text import Text

from medvid.benchmark.ground_truth import InvalidGroundTruth
from medvid.benchmark.report import Problems, Report, shown
from medvid.benchmark.submission import Record
from medvid.cli.conversion.convert import Conversion, Failed, Options
from medvid.cli.conversion.convert import convert as conversion
from medvid.cli.conversion.files import LIMITS
from medvid.cli.files import UnreadableFile, read_file
from medvid.cli.problems import problem_text
from medvid.cli.validate import CANNOT_RUN, HAS_ERRORS, OK, load, report_on, show


def run(
    inputs: Sequence[Path],
    output: Path,
    *,
    answer_field: str | None = None,
    ground_truth: Path | None = None,
    test_set: Path | None = None,
    force: bool = False,
    failed: Failed = "stop",
    last_wins: bool = False,
    by_position: bool = False,
    strip_reasoning: bool = False,
    tidy: bool = False,
    as_json: bool = False,
) -> int:
    """Convert files; return the exit status: 0 fine, 1 errors in them, 2 when it cannot be done."""
    complaints = Console(stderr=True, highlight=False)
    options = Options(answer_field, failed, last_wins, by_position, strip_reasoning, tidy)
    refusal = _refusal(inputs, output, ground_truth, test_set, options, force=force)
    if refusal:
        complaints.print(Text(refusal), soft_wrap=True)
        return CANNOT_RUN
    problems = Problems()
    report: Report | None = None
    try:
        samples = load(ground_truth, test_set)
        files = {str(each): read_file(each, LIMITS.unpacked_bytes) for each in inputs}
        done = conversion(files, problems, options, samples)
        if not problems.count:
            write(output, document(done.records))
            if ground_truth or test_set:
                report = report_on(output, ground_truth, test_set)
    except (UnreadableFile, InvalidGroundTruth) as error:
        complaints.print(Text(str(error)), soft_wrap=True)
        return CANNOT_RUN
    if as_json:
        print(json.dumps(_as_json(done, output, problems, report), indent=2, ensure_ascii=False))
    else:
        _show(done, output, problems, report, complaints)
    return HAS_ERRORS if problems.count or (report and not report.ok) else OK


def _refusal(
    inputs: Sequence[Path],
    output: Path,
    ground_truth: Path | None,
    test_set: Path | None,
    options: Options,
    *,
    force: bool,
) -> str:
    """Return why the command cannot run as it was given, empty where it can."""
    if output.exists() and (not force or any(output.samefile(each) for each in inputs)):
        return f"{output} is there already. Name another, or use --force."
    if ground_truth and test_set:
        return "Give --ground-truth or --test-set, not both."
    if options.by_position and not (ground_truth or test_set):
        return "Give --test-set FILE: --by-position takes ids and qa_types from it."
    return ""


def convert(
    files: Mapping[str, bytes], problems: Problems, *, answer_field: str | None = None
) -> list[Record]:
    """Return the records of all files in order of position, noting what is wrong with any."""
    return conversion(files, problems, Options(answer_field)).records


def _show(
    done: Conversion, output: Path, problems: Problems, report: Report | None, complaints: Console
) -> None:
    if problems.count:
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
        show(report, console)


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


def write(output: Path, content: bytes) -> None:
    """Write a file, gzip-compressed where its name ends so; raises UnreadableFile."""
    packed = gzip.compress(content, mtime=0) if output.suffix == ".gz" else content
    try:
        output.write_bytes(packed)
    except OSError as error:
        raise UnreadableFile(
            f"Cannot write {output}: {error.strerror or error}. Check the path."
        ) from None
