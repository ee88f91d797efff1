"""`medvid admin` about single entries: list, verify, add, remove, rename, edit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from medvid.benchmark.tasks import Board
from medvid.cli.administration.boards import read_json
from medvid.cli.administration.session import (
    Entry,
    OnBoard,
    Why,
    done,
    entry_id,
    reason,
)
from medvid.cli.facts import read_facts, show_facts
from medvid.cli.failures import CommandFailed, WrongUsage
from medvid.cli.parameters import FactsFile, Sure
from medvid.cli.printing import plain_table
from medvid.cli.session import Session, as_administrator, consent
from medvid.models.administration import EntryAction, ManagedEntryView

Emptied = Annotated[str | None, typer.Option(help="'' empties it")]


@as_administrator
def entries(
    session: Session,
    board: OnBoard = None,
    removed: Annotated[bool, typer.Option("--removed", help="removed ones too")] = False,
) -> int:
    """List entries with their ids and what is not public."""
    found = list(session.client.admin.entries(board=board, removed=removed))
    table = plain_table("Id", "Board", "Model", "Organization", "State")
    for each in found:
        table.add_row(
            str(each.id), each.board, Text(each.model_name), Text(each.organization), _state(each)
        )
    return session.answer(found, table)


@as_administrator
def promote(
    session: Session,
    entry: Entry,
    verified_on: Annotated[str | None, typer.Option(help="YYYY-MM-DD; today when left out")] = None,
    note: Annotated[str | None, typer.Option(help="how it was verified")] = None,
    board: OnBoard = None,
    why: Why = None,
    sure: Sure = False,
) -> int:
    """Verify an entry: it moves from the community board to the official one."""
    found = entry_id(session, entry, board)
    consent(session, f"Make {entry!r} official?", sure=sure)
    given = reason(session, why)
    return _shown(
        session,
        session.client.admin.promote(found, why=given, verified_on=verified_on, note=note),
    )


@as_administrator
def demote(session: Session, entry: Entry, why: Why = None, sure: Sure = False) -> int:
    """Bring an official entry back to the community board."""
    found = entry_id(session, entry, "official")
    consent(session, f"Take {entry!r} off the official board?", sure=sure)
    return _shown(session, session.client.admin.demote(found, why=reason(session, why)))


@as_administrator
def add(
    session: Session,
    file: Annotated[Path, typer.Argument(help="JSON: model_name, organization, date, metric keys")],
    board: Annotated[Board, typer.Option(help="where to")] = "official",
    why: Why = None,
) -> int:
    """Add an entry with given scores, from a file with one row."""
    row = read_json(file)
    if isinstance(row, list) and len(row) == 1:
        row = row[0]
    made = session.client.admin.add_entry(board, row, why=reason(session, why))
    return session.answer(made, f"{made.model_name} on the {made.board} board: {made.kind}.")


@as_administrator
def remove(
    session: Session, entry: Entry, board: OnBoard = None, why: Why = None, sure: Sure = False
) -> int:
    """Take an entry off its board; its name is free, its row and scores stay."""
    found = entry_id(session, entry, board)
    consent(session, f"Take {entry!r} off its board?", sure=sure)
    return _shown(session, session.client.admin.remove(found, why=reason(session, why)))


@as_administrator
def erase_entry(
    session: Session,
    entry: Annotated[str, typer.Argument(help="id of the entry ('entries --removed')")],
    why: Why = None,
    sure: Sure = False,
) -> int:
    """Erase the names of an entry that left its board; its tombstone stays without them."""
    found = entry_id(session, entry)
    consent(session, f"Erase the names of {entry!r} for good?", sure=sure)
    return _shown(session, session.client.admin.erase(found, why=reason(session, why)))


@as_administrator
def restore_entry(
    session: Session,
    entry: Annotated[str, typer.Argument(help="id of the entry ('entries --removed')")],
    why: Why = None,
) -> int:
    """Bring a removed entry back, if its name is still free."""
    found = entry_id(session, entry)
    return _shown(session, session.client.admin.restore(found, why=reason(session, why)))


@as_administrator
def withdraw(
    session: Session, entry: Entry, board: OnBoard = None, why: Why = None, sure: Sure = False
) -> int:
    """Withdraw the submission of an entry, as its owner could; for good."""
    admin = session.client.admin
    found = admin.entry(entry_id(session, entry, board))
    if found.submission_id is None:
        raise CommandFailed(f"{entry!r} was added by hand.", fix="Use 'medvid admin remove'.")
    question = f"Withdraw the submission of {entry!r}? It leaves its board for good."
    consent(session, question, sure=sure)
    session.client.withdraw(found.submission_id, note=reason(session, why))
    change = EntryAction(entry=admin.entry(found.id), changed=True)
    return session.answer(change, f"Withdrawn: {entry}.")


@as_administrator
def rename(
    session: Session,
    entry: Entry,
    model_name: Annotated[str, typer.Argument(help="the new name")],
    board: OnBoard = None,
    why: Why = None,
) -> int:
    """Give an entry another name."""
    found = entry_id(session, entry, board)
    given = reason(session, why)
    return _shown(session, session.client.admin.rename(found, model_name, why=given))


@as_administrator
def edit(
    session: Session,
    entry: Entry,
    organization: Emptied = None,
    team: Emptied = None,
    authors: Emptied = None,
    model_url: Emptied = None,
    track: Emptied = None,
    contact: Emptied = None,
    board: OnBoard = None,
    why: Why = None,
) -> int:
    """Change an entry's metadata; what is left out stays."""
    found = entry_id(session, entry, board)
    fields = {"organization": organization, "team": team, "authors": authors,
              "model_url": model_url, "track": track, "contact": contact}  # fmt: skip
    given = {name: value for name, value in fields.items() if value is not None}
    change = session.client.admin.edit(found, why=reason(session, why), **given)
    return _shown(session, change)


@as_administrator
def facts(
    session: Session,
    entry: Entry,
    stated: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE; NAME= makes it unknown; may be repeated"),
    ] = None,
    release: Annotated[
        list[str] | None,
        typer.Option("--release", help="NAME: its owner may change it again; may be repeated"),
    ] = None,
    file: FactsFile = None,
    board: OnBoard = None,
    why: Why = None,
) -> int:
    """Change facts of an entry's model: size, licence, training data; what is not named stays.

    What you change is held: the model's owner cannot change it until you release it.
    """
    given = read_facts(file, stated or ())
    if not given and not release:
        fix = "Use --set NAME=VALUE, --facts FILE or --release NAME."
        raise WrongUsage("no fact is given.", fix=fix)
    found = entry_id(session, entry, board)
    freed = release or ()
    change = session.client.admin.set_facts(found, given, why=reason(session, why), release=freed)
    return session.answer(change, lambda: show_facts(change.entry.facts))


def _shown(session: Session, change: EntryAction) -> int:
    entry = change.entry
    now = f"{entry.model_name} ({entry.id}): {entry.board} board, {_state(entry)}."
    return session.answer(change, done(now, changed=change.changed))


def _state(entry: ManagedEntryView) -> str:
    if entry.removed_at is not None:
        return f"removed {entry.removed_at:%Y-%m-%d}"
    if entry.verified_on is not None:
        return f"verified {entry.verified_on}"
    return "listed" if entry.listed else "no scores yet"
