"""`medvid entry`: one entry of a board with its sources, coverage and history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.text import Text

from medvid.api import NotFound
from medvid.benchmark.names import name_key
from medvid.benchmark.tasks import BOARDS, JUDGE_METRIC_KEYS, Board
from medvid.cli.facts import change_text
from medvid.cli.failures import CommandFailed
from medvid.cli.printing import label, plain_table, print_table, spread
from medvid.cli.session import Session, public
from medvid.models.entries import EntryDetails, EntryScore, SourceScore
from medvid.models.fact_texts import shown_facts


@public
def entry(
    session: Session,
    name: Annotated[str, typer.Argument(help="the model's name, or the entry's id")],
    on: Annotated[
        Board | None, typer.Option("--board", help="which board; official first if left out")
    ] = None,
) -> int:
    """Show an entry: every metric by source, coverage, and where it stood when."""
    found = _asked(session, on, name)
    return session.answer(found, lambda: _show(found, Console(highlight=False)))


def _asked(session: Session, on: Board | None, name: str) -> EntryDetails:
    boards = [on] if on else list(BOARDS)
    try:
        wanted = str(UUID(name))
    except ValueError:
        board, wanted = _named(session, boards, name)
        boards = [board]
    return _found(session, boards, wanted)


def named_entry(session: Session, on: Board | None, name: str) -> tuple[str, str]:
    """Return board and id of the entry that is meant; raises CommandFailed, NotFound."""
    found = _asked(session, on, name)
    return found.board, str(found.id)


def entry_id(session: Session, board: Board, text: str) -> str:
    """Return the id that a text is, or that of the model it names; raises CommandFailed."""
    return _id(session, [board], text)


def check_known(session: Session, text: str) -> None:
    """Raise CommandFailed where a text is no id and no board has a model of this name."""
    _id(session, list(BOARDS), text)


def _id(session: Session, boards: Sequence[Board], text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return _named(session, boards, text)[1]


def _named(session: Session, boards: Sequence[Board], named: str) -> tuple[Board, str]:
    """Return the board and id of the entry whose model is meant; raises CommandFailed."""
    wanted = name_key(named)
    near: list[str] = []
    for board in boards:
        entries = session.client.board(board).entries
        for each in sorted(entries, key=lambda each: each.model_name != named):
            if name_key(each.model_name) == wanted:
                return board, str(each.entry_id)
        near += [each.model_name for each in entries if wanted in name_key(each.model_name)]
    hint = f"Do you mean {', '.join(near[:5])}?" if near else f"See 'medvid board {boards[-1]}'."
    where = f"the {boards[0]} board has" if len(boards) == 1 else "the boards have"
    raise CommandFailed(f"{where} no model {named!r}.", fix=hint)


def _found(session: Session, boards: Sequence[Board], entry_id: str) -> EntryDetails:
    """Return the entry of the first board that has it; raises NotFound.

    Where it left one, the error is that board's, which says what is kept.
    """
    gone: NotFound | None = None
    for board in boards:
        try:
            return session.client.entry(board, entry_id)
        except NotFound as error:
            gone = error if gone is None or error.entry else gone
    assert gone is not None  # noqa: S101 - a board at least was asked
    raise gone


def _show(found: EntryDetails, console: Console) -> None:
    """Print an entry for people."""
    console.print(Text(f"{found.model_name} ({found.organization})", style="bold"))
    for place in found.places:
        rank = (
            f"not ranked, no {place.scoring} scores"
            if place.rank is None
            else f"number {place.rank} of {place.of} on the {found.board} board"
        )
        console.print(f"{place.scoring}: {rank}")
    for fact, text in shown_facts(found.facts):
        console.print(Text(f"{fact}: {text}"))
    table = plain_table()
    table.add_column("Metric")
    table.add_column("Compat", justify="right")
    table.add_column("95 %", style="dim")
    table.add_column("Strict", justify="right")
    table.add_column("Answered", justify="right")
    for score in found.scores:
        of = " pairs" if score.metric in JUDGE_METRIC_KEYS else ""
        answered = _share(score.answered, score.expected, of)
        table.add_row(label(score.metric), *_numbers(score), answered)
        for source, part in score.by_source.items():
            answered = _share(part.answered, part.expected, of)
            table.add_row(Text(f"  {source}", style="dim"), *_numbers(part), answered)
    print_table(table, console)
    if _withheld(found):
        console.print(Text("-: too few answers for a value to be shown", style="dim"))
    for span in found.history:
        until = f"{span.until:%Y-%m-%d}" if span.until else "now"
        console.print(
            Text(
                f"{span.since:%Y-%m-%d} to {until}: number {span.rank} ({span.scoring})",
                style="dim",
            )
        )
    for change in found.fact_changes:
        console.print(Text(f"facts changed {change_text(change)}", style="dim"))
    for note in found.notes:
        replies = {"answer of the owner": note.answer, "resolution": note.resolution}
        said = [f"; {who}: {each.text}" for who, each in replies.items() if each and each.text]
        state = "" if note.state == "published" else f", {note.state}"
        console.print(Text(f"{note.kind}{state}: {note.text or 'not shown'}{''.join(said)}"))


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"


def _numbers(score: EntryScore | SourceScore) -> tuple[str, str, str]:
    """Return the compat value, its interval, and the strict value as the table shows them."""
    if score.withheld:
        return "-", "", "-"
    return _number(score.compat), spread(score.intervals.get("compat")), _number(score.strict)


def _share(answered: int | None, expected: int | None, of: str) -> str:
    """Return how much was answered: of samples, or of pairs of captions where `of` says so."""
    if answered is None or expected is None:
        return "n/a"
    return f"{answered:,} / {expected:,}{of}"


def _withheld(found: EntryDetails) -> bool:
    return any(
        score.withheld or any(part.withheld for part in score.by_source.values())
        for score in found.scores
    )
