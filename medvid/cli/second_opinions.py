"""`medvid second-opinions`: how firm a board's order is, and where other rules place entries."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from medvid.benchmark.tasks import Board, Scoring
from medvid.cli.printing import NO_RANK, place, plain_table
from medvid.cli.session import Session, public
from medvid.models.second_opinions import SecondOpinions


@public
def second_opinions(
    session: Session,
    board: Annotated[Board, typer.Argument(help="which board")] = "official",
    scoring: Annotated[Scoring, typer.Option(help="which reading of the metrics")] = "compat",
    as_of: Annotated[
        str | None, typer.Option(help="as it was: a date, a time, or the number of a snapshot")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="your own, such as cvs_acc:2,dvc_llm:0; metrics left out weigh 1"),
    ] = None,
) -> int:
    """Show how firm a board's order is, and where other rules place its entries.

    Ranges are the places over 1,000 draws of videos (95 %), with any one other entry left out, and
    with any one metric left out. Then the places by pairwise majority, by the mean over sources,
    and by your weights, which are never the board's rank.
    """
    found = session.client.second_opinions(board, scoring=scoring, as_of=as_of, weights=weights)
    return session.answer(found, _table(found))


def _table(found: SecondOpinions) -> Table:
    table = plain_table()
    weighted = ["Weighted"] if found.weights else []
    table.add_column("Rank", justify="right")
    table.add_column("95 %", style="dim")
    table.add_column("Model", overflow="fold")
    for heading in ("Entry out", "Metric out", "Majority", "Sources", *weighted):
        table.add_column(heading, justify="right")
    for each in found.entries:
        firm = each.statistics
        table.add_row(
            str(each.rank),
            "" if firm is None else _range((firm.rank_low, firm.rank_high)),
            Text(each.model_name),
            _range(each.one_entry_out),
            _range(each.one_metric_out),
            str(each.majority_place),
            NO_RANK if each.fair_place is None else str(each.fair_place),
            *([place(each.weighted_place)] if weighted else []),
        )
    return table


def _range(ends: tuple[int, int]) -> str:
    low, high = ends
    return str(low) if low == high else f"{low}-{high}"
