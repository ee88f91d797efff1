"""A report as sections of text, tables and bars; `markdown` and `html` write it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Cell = str | int | float | None
"""None is shown as a dash, a float with four decimals."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A value within its scale, with an interval and an older value where there are any."""

    label: str
    value: float
    minimum: float
    maximum: float
    low: float | None = None
    high: float | None = None
    before: float | None = None


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A heading with lines of text, bars and a table; each may be empty."""

    title: str
    lines: Sequence[str] = ()
    bars: Sequence[Bar] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """A whole report."""

    title: str
    lines: Sequence[str]
    sections: Sequence[ReportSection]


def shown(cell: Cell) -> str:
    """Return a cell as text."""
    if cell is None:
        return "\N{EN DASH}"
    if isinstance(cell, float):
        return f"{cell:.4f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
