"""`medvid overlay`: a file of predictions with one task's answers from another file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import orjson
import typer

from medvid.api.errors import LeaderboardError
from medvid.benchmark.decoding import SUBMISSION_LIMITS, RefusedFile, decode
from medvid.benchmark.report import Problem, Problems
from medvid.benchmark.submission import Record, read_records
from medvid.benchmark.tasks import QA_TYPES, Task, task_of
from medvid.cli.failures import WrongUsage
from medvid.cli.files import read_file
from medvid.cli.parameters import JSON_OR_GZIP
from medvid.cli.printing import Exit, problem_line
from medvid.predict.manifest import as_bytes, sha256, write


class _NotOverlaid(LeaderboardError):
    """The files do not fit; the text says where."""

    code = "files_do_not_fit"


def overlay(
    base: Annotated[Path, typer.Argument(help=f"the whole file, {JSON_OR_GZIP}")],
    other: Annotated[Path, typer.Argument(help="the file with the task's new answers")],
    task: Annotated[str, typer.Option(help="the task (or qa_type) to replace, such as stg")],
    out: Annotated[Path, typer.Option("--out", "-o", help="the file to write (.json, .json.gz)")],
) -> int:
    """Replace the answers of one task, and leave all others as they are.

    OTHER holds the same records of the task in the same order, alone or among others. The written
    file is read again and compared, record by record; a manifest beside it has the files' hashes.
    """
    chosen = task_of(task)
    if chosen is None:
        raise WrongUsage(f"--task {task}: it is one of {', '.join(QA_TYPES)}.")
    old, new = _records(base), _records(other)
    replaced = _replacements(old, new, chosen)
    rows = [_row(record, replaced.get(place)) for place, record in enumerate(old)]
    write(out, orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    counts = _proven(old, _records(out), replaced)
    stem = out.name.removesuffix(".gz").removesuffix(".json")
    files = {"base": base, "other": other, "overlaid": out}
    described = {name: {"name": path.name, "sha256": sha256(path)} for name, path in files.items()}
    document = {"task": chosen.value, **counts, "files": described}
    write(out.with_name(f"{stem}.manifest.json"), as_bytes(document))
    print(
        f"{counts['replaced']:,} replaced ({counts['differing']:,} of them differ), "
        f"{counts['unchanged']:,} unchanged: {out}"
    )
    return Exit.DONE


def _records(path: Path) -> list[Record]:
    """Return a file's records; raises UnreadableFile, _NotOverlaid where some are not valid."""
    problems = Problems()
    records: list[Record] = []
    try:
        document = decode(read_file(path, SUBMISSION_LIMITS.unpacked_bytes), SUBMISSION_LIMITS)
        records = read_records(document, SUBMISSION_LIMITS, problems)
    except RefusedFile as refused:
        raise _NotOverlaid(_told(path, refused.problem)) from None
    if problems.count:
        raise _NotOverlaid(_told(path, problems.first[0]))
    return records


def _told(path: Path, problem: Problem) -> str:
    return f"{path} is not valid: {problem_line(problem)}"


def _replacements(old: Sequence[Record], new: Sequence[Record], task: Task) -> dict[int, Record]:
    """Return the new record by the place of the old one; raises _NotOverlaid."""
    places = [place for place, record in enumerate(old) if record.task is task]
    given = [record for record in new if record.task is task]
    if not places or len(places) != len(given):
        raise _NotOverlaid(
            f"The first file has {len(places):,} records of {task}, the second {len(given):,}."
        )
    for place, record in zip(places, given, strict=True):
        if (old[place].alias, old[place].qa_type) != (record.alias, record.qa_type):
            raise _NotOverlaid(
                f"The files order {task} differently: {old[place].id!r} ({old[place].qa_type}) at "
                f"{old[place].path} stands against {record.id!r} ({record.qa_type}) at "
                f"{record.path}."
            )
    return dict(zip(places, given, strict=True))


def _row(record: Record, new: Record | None) -> dict[str, str]:
    row = {"id": record.id, "qa_type": record.qa_type}
    if record.question is not None:
        row["question"] = record.question.decode()
    return row | {"prediction": (new or record).prediction.decode()}


def _proven(
    old: Sequence[Record], written: Sequence[Record], replaced: dict[int, Record]
) -> dict[str, int]:
    """Compare what was written with what it is made of; return the counts."""
    differing = 0
    for place, (before, now) in enumerate(zip(old, written, strict=True)):
        expected = replaced.get(place, before)
        if (now.id, now.qa_type, now.question, now.prediction) != (
            before.id, before.qa_type, before.question, expected.prediction,
        ):  # fmt: skip
            raise _NotOverlaid(f"Record {place} was not written as it should be.")
        differing += now.prediction != before.prediction
    return {
        "replaced": len(replaced), "differing": differing, "unchanged": len(old) - len(replaced)
    }  # fmt: skip
