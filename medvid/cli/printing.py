"""What commands print, for people and for scripts, and the statuses they exit with."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any, Final

from pydantic import BaseModel
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from medvid.benchmark.report import Problem
from medvid.benchmark.tasks import METRICS
from medvid.models.entries import Interval
from medvid.models.problems import ProblemItem
from medvid.models.reports import ReportProblem

AnyProblem = Problem | ProblemItem | ReportProblem
"""A problem that was found here, or that a server found."""
HIDDEN: Final = "(set, hidden)"
"""Shown for a secret."""
NO_RANK: Final = "\N{EN DASH}"
"""Shown as the rank of an entry without any value."""
_LABELS: Final = {metric.key: metric.label for metric in METRICS}
_SHORT: Final = 12


class Exit(IntEnum):
    """The exit status of a command, for scripts."""

    DONE = 0
    REFUSED = 1
    """Refused, or failed for good: what the file says, the name, the token."""
    USAGE = 2
    """The command line or the configuration is wrong, or a file cannot be read."""
    LATER = 3
    """The server cannot be reached, is overloaded, or a quota is used up: try again later."""
    INTERRUPTED = 130


def print_json(value: object) -> None:
    """Print an answer, or a list of them, as JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=_plain), flush=True)


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(type(value).__name__)


def place(rank: int | None) -> str:
    """Return a rank as tables show it."""
    return NO_RANK if rank is None else str(rank)


def label(metric: str) -> str:
    """Return a metric's name as boards and papers write it."""
    return _LABELS.get(metric, metric)


def short(version: str) -> str:
    """Return the beginning of a hash, which tells it from others as well as the whole does."""
    return version[:_SHORT]


def spread(found: Interval | None) -> str:
    """Return a 95 % interval as tables show it; a star marks one of few videos."""
    if found is None or found.low is None or found.high is None:
        return ""
    return f"{found.low:.3f} to {found.high:.3f}" + ("*" if found.few_videos else "")


def plain_table(*columns: str, **options: Any) -> Table:
    """Return a table without lines, the one style of all commands; columns may be added."""
    return Table(*columns, box=None, pad_edge=False, title_justify="left", **options)


def print_table(table: Table, console: Console | None = None) -> None:
    """Print a table at its natural width, so that no value is ever cut to fit.

    A narrow terminal wraps the lines itself; a pipe (which rich takes for 80 columns) gets all.
    """
    console = console or Console()
    unlimited = console.options.update(max_width=10_000)
    needed = Measurement.get(console, unlimited, table).maximum
    wide = Console(width=max(console.width, needed), file=console.file)
    wide.print(table)


def problem_text(problem: AnyProblem) -> Text:
    """Return a problem of a file for people; equal ones are one, with their number."""
    text = Text("  ")
    text.append(str(problem.code), style="bold")
    text.append(f" {where(problem)}\n")
    text.append(f"    found     {problem.found}\n    expected  {problem.expected}\n")
    text.append(f"    to fix    {problem.fix}")
    return text


def problem_line(problem: AnyProblem) -> str:
    """Return a problem of a file in one line."""
    return (
        f"{problem.code} {where(problem)}: found {problem.found}, expected {problem.expected}. "
        f"{problem.fix}"
    )


def where(problem: AnyProblem) -> str:
    """Return the place of a problem, or how often and where first it occurs."""
    if problem.count == 1:
        return f"at {problem.path}"
    return f"in {problem.count:,} records, first at {', '.join(problem.places)}"


def span(seconds: float) -> str:
    """Return a time span as people say it."""
    for size, unit, below, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"),
                                     (60, "min", 1, "s")):  # fmt: skip
        if seconds >= size:
            whole, rest = divmod(round(seconds), size)
            return f"{whole} {unit}" + (f" {rest // below} {small}" if rest // below else "")
    return f"{seconds:.0f} s"
