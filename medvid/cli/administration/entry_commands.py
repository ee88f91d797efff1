"""Entries and whole boards: the commands. Bodies are imported when called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from medvid.cli.administration.parameters import Entry, Form, Key, OnBoard, Sure, Text, Why, options
from medvid.cli.offline import Json
from medvid.cli.parameters import Board, Ranking, Url


def entries(
    board: OnBoard = None,
    removed: Annotated[bool, typer.Option("--removed", help="removed ones too")] = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """List entries with their ids and what is not public."""
    from medvid.cli.administration.entries import entries as body

    raise typer.Exit(body(options(url, key, as_json), board, removed=removed))


def promote(
    entry: Entry,
    verified_on: Annotated[str | None, typer.Option(help="YYYY-MM-DD; today when left out")] = None,
    note: Annotated[str | None, typer.Option(help="how it was verified")] = None,
    board: OnBoard = None,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Verify an entry: it moves from the community board to the official one."""
    from medvid.cli.administration.entries import act

    raise typer.Exit(act(options(url, key, as_json), "promote", entry, board, why, sure=sure,
                         verified_on=verified_on, note=note))  # fmt: skip


def demote(
    entry: Entry,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Bring an official entry back to the community board."""
    from medvid.cli.administration.entries import act

    raise typer.Exit(
        act(options(url, key, as_json), "demote", entry, Board.OFFICIAL, why, sure=sure)
    )


def add(
    file: Annotated[Path, typer.Argument(help="JSON: model_name, organization, date, metric keys")],
    board: Annotated[Board, typer.Option(help="where to")] = Board.OFFICIAL,
    why: Why = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Add an entry with given scores, from a file with one row."""
    from medvid.cli.administration.entries import add as body

    raise typer.Exit(body(options(url, key, as_json), board, file, why))


def remove(
    entry: Entry,
    board: OnBoard = None,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Take an entry off its board; its name is free, its row and scores stay."""
    from medvid.cli.administration.entries import act

    raise typer.Exit(act(options(url, key, as_json), "remove", entry, board, why, sure=sure))


def restore_entry(
    entry: Annotated[str, typer.Argument(help="id of the entry ('entries --removed')")],
    why: Why = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Bring a removed entry back, if its name is still free."""
    from medvid.cli.administration.entries import act

    raise typer.Exit(act(options(url, key, as_json), "restore", entry, None, why, sure=True))


def withdraw(
    entry: Entry,
    board: OnBoard = None,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Withdraw the submission of an entry, as its owner could; for good."""
    from medvid.cli.administration.entries import withdraw as body

    raise typer.Exit(body(options(url, key, as_json), entry, board, why, sure=sure))


def rename(
    entry: Entry,
    model_name: Annotated[str, typer.Argument(help="the new name")],
    board: OnBoard = None,
    why: Why = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Give an entry another name."""
    from medvid.cli.administration.entries import act

    raise typer.Exit(act(options(url, key, as_json), "rename", entry, board, why, sure=True,
                         model_name=model_name))  # fmt: skip


def edit(
    entry: Entry,
    organization: Text = None,
    team: Text = None,
    authors: Text = None,
    model_url: Text = None,
    track: Text = None,
    contact: Text = None,
    board: OnBoard = None,
    why: Why = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Change an entry's metadata; what is left out stays."""
    from medvid.cli.administration.entries import act

    raise typer.Exit(act(options(url, key, as_json), "edit", entry, board, why, sure=True,
                         organization=organization, team=team, authors=authors,
                         model_url=model_url, track=track, contact=contact))  # fmt: skip


def import_boards(
    file: Annotated[Path, typer.Argument(help="an export, .json or .csv")],
    update: Annotated[
        bool, typer.Option("--update", help="names that are there become as in the file")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only tell what would change")] = False,
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Import boards: all rows or none, after showing what would change."""
    from medvid.cli.administration.entries import load

    raise typer.Exit(load(options(url, key, as_json), file, why, update=update, dry_run=dry_run,
                          sure=sure))  # fmt: skip


def export(
    board: OnBoard = None,
    form: Annotated[Form, typer.Option("--format")] = Form.JSON,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="a file")] = None,
    url: Url = None,
    key: Key = None,
) -> None:
    """Write boards so that importing them again changes nothing."""
    from medvid.cli.administration.entries import export as body

    raise typer.Exit(body(options(url, key, as_json=False), board, form, output))


def ranking(
    board: Annotated[Board, typer.Argument(help="the board")],
    rule: Annotated[
        Ranking,
        typer.Argument(help="what follows equal values: 1, 2, 2, 4 (competition) or 1, 2, 2, 3"),
    ],
    why: Why = None,
    sure: Sure = False,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Choose how a board ranks; it is ranked anew."""
    from medvid.cli.administration.entries import ranking as body

    raise typer.Exit(body(options(url, key, as_json), board, rule, why, sure=sure))


COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "entries": entries, "promote": promote, "demote": demote, "add": add, "remove": remove,
    "restore-entry": restore_entry, "withdraw": withdraw, "rename": rename, "edit": edit,
    "import": import_boards, "export": export, "ranking": ranking,
}  # fmt: skip
