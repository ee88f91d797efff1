"""`medvid admin notes`: objections, notes on entries and boards, errata of snapshots."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from medvid.benchmark.tasks import Board
from medvid.cli.administration.session import Why, done, entry_id, reason
from medvid.cli.failures import WrongUsage
from medvid.cli.objection import note_line, words
from medvid.cli.parameters import Sure
from medvid.cli.printing import plain_table
from medvid.cli.session import Session, as_administrator, consent
from medvid.models.notes import NoteAction, NoteKind, NoteState

NoteId = Annotated[str, typer.Argument(help="its id, as 'notes list' names it")]
Words = Annotated[str, typer.Argument(help="public plain text; - reads it from stdin")]


@as_administrator
def list_notes(
    session: Session,
    kind: Annotated[NoteKind | None, typer.Option(help="of one kind")] = None,
    state: Annotated[NoteState | None, typer.Option(help="in one state; open: to decide")] = None,
) -> int:
    """List objections, notes and errata, those too that are not public."""
    found = list(session.client.admin.notes(kind=kind, state=state))
    table = plain_table("Id", "State", "On", "By", "Text")
    for each in found:
        on = each.model_name or each.board or "an erased entry"
        table.add_row(
            str(each.id), each.state, Text(on), each.account or "administrators",
            Text(note_line(each)),
        )  # fmt: skip
    return session.answer(found, table)


@as_administrator
def add(
    session: Session,
    text: Words,
    board: Annotated[Board | None, typer.Option("--board", help="on this board")] = None,
    entry: Annotated[
        str | None, typer.Option("--entry", help="on this entry: its id, or the model's name")
    ] = None,
    why: Why = None,
) -> int:
    """Write a public note on a board, or on an entry."""
    if entry is None and board is None:
        raise WrongUsage("nothing is named.", fix="Use --board BOARD, or --entry ENTRY.")
    given = words(text)
    found = entry_id(session, entry, board) if entry else None
    made = session.client.admin.add_note(
        given, why=reason(session, why), board=None if entry else board, entry=found
    )
    return _shown(session, made)


@as_administrator
def correct(
    session: Session,
    snapshot: Annotated[int, typer.Argument(help="number of the faulty snapshot")],
    corrected_by: Annotated[int, typer.Argument(help="number of the one to use instead")],
    text: Words,
    why: Why = None,
) -> int:
    """State that a snapshot is corrected by a later one; both name each other from then on."""
    given = words(text)
    made = session.client.admin.add_erratum(snapshot, corrected_by, given, why=reason(session, why))
    return _shown(session, made)


@as_administrator
def publish(session: Session, note: NoteId, why: Why = None, sure: Sure = False) -> int:
    """Publish an objection; the entry's owner is notified, and may answer once."""
    consent(session, f"Publish objection {note}?", sure=sure)
    return _shown(session, session.client.admin.publish_note(note, why=reason(session, why)))


@as_administrator
def refuse(session: Session, note: NoteId, why: Why = None) -> int:
    """Leave an objection unpublished."""
    return _shown(session, session.client.admin.refuse_note(note, why=reason(session, why)))


@as_administrator
def resolve(session: Session, note: NoteId, resolution: Words, why: Why = None) -> int:
    """Say in public what came of an objection or a note."""
    given = words(resolution)
    change = session.client.admin.resolve_note(note, given, why=reason(session, why))
    return _shown(session, change)


@as_administrator
def withdraw(session: Session, note: NoteId, why: Why = None, sure: Sure = False) -> int:
    """Take back an objection, a note or an erratum; that there was one stays public."""
    consent(session, f"Withdraw {note}?", sure=sure)
    return _shown(session, session.client.admin.withdraw_note(note, why=reason(session, why)))


def _shown(session: Session, change: NoteAction) -> int:
    text = f"{change.note.kind} {change.note.id}: {change.note.state}."
    return session.answer(change, done(text, changed=change.changed))
