"""Raw records out of a file: JSON, JSON Lines or a table; out of wrappers, and with NaN in them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from medvid.benchmark import shapes
from medvid.benchmark.decoding import UNDECODABLE, Document, Limits, RefusedFile, decode
from medvid.benchmark.file_kinds import header
from medvid.benchmark.report import Code, Problem, Problems, shown
from medvid.benchmark.unpacking import unpack
from medvid.cli.conversion.workbooks import NoTable, is_workbook, rows
from medvid.spreadsheets import decode as decode_text
from medvid.spreadsheets import delimiter_of, read_rows

_MIB: Final = 1 << 20
LIMITS: Final = Limits(
    unpacked_bytes=2048 * _MIB, record_bytes=2048 * _MIB, records=1_000_000, keys=100_000_000
)
"""Inference writes references and more beside each answer; the limits only catch mistakes."""
_HEADER_BYTES: Final = 1 << 16
_DEEPEST_WRAPPER: Final = 3
_INSIDE: Final = frozenset((
    "metadata", "conversations", "messages", "response", "choices", "doc", "resps",
    "filtered_resps", "prediction", "answer",
))  # fmt: skip
"""Fields of a record that hold objects or arrays: an object with one of them is no wrapper."""


@dataclass(slots=True)
class Raw:
    """A record as a file has it. `key` is its key where the file is an object of records."""

    path: str
    key: str | None
    value: dict[str, object]


@dataclass(slots=True)
class RawFile:
    """What a file holds. `beside` are fields of a wrapper that hold no records."""

    name: str
    records: list[Raw]
    beside: list[str]


def read(name: str, data: bytes, problems: Problems) -> RawFile:
    """Return the raw records of a file, noting what is wrong with it."""
    found = RawFile(name, [], [])
    try:
        content = unpack(data, LIMITS.unpacked_bytes)
        if is_workbook(bytes(content)):
            found.records = _workbook(bytes(content), problems)
            return found
        if header(bytes(content[:_HEADER_BYTES])) and content.lstrip()[:1] not in (b"[", b"{"):
            found.records = _table(bytes(content), problems)
            return found
        document = decode(bytes(content), LIMITS)
    except RefusedFile as refused:
        problems.add(refused.problem)
        return found
    lenient = _Lenient(document.content, document.layout, LIMITS)
    elements = [one for one in lenient.elements(problems) if one.value is not UNDECODABLE]
    if document.layout.kind == "object":
        _unwrap(found, {one.key or "": one.value for one in elements}, "$", problems)
    else:
        for element in elements:
            _take(found, element.path, None, element.value, problems)
    return found


class _Lenient(Document):
    """A document in which NaN is read as a missing number, the mark of a failed sample."""

    def _undecodable(
        self, error: orjson.JSONDecodeError, text: bytes, start: int, path: str, problems: Problems
    ) -> object:
        if error.doc[error.pos : error.pos + 9].lstrip("-").startswith(("NaN", "Inf")):
            try:
                return json.loads(text, parse_constant=lambda _: math.nan)
            except ValueError:
                pass  # something else is wrong with it too
        return super()._undecodable(error, text, start, path, problems)


def _unwrap(
    found: RawFile, values: Mapping[str, object], path: str, problems: Problems, depth: int = 0
) -> None:
    """Take the records of an object: its values, or those inside what it wraps."""
    if values and all(isinstance(value, str) for value in values.values()):
        for key, value in values.items():  # texts by key
            name = "sample_id" if key.isdecimal() or "::" in key else "id"
            raw: dict[str, object] = {name: key, "prediction": value}
            found.records.append(Raw(f"{path}[{shown(key)}]", key, raw))
        return
    rows = _rows_of_columns(values)
    found.records += [Raw(f"{path}[*][{n}]", None, row) for n, row in enumerate(rows)]
    settings = _settings_beside(values)
    found.beside += settings
    values = {} if rows else {key: value for key, value in values.items() if key not in settings}
    for key, value in values.items():
        inner = f"{path}[{shown(key)}]"
        if isinstance(value, dict) and depth < _DEEPEST_WRAPPER and _is_wrapper(value):
            _unwrap(found, value, inner, problems, depth + 1)
        elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            lone = len(value) == 1 and len(values) > 1
            for index, one in enumerate(value):
                _take(found, f"{inner}[{index}]", key if lone else None, one, problems)
        elif isinstance(value, dict):
            found.records.append(Raw(inner, key, value))
        elif depth or not all(isinstance(other, dict) for other in values.values()):
            found.beside.append(key)


def _rows_of_columns(values: Mapping[str, object]) -> list[dict[str, object]]:
    """Return the records of columns (lists, or objects by row) of equal length; else none.

    Data frames are written so: `{"id": ["…", …], "qa_type": […], "prediction": […]}`.
    """
    if not shapes.are_columns(values):
        return []
    columns: dict[str, list[object]] = {}
    for name, column in values.items():
        if isinstance(column, dict):
            columns[name] = list(column.values())
        elif isinstance(column, list):
            columns[name] = column
    if len(columns) < len(values) or len({len(column) for column in columns.values()}) != 1:
        return []
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _settings_beside(values: Mapping[str, object]) -> list[str]:
    """Return the keys of objects beside the records that hold none."""
    if not any(_holds_records(value) for value in values.values()):
        return []
    return [
        key
        for key, value in values.items()
        if isinstance(value, dict) and not (_is_record(value) or _holds_records(value))
    ]


def _holds_records(value: object) -> bool:
    if isinstance(value, list):
        return len(value) > 1 and all(isinstance(one, dict) for one in value)
    return (
        isinstance(value, dict)
        and _is_wrapper(value)
        and any(_is_record(inner) or _holds_records(inner) for inner in value.values())
    )


def _is_record(value: object) -> bool:
    """Whether an object has fields by which records are known."""
    return isinstance(value, dict) and (
        shapes.is_ours(value) or shapes.shape_of(value) is not None or "prediction" in value
    )


def _is_wrapper(value: Mapping[str, object]) -> bool:
    """Whether an object holds records rather than being one."""
    return (
        bool(value)
        and _INSIDE.isdisjoint(value)
        and all(
            isinstance(inner, dict)
            or (isinstance(inner, list) and inner and isinstance(inner[0], dict))
            for inner in value.values()
        )
    )


def _take(found: RawFile, path: str, key: str | None, value: object, problems: Problems) -> None:
    """Take one element: a record, a text, or an array of records."""
    if isinstance(value, dict):
        found.records.append(Raw(path, key, value))
    elif isinstance(value, str):
        found.records.append(Raw(path, key, {"prediction": value}))
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        for index, one in enumerate(value):
            found.records.append(Raw(f"{path}[{index}]", key, one))
    elif not problems.counted(Code.NOT_AN_OBJECT):
        problems.add(
            Problem(Code.NOT_AN_OBJECT, path, shown(value), "a record (object)",
                    "Write one object for each sample, with the model's text in it."), ""
        )  # fmt: skip


def _workbook(content: bytes, problems: Problems) -> list[Raw]:
    try:
        found = rows(content, LIMITS.unpacked_bytes)
    except NoTable as error:
        problems.add(Problem(Code.WRONG_SHAPE, "$", str(error), "a workbook with one row a sample",
                             "Save the table as CSV."))  # fmt: skip
        return []
    return [Raw(f"$[{index}]", None, dict(row)) for index, row in enumerate(found)]


def _table(content: bytes, problems: Problems) -> list[Raw]:
    try:
        text = decode_text(content)
    except UnicodeDecodeError as error:
        problems.add(Problem(
            Code.INVALID_UTF8, "$", f"bytes {content[error.start : error.start + 4].hex(' ')} at "
            f"byte {error.start}", "UTF-8 text", "Save the table as UTF-8 (CSV UTF-8 in Excel).",
        ))  # fmt: skip
        return []
    lines = read_rows(text, delimiter=delimiter_of(text.splitlines()[0]) or ",")
    found: list[Raw] = []
    try:
        names = [name.strip() for name in next(lines)[1]]
        for _, cells in lines:
            if cells:
                named = {name: cell for name, cell in zip(names, cells, strict=False) if name}
                found.append(Raw(f"$[{len(found)}]", None, dict(named)))
    except ValueError as error:
        problems.add(Problem(
            Code.WRONG_SHAPE, f"$[{len(found)}]", str(error),
            "a table with a row for each sample", "Quote texts that hold quotes or line breaks.",
        ))  # fmt: skip
    return found


def is_truth(name: str) -> bool:
    """Whether a field's name says that it holds a true answer."""
    return name.casefold() in shapes.TRUTH_FIELDS
