"""`medvid board`: a board in the terminal, as CSV or as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from medvid.api import Leaderboard
from medvid.benchmark.tasks import Board, Scoring
from medvid.cli.failures import WrongUsage
from medvid.cli.files import write_text
from medvid.cli.printing import NO_RANK, Exit, place, plain_table, print_table
from medvid.cli.session import Session, public
from medvid.models.boards import Column, LeaderboardEntry
from medvid.models.facts import FILTERS
from medvid.models.tombstones import Tombstone

_PLACE_STYLES: Final = {1: "bold green", 2: "green"}
_NAME_WIDTH: Final = 18
_UNLIMITED: Final = 10_000


@public
def board(
    session: Session,
    name: Annotated[Board | None, typer.Argument(help="which board; official if left out")] = None,
    scoring: Annotated[Scoring, typer.Option(help="which reading of the metrics")] = "compat",
    metric: Annotated[
        list[str] | None, typer.Option(help="only this metric's column; may be repeated")
    ] = None,
    track: Annotated[
        str | None, typer.Option(help="only entries of this track, ranked among themselves")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="as it was: a date, a time, or the number of a snapshot")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            help="only models of this fact, as open_weights=true or max_params=8e9; may be "
            "repeated",
        ),
    ] = None,
    rerank: Annotated[
        bool, typer.Option("--rerank", help="rank those that are shown among themselves, too")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="print CSV")] = False,
    withdrawn: Annotated[
        bool, typer.Option("--withdrawn", help="the entries that were taken off it instead")
    ] = False,
) -> int:
    """Show a board, in a table that fits the terminal."""
    on = name or "official"
    if withdrawn:
        if as_csv or metric or track or as_of or where or rerank:
            raise WrongUsage(
                "--withdrawn goes with --scoring and --json alone.", fix="Leave the others out."
            )
        left = list(session.client.withdrawn(on))
        return session.answer(left, lambda: _show_withdrawn(left, on, scoring))
    filters = read_filters(where or ())
    if as_csv:
        text = session.client.board_csv(
            on, scoring=scoring, track=track, as_of=as_of, filters=filters, rerank=rerank
        )
        write_text(text)
        return Exit.DONE
    found = session.client.board(
        on, scoring=scoring, track=track, as_of=as_of, filters=filters, rerank=rerank
    )
    console = Console(highlight=False, width=_width())

    def show() -> None:
        show_board(found, console, metric or ())
        if name is None:  # where newcomers look for their model
            session.say(
                "Submissions are ranked on the community board: medvid board community", style="dim"
            )

    return session.answer(found, show)


def read_filters(where: Sequence[str]) -> dict[str, str]:
    """Return the filters of NAME=VALUE texts; raises WrongUsage."""
    found: dict[str, str] = {}
    for text in where:
        name, equals, value = text.partition("=")
        if not equals or not value or name not in FILTERS:
            raise WrongUsage(
                f"{text!r} is no filter.", fix=f"Write NAME=VALUE; names are {', '.join(FILTERS)}."
            )
        found[name] = value
    return found


def show_board(found: Leaderboard, console: Console, metrics: Sequence[str]) -> None:
    """Print a board for people, in as many tables as the width asks for; nothing is cut."""
    at = f"{found.updated_at.astimezone():%Y-%m-%d %H:%M}" if found.updated_at else "never"
    console.print(
        Text(f"{found.board} board, {found.scoring} scoring, updated {at}", style="bold"),
        soft_wrap=True,
    )
    if not found.entries:
        console.print("No entry yet.")
        return
    for number, table in enumerate(_tables(found, console, metrics)):
        if number:
            console.print()
        console.print(table)
    if any(entry.rank is None for entry in found.entries):
        console.print(f"{NO_RANK} not ranked: no {found.scoring} scores", soft_wrap=True)


def _show_withdrawn(left: Sequence[Tombstone], board: str, scoring: Scoring) -> None:
    """Print what is kept of entries that left a board, the last one first."""
    if not left:
        print(f"No entry that had a rank was taken off the {board} board.")
        return
    table = plain_table("Left", "Model", "How", "Note")
    for heading in ("Best", "Last"):
        table.add_column(heading, justify="right")
    table.add_column("Id", style="dim")
    for each in left:
        ranks = next((had for had in each.ranks if had.scoring == scoring), None)
        name = each.model_name or "(name erased)"
        table.add_row(
            f"{each.at:%Y-%m-%d}" if each.at else NO_RANK,
            Text(f"{name} ({each.organization})" if each.organization else name),
            f"{each.state} by {each.by}" if each.by else each.state,
            Text(each.note or ""),
            place(ranks.best if ranks else None),
            place(ranks.last if ranks else None),
            str(each.entry_id),
        )
    print_table(table)
    print(f"Best and last rank in {scoring} scoring. 'medvid entry ID' names what came instead.")


def _width() -> int | None:
    """Return how wide tables may be; a pipe gets them whole, unless COLUMNS says how it is."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else _UNLIMITED


