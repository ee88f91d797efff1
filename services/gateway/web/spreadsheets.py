"""CSV in which no cell is a formula to whatever opens it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Final

# The last four are what some East Asian spreadsheets take for the first four.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table as CSV (RFC 4180), its first line the names of the columns."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()


def cell(value: object) -> object:
    """Return a value as it may stand in a cell: a text that looks like a formula gets a quote."""
    if not isinstance(value, str):
        return value
    text = value.replace("\0", "\ufffd")  # which CSV cannot hold
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text
