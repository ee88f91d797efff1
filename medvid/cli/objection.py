"""`medvid objection`: what you hold against an entry, and what you answer as an entry's owner."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from medvid.benchmark.tasks import Board
from medvid.cli.entry import named_entry
from medvid.cli.failures import WrongUsage
from medvid.cli.session import Session, public, with_key, with_token
from medvid.models.notes import LONGEST_NOTE, Objection, PublicNote

ObjectionId = Annotated[str, typer.Argument(help="its id, as 'objection list' names it")]
Words = Annotated[str, typer.Argument(help="what you say, as plain text; - reads it from stdin")]


@with_key
def file_objection(
    session: Session,
    entry: Annotated[str, typer.Argument(help="the model's name, or the entry's id")],
    text: Words,
    name: Annotated[
        str | None, typer.Option(help="yours, shown with it; left out, nobody sees who objects")
    ] = None,
    board: Annotated[
        Board | None, typer.Option("--board", help="which board; official first if left out")
    ] = None,
) -> int:
    """Object to an entry, with your key; administrators look at it before anybody else sees it."""
    on, found = named_entry(session, board, entry)
    made = session.client.object_to(on, found, words(text), name=name)
    return session.answer(made, f"Objection {made.id}: {made.state}.")


@with_key
def list_objections(session: Session) -> int:
    """List the objections that were filed with your key."""
    found = session.client.objections()
    lines = [f"{each.id}  {each.state}  {each.model_name}" for each in found.objections]
    return session.answer_lines(found, lines, "You have filed none.")


@with_key
def show(session: Session, objection: ObjectionId) -> int:
    """Show an objection of yours, or one that is published."""
    found = session.client.objection(objection)
    return session.answer(found, lambda: _show(found))


@with_key
def withdraw(session: Session, objection: ObjectionId) -> int:
    """Take an objection of yours back."""
    found = session.client.withdraw_objection(objection)
    return session.answer(found, f"Objection {found.id}: {found.state}.")


@with_token
def answer(
    session: Session,
    objection: Annotated[str, typer.Argument(help="its id, as the entry's page names it")],
    text: Words,
    submission: Annotated[
        str | None,
        typer.Option("--of", help="your submission, where it was sent without a key from here"),
    ] = None,
) -> int:
    """Answer a published objection to your entry, once."""
    token = session.token if submission is None else session.named(submission)[1]
    found = session.client.answer_objection(objection, words(text), token=token)
    return session.answer(found, "Your answer is public.")


@public
def changes(
    session: Session,
    board: Annotated[Board | None, typer.Option("--board", help="of one board")] = None,
) -> int:
    """Show what changed on the boards apart from entries: rules, metrics, judges; errata."""
    found = session.client.changes(board)
    dated = [(change.at, change.text) for change in found.changes]
    dated += [(note.changed_at, note_line(note)) for note in found.notes]
    lines = [f"{at:%Y-%m-%d}  {text}" for at, text in sorted(dated, reverse=True)]
    return session.answer_lines(found, lines, "Nothing has changed yet.")


def words(text: str) -> str:
    """Return what is to be said; raises WrongUsage where there is nothing, or too much."""
    if text == "-":
        text = sys.stdin.read(LONGEST_NOTE + 2)
    if not text.strip() or len(text.strip()) > LONGEST_NOTE:
        raise WrongUsage(
            f"the text has {len(text.strip()):,} characters.", fix=f"Use 1 to {LONGEST_NOTE:,}."
        )
    return text


def note_line(note: PublicNote) -> str:
    """Return a note in one line."""
    what = note.kind if note.state == "published" else f"{note.kind}, {note.state}"
    if note.corrects and note.corrected_by:
        what += f", snapshot {note.corrects.number} -> {note.corrected_by.number}"
    return f"{what}: {' '.join((note.text or '').split())}".removesuffix(": ")


def show_note(note: PublicNote) -> None:
    """Print a note with its answer and resolution."""
    print(note_line(note))
    for who, reply in (("answer of the owner", note.answer), ("resolution", note.resolution)):
        if reply is not None:
            print(f"  {who}, {reply.at:%Y-%m-%d}: {reply.text or 'not shown'}")


def _show(found: Objection) -> None:
    print(f"To {found.model_name or 'an erased entry'} ({found.entry_id})")
    show_note(found)
