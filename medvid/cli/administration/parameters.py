"""What the administrator's commands have in common on the command line."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from medvid.cli.parameters import Board

if TYPE_CHECKING:
    from medvid.cli.session import Options

Key = Annotated[
    str | None,
    typer.Option("--key", help="administrator's key (or MEDVID_ADMIN_KEY, or your API key)"),
]
Why = Annotated[
    str | None,
    typer.Option("--why", "-w", help="a reason, for the audit log; asked for when left out"),
]
Sure = Annotated[bool, typer.Option("--yes", "-y", help="do not ask")]
Entry = Annotated[str, typer.Argument(help="id of the entry, or name of the model")]
OnBoard = Annotated[
    Board | None,
    typer.Option("--board", help="where both boards have the name"),
]
Job = Annotated[
    str | None,
    typer.Argument(help="id of the re-score job; the newest when left out"),
]
Text = Annotated[str | None, typer.Option(help="'' empties it")]
Number = Annotated[int | None, typer.Option(min=0)]
Ids = Annotated[list[int] | None, typer.Argument(help="numbers of dead letters")]
Every = Annotated[bool, typer.Option("--all", help="all open ones (that match)")]
Queue = Annotated[str | None, typer.Option(help="with --all: of this queue")]
Code = Annotated[str | None, typer.Option("--reason", help="with --all: with this reason's code")]


class Form(StrEnum):
    """How boards are written."""

    JSON = "json"
    CSV = "csv"


class LetterState(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class Scope(StrEnum):
    """What a key may be used for."""

    SUBMIT = "submit"
    JUDGE = "judge"
    ADMIN = "admin"


def options(url: str | None, key: str | None, as_json: bool) -> Options:
    """Return what every command says about the server, the key and the form of its answer."""
    from medvid.cli.administration.session import options as with_usual_key

    return with_usual_key(url, key, as_json=as_json)