@dataclass(frozen=True, slots=True)
class _Shown:
    """A column: its heading, and what it has of an entry."""

    heading: str
    cell: Callable[[LeaderboardEntry], Text]


_SUBMITTED: Final = _Shown("Submitted", lambda entry: Text(f"{entry.submitted_on}", style="dim"))


def _tables(found: Leaderboard, console: Console, metrics: Sequence[str]) -> list[Table]:
    """Return a board as one table, with as much beside the values as fits; else as several."""
    columns = [_metric(column) for column in found.columns if column.key in metrics or not metrics]
    dated = columns
    if not metrics:
        columns = [_Shown("Mean\nrank", _mean_rank), *columns]
        dated = [*columns, _SUBMITTED]
    for name, tried in ((_full_name, dated), (_short_name, dated), (_short_name, columns)):
        runs = _fitting(found.entries, tried, name, console)
        if len(runs) == 1:
            break
    return [_table(found.entries, run, name, console.width) for run in runs]


def _fitting(
    entries: Sequence[LeaderboardEntry],
    columns: Sequence[_Shown],
    name: Callable[[LeaderboardEntry], str],
    console: Console,
) -> list[list[_Shown]]:
    """Cut the columns into runs whose tables fit the width; each has one column at least."""
    wide = console.options.update(max_width=_UNLIMITED)
    runs: list[list[_Shown]] = [[]]
    for column in columns:
        tried = [*runs[-1], column]
        table = _table(entries, tried, name, console.width)
        if runs[-1] and Measurement.get(console, wide, table).maximum > console.width:
            runs.append([column])
        else:
            runs[-1] = tried
    return runs


def _table(
    entries: Sequence[LeaderboardEntry],
    columns: Sequence[_Shown],
    name: Callable[[LeaderboardEntry], str],
    width: int,
) -> Table:
    table = plain_table()
    table.add_column("#", justify="right")
    is_view = any(entry.view_rank for entry in entries)
    if is_view:
        table.add_column("Board", justify="right", style="dim")
    has_statistics = any(entry.statistics for entry in entries)
    if has_statistics:
        table.add_column("95 %", justify="right", style="dim", no_wrap=True)
    table.add_column("Model", overflow="fold")
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    widest = max(_NAME_WIDTH, width * 2 // 5)
    for entry in entries:
        firmness = [_rank_interval(entry)] if has_statistics else []
        places = [entry.view_rank, entry.rank] if is_view else [entry.rank]
        named = Text(fill(name(entry), widest))
        cells = (column.cell(entry) for column in columns)
        table.add_row(*map(place, places), *firmness, named, *cells)
    return table


def _rank_interval(entry: LeaderboardEntry) -> str:
    found = entry.statistics
    return "" if found is None else f"{found.rank_low}-{found.rank_high}"


def _short_name(entry: LeaderboardEntry) -> str:
    return " ".join([entry.model_name, *(f"[{badge}]" for badge in entry.badges)])


def _full_name(entry: LeaderboardEntry) -> str:
    name = f"{entry.model_name} ({entry.organization})" if entry.organization else entry.model_name
    return " ".join([name, *(f"[{badge}]" for badge in entry.badges)])


def _mean_rank(entry: LeaderboardEntry) -> Text:
    mean = entry.mean_rank if entry.view_mean_rank is None else entry.view_mean_rank
    return Text(NO_RANK if mean is None else f"{mean:.2f}")


def _metric(column: Column) -> _Shown:
    """Return a metric's column; its heading has two lines, as on the page."""
    return _Shown(column.label.replace("_", "\n", 1), lambda entry: _value(entry, column.key))


def _value(entry: LeaderboardEntry, key: str) -> Text:
    value = entry.values.get(key)
    if value is None:
        return Text("-" if key in entry.withheld else "n/a", style="dim")
    return Text(f"{value:.3f}", style=_PLACE_STYLES.get(entry.ranks.get(key, 0), ""))
