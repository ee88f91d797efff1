"""Printing tables for people and pipes alike."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

NO_RANK: Final = "\N{EN DASH}"
"""Stands where an entry without any value has no rank."""


def place(rank: int | None) -> str:
    """Return a rank as tables show it."""
    return NO_RANK if rank is None else str(rank)


def print_table(table: Table, console: Console | None = None) -> None:
    """Print a table at its natural width, so that no value is ever cut to fit.

    A narrow terminal wraps the lines itself; a pipe (which rich takes for 80 columns) gets all.
    """
    console = console or Console()
    unlimited = console.options.update(max_width=10_000)
    needed = Measurement.get(console, unlimited, table).maximum
    wide = Console(width=max(console.width, needed), file=console.file)
    wide.print(table)
