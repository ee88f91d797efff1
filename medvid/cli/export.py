"""`medvid export`: results as files for papers, notebooks and other sites."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, get_args

import typer

from medvid.benchmark.tasks import Board, Scoring
from medvid.cli.entry import entry_id
from medvid.cli.failures import WrongUsage
from medvid.cli.files import write_text
from medvid.cli.parquet import write_parquet
from medvid.cli.printing import Exit
from medvid.cli.session import Session, on_server

_OfBoards = Literal["csv", "jsonl", "markdown", "latex", "bibtex", "cff"]
_OfEntries = Literal["bibtex", "eval-results", "model-index", "every-eval-ever"]
_Form = Literal[
    "csv", "jsonl", "markdown", "latex", "bibtex", "cff", "eval-results", "model-index",
    "every-eval-ever",
]  # fmt: skip
_OF_BOARDS: Final = get_args(_OfBoards)
_OF_ENTRIES: Final = get_args(_OfEntries)


@on_server("url")
def export(
    session: Session,
    board: Annotated[Board, typer.Argument(help="which board")] = "official",
    form: Annotated[
        _Form | None,
        typer.Option(
            "--format",
            help="of a board csv (as without it), jsonl, markdown, latex, bibtex or cff; of an "
            "entry bibtex (as without it), eval-results, model-index or every-eval-ever",
        ),
    ] = None,
    entry: Annotated[
        str | None, typer.Option(help="only this model, by its name or the entry's id")
    ] = None,
    parquet: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="write the board as Parquet to this file"),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="the ranks that entries had, as JSON Lines")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="all public results of both boards, as JSON Lines")
    ] = False,
    scoring: Annotated[Scoring, typer.Option(help="which reading of the metrics")] = "compat",
    track: Annotated[str | None, typer.Option(help="only entries of this track")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="as it was: a date, a time, or the number of a snapshot")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", dir_okay=False, help="a file; else printed")
    ] = None,
) -> int:
    """Export results: a board, an entry, the history of ranks, or all that are public.

    Parquet needs medvid's extra 'parquet' and has the columns of the CSV. Tables for papers have
    95 % intervals and their date.
    """
    _check(entry, parquet, history, everything, form)
    if parquet is not None and output is not None:
        raise WrongUsage("--parquet names its file.", fix="Leave --output out.")
    if (entry is not None or history or everything) and (scoring != "compat" or track or as_of):
        raise WrongUsage(
            "--scoring, --track and --as-of are of a board.",
            fix="Leave them out.",
        )
    if parquet is not None:
        table = session.client.board_file(board, scoring=scoring, track=track, as_of=as_of)
        rows = write_parquet(
            table, parquet, {"board": board, "scoring": scoring, "from": session.url}
        )
        session.say(f"{rows} entries written to {parquet}.")
        return Exit.DONE
    if entry is not None:
        found = entry_id(session, board, entry)
        text = session.client.entry_file(board, found, form or "bibtex")
    elif history:
        lines = (f"{each.model_dump_json()}\n" for each in session.client.history(board))
        text = "".join(lines)
    elif everything:
        text = session.client.results().decode()
    else:
        text = session.client.board_file(
            board, form or "csv", scoring=scoring, track=track, as_of=as_of
        )
    write_text(text, output)
    if output is not None:
        session.say(f"Written to {output}.")
    return Exit.DONE


def _check(
    entry: str | None, parquet: Path | None, history: bool, everything: bool, form: _Form | None
) -> None:
    """Raise WrongUsage for what does not go together."""
    named = [entry is not None, parquet is not None, history, everything]
    if sum(named) > 1:
        raise WrongUsage(
            "--entry, --parquet, --history and --all each name what is exported.",
            fix="Give one of them.",
        )
    if form is None:
        return
    if any(named[1:]):
        raise WrongUsage("--format is of a board or an entry.", fix="Leave it out.")
    known = _OF_ENTRIES if entry is not None else _OF_BOARDS
    if form not in known:
        raise WrongUsage(
            f"--format {form} is not of {'an entry' if entry is not None else 'a board'}.",
            fix=f"It is one of {', '.join(known)}.",
        )
