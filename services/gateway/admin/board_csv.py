"""Boards as CSV, of which no cell is a formula to a spreadsheet; reading it gives back the rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from medvid.benchmark.tasks import METRIC_KEYS, Board
from medvid.models.fact_texts import fact_texts, fact_values
from medvid.models.facts import FACTS
from medvid.spreadsheets import read_rows, table, text_of
from services.gateway.admin.board_rows import TEXT_FIELDS, BoardRow

_DATES: Final = ("date", "verified_on")
_STRICT: Final = tuple(f"strict_{key}" for key in METRIC_KEYS)
COLUMNS: Final = (
    "board", *TEXT_FIELDS, "badges", *_DATES, "verification_note", *METRIC_KEYS, *_STRICT, *FACTS,
)  # fmt: skip
_NUMBER: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)


def write_csv(boards: Mapping[Board, Iterable[BoardRow]]) -> str:
    """Return every board's rows in one table."""
    return table(COLUMNS, (_cells(board, row) for board, rows in boards.items() for row in rows))


def _cells(board: Board, row: BoardRow) -> list[object]:
    cells = row.to_json() | {"board": board, "badges": ";".join(row.badges)}
    cells |= {f"strict_{key}": value for key, value in row.strict.items()}
    cells |= fact_texts(row.facts or {})
    return [cells[column] for column in COLUMNS]


def read_csv(text: str) -> dict[str, list[dict[str, object]]]:
    """Return the rows as JSON files have them, still to be checked.

    Raises ValueError saying what is wrong with the table itself.
    """
    lines = read_rows(text)
    boards: dict[str, list[dict[str, object]]] = {}
    _, header = next(lines, (0, []))
    if "board" not in header or len(set(header)) != len(header):
        raise ValueError("the first line must name the columns, each once, 'board' among them")
    for number, cells in lines:
        if len(cells) != len(header):
            raise ValueError(f"line {number} has {len(cells)} of {len(header)} cells")
        values = dict(zip(header, map(text_of, cells), strict=True))
        boards.setdefault(values.pop("board"), []).append(_row(values))
    return boards


def _row(values: Mapping[str, str]) -> dict[str, object]:
    row: dict[str, object] = {}
    strict: dict[str, object] = {}
    facts: dict[str, object] = {}
    for column, text in values.items():
        if column in _STRICT:
            strict[column.removeprefix("strict_")] = _number(text)
        elif column in METRIC_KEYS:
            row[column] = _number(text)
        elif column == "badges":
            row[column] = text.split(";") if text else []
        elif column in FACTS:
            facts |= fact_values({column: text})
        else:
            row[column] = text or None
    # A table without columns of facts says nothing of them.
    return row | {"strict": strict} | ({"facts": facts} if facts else {})


def _number(text: str) -> object:
    """Return a number, None for an empty cell, or the text, which is refused as what it is."""
    if not text:
        return None
    return float(text) if _NUMBER.fullmatch(text) else text
