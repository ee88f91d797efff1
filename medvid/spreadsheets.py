"""CSV, read and written in one way: RFC 4180, UTF-8, and no cell is a formula to what opens it."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from typing import Final

# The last four are what some East Asian spreadsheets take for the first four.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
_MARK: Final = "'"
"""Keeps a spreadsheet from calculating; doubled where a text begins with it: it can be undone."""
_DELIMITERS: Final = "\t,;"
# What is read has its size bounded before; a cell of it may be long, as predictions are.
csv.field_size_limit(sys.maxsize)


def decode(content: bytes) -> str:
    """Return the text of a file, without a byte order mark; raises UnicodeDecodeError."""
    return content.decode("utf-8-sig")


def delimiter_of(line: str) -> str | None:
    """Return what separates the cells of a first line, None where it seems to have one cell."""
    return next((mark for mark in _DELIMITERS if mark in line), None)


def read_rows(text: str, *, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of its last line; raises ValueError naming a broken line."""
    lines = io.StringIO(text.removeprefix("\ufeff"), newline="")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None


def line(cells: Iterable[object]) -> str:
    """Return a line of a table; texts that look like formulas are marked, None is empty."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([cell(each) for each in cells])
    return out.getvalue()


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table, its first line the names of the columns."""
    return line(columns) + "".join(map(line, rows))


def cell(value: object) -> object:
    """Return a value as it may stand in a cell: a text that looks like a formula gets a mark."""
    if not isinstance(value, str):
        return value
    text = value.replace("\0", "\ufffd")  # which CSV cannot hold
    return _MARK + text if text.lstrip(" ").startswith((*_FORMULA_STARTS, _MARK)) else text


def text_of(cell: str) -> str:
    """Return the text that was put into a cell."""
    return cell.removeprefix(_MARK)
