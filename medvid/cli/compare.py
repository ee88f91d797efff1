"""`medvid compare`: two entries of a board, and whether chance explains the difference."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from medvid.api import NotFound
from medvid.benchmark.statistics.comparisons import Difference
from medvid.benchmark.tasks import BOARDS, METRICS, Board, Scoring
from medvid.cli.entry import check_known, entry_id
from medvid.cli.failures import CommandFailed
from medvid.cli.printing import plain_table, print_table
from medvid.cli.session import Session, public
from medvid.models.comparisons import EntryComparison, MetricDifference

_Entry = Annotated[str, typer.Argument(help="the model's name, or the entry's id")]


@public
def compare(
    session: Session,
    a: _Entry,
    b: _Entry,
    on: Annotated[
        Board | None,
        typer.Option("--board", help="the board that both are on; looked for if left out"),
    ] = None,
    scoring: Annotated[Scoring, typer.Option(help="the values to compare")] = "compat",
) -> int:
    """Compare two entries of a board: differences, and whether they are beyond chance.

    Files are compared by 'medvid compare-files', which needs the ground truth.
    """
    found = _compared(session, on, a, b, scoring) if on else _looked_for(session, a, b, scoring)
    return session.answer(found, lambda: _show(found, a, b))


def _looked_for(session: Session, a: str, b: str, scoring: Scoring) -> EntryComparison:
    """Return the comparison on the first board that has both; raises CommandFailed."""
    for board in BOARDS:
        with suppress(CommandFailed, NotFound):
            return _compared(session, board, a, b, scoring)
    for each in (a, b):
        check_known(session, each)
    raise CommandFailed(
        f"no board has both {a!r} and {b!r}.",
        fix="See 'medvid board official' and 'medvid board community'. "
        f"{session.url}/compare shows models of both boards side by side.",
    )


def _compared(session: Session, board: Board, a: str, b: str, scoring: Scoring) -> EntryComparison:
    """Return how two entries of a board compare; raises CommandFailed, NotFound."""
    one, other = (entry_id(session, board, each) for each in (a, b))
    return session.client.comparison(board, one, other, scoring=scoring)


def _show(found: EntryComparison, a: str, b: str) -> None:
    """Print a comparison for people."""
    console = Console(highlight=False)
    console.print(Text(f"A: {a}\nB: {b}"), soft_wrap=True)
    table = plain_table()
    table.add_column("Metric")
    table.add_column("A - B", justify="right")
    table.add_column("95 %", style="dim")
    table.add_column("p (Holm)", justify="right")
    table.add_column("")
    for metric in METRICS:
        if (each := found.metrics.get(metric.key)) is not None:
            table.add_row(metric.label, f"{each.difference:+.4f}", *_judgement(each))
        elif (why := found.not_compared.get(metric.key)) is not None:
            table.add_row(metric.label, "", "", "", f"different judges: {why.a}, {why.b}")
    print_table(table, console)
    if found.statistics_version is None:
        console.print("Without replicates of one ground truth the differences stand alone.")


def _judgement(each: MetricDifference) -> tuple[str, str, str]:
    """Return interval, p and decision as the table shows them."""
    ends = "" if each.low is None else f"{each.low:+.3f} to {each.high:+.3f}"
    p = "" if each.p_holm is None else f"{each.p_holm:.3f}" if each.p_holm >= 0.001 else "<0.001"
    return ends, p, Difference(**each.model_dump()).decision
