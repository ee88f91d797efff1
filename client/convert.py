"""`medvid convert`: the output of inference, in one file or many, as a submission file.

Accepted are all forms that the server takes, and those in which inference is often written: JSON
lines, and shards (one file for each process) whose records are keyed by their place in the test
set. Only the id, qa_type, question and the model's text are kept: whatever else a file holds, such
as references or scores, never leaves this machine.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import orjson
from rich.console import Console
from rich.text import Text

from client.files import UnreadableFile, read_file
from client.problems import problem_text
from client.validate import CANNOT_RUN, HAS_ERRORS, OK, report_on, show
from shared.benchmark.decoding import Document, Element, Limits, Refused, decode
from shared.benchmark.ground_truth import InvalidGroundTruth
from shared.benchmark.report import Code, Problem, Problems
from shared.benchmark.scanning import Buffer, Layout
from shared.benchmark.submission import Record, read_records
from shared.benchmark.unpacking import unpack

_MIB: Final = 1 << 20
_LIMITS: Final = Limits(
    unpacked_bytes=2048 * _MIB, record_bytes=64 * _MIB, records=1_000_000, keys=100_000_000
)
"""Inference writes references and more beside each answer; the limits only catch mistakes."""


def run(
    inputs: Sequence[Path],
    output: Path,
    *,
    answer_field: str | None,
    ground_truth: Path | None,
    test_set: Path | None,
    force: bool,
) -> int:
    """Convert files; return the exit status: 0 fine, 1 errors in them, 2 when it cannot be done."""
    complaints = Console(stderr=True, highlight=False)
    if output.exists() and (not force or any(output.samefile(each) for each in inputs)):
        complaints.print(Text(f"{output} is there already. Name another, or use --force."))
        return CANNOT_RUN
    problems = Problems()
    try:
        files = {str(each): read_file(each, _LIMITS.unpacked_bytes) for each in inputs}
        records = convert(files, problems, answer_field=answer_field)
        if problems.count:
            for problem in problems.first:
                complaints.print(problem_text(problem), soft_wrap=True)
            complaints.print(f"{problems.count:,} error(s); nothing was written.")
            return HAS_ERRORS
        write(output, document(records))
        print(f"{len(records):,} records written to {output}.")
        if not (ground_truth or test_set):
            return OK
        report = report_on(output, ground_truth, test_set)
    except (UnreadableFile, InvalidGroundTruth) as error:
        complaints.print(Text(str(error)), soft_wrap=True)
        return CANNOT_RUN
    show(report, Console())
    return OK if report.ok else HAS_ERRORS


def convert(
    files: Mapping[str, bytes], problems: Problems, *, answer_field: str | None = None
) -> list[Record]:
    """Return the records of all files in order of position, noting what is wrong with any.

    Where the records of all files are keyed by different whole numbers, these are their positions;
    otherwise the files follow one another.
    """
    records: list[Record] = []
    keyed = True
    for name, data in files.items():
        own = Problems()
        found = _read(data, own, answer_field)
        keyed = keyed and found.keyed
        records += found.records
        for problem in own.first:
            where = f"{name}: {problem.path}" if len(files) > 1 else problem.path
            problems.add(replace(problem, path=where))
        problems.count += own.count - len(own.first)
    if keyed and len({record.position for record in records}) == len(records):
        records.sort(key=lambda record: record.position)
    elif len(files) > 1:
        for place, record in enumerate(records):
            record.position = place
    if not records and not problems.count:
        problems.add(Problem(Code.EMPTY_FILE, "$", "no records", "one record a sample",
                             "Give the files that inference wrote."))  # fmt: skip
    return records


class _Part(NamedTuple):
    records: list[Record]
    keyed: bool


def _read(data: bytes, problems: Problems, answer_field: str | None) -> _Part:
    try:
        found = decode(_as_document(data), _LIMITS)
    except Refused as refused:
        problems.add(refused.problem)
        return _Part([], keyed=False)
    named = _Renamed(found.content, found.layout, answer_field) if answer_field else found
    return _Part(read_records(named, _LIMITS, problems), found.layout.kind == "object")


class _Renamed(Document):
    """A document whose records hold the model's text in a field of another name."""

    def __init__(self, content: Buffer, layout: Layout, field: str) -> None:
        super().__init__(content, layout, _LIMITS)
        self._field = field

    def elements(self, problems: Problems) -> Iterator[Element]:
        """Yield the elements with the field under the name that is read."""
        for element in super().elements(problems):
            value = element.value
            if isinstance(value, dict) and self._field in value:
                inference = "id" not in value and "metadata" in value
                text = value.pop(self._field)
                value["answer" if inference else "prediction"] = text
            yield element


def _as_document(data: bytes) -> bytes:
    """Return JSON lines as one array, anything else as it is."""
    try:
        text = bytes(unpack(data, _LIMITS.unpacked_bytes))
    except Refused:
        return data  # the decoder says what is wrong
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2 and text.lstrip()[:1] != b"{":
        return data
    try:
        first = orjson.loads(lines[0]) if lines else None
    except orjson.JSONDecodeError:
        return data
    if isinstance(first, dict) and "qa_type" in first:
        return b"[" + b",\n".join(lines) + b"]"
    return data


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
