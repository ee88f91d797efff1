"""What a document is, and where its records lie: an array, an object, or JSON Lines."""

from __future__ import annotations

from typing import Final

import orjson

from medvid.benchmark import file_kinds, lines, scanning
from medvid.benchmark.report import Code, Problem
from medvid.benchmark.scanning import Bounds, Buffer, Layout
from medvid.benchmark.unpacking import RefusedFile

_BOM: Final = b"\xef\xbb\xbf"
_RECORD_FIELDS: Final = ("id", "qa_type")
_MOST_FIELDS: Final = 100
"""An object of more elements is no single record."""
_LONGEST_RECORD: Final = 1 << 20


def split(data: Buffer, bounds: Bounds) -> Layout:
    """Split an array, an object or JSON Lines into elements. Linear in time, bounded in memory.

    A UTF-8 byte order mark is skipped (Windows editors write one). An object that has an id or a
    qa_type of its own is one record, the only line of its file. Raises `RefusedFile` for an empty
    document, one of another kind, one over the bounds or broken outside its records.
    """
    first = scanning.skip_white_space(data, len(_BOM) if data[:3] == _BOM else 0)
    if first == len(data):
        raise RefusedFile(_empty())
    wide = file_kinds.wide_text(data)
    if wide is not None:
        raise RefusedFile(wide)
    if data[first] not in b"[{":
        if not lines.seem_to_begin(data, first):
            raise RefusedFile(file_kinds.foreign(data, first))
        return lines.split(data, first, bounds)
    try:
        layout = scanning.scan(data, first, bounds)
    except RefusedFile:
        if data[first] == ord("[") or not lines.seem_to_begin(data, first):
            raise
        return lines.split(data, first, bounds)
    if layout.kind == "object" and _is_one_record(data, first, layout):
        return Layout("lines", [first], [len(data)], [sum(layout.keys)])
    return layout


def _is_one_record(data: Buffer, first: int, layout: Layout) -> bool:
    if len(layout.starts) > _MOST_FIELDS or len(data) - first > _LONGEST_RECORD:
        return False
    try:
        value = orjson.loads(memoryview(data)[first:])
    except orjson.JSONDecodeError:
        return False
    if isinstance(value.get("qa_type"), str):
        return True
    return isinstance(value.get("id"), str | int) and not any(map(_holds_records, value.values()))


def _holds_records(value: object) -> bool:
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) and any(name in first for name in _RECORD_FIELDS)


def _empty() -> Problem:
    return Problem(
        Code.EMPTY_FILE, "$", "no content", file_kinds.EXPECTED, "Upload the right file."
    )
