"""What the administrator's commands share: the entry that is meant, reasons, options."""

from __future__ import annotations

import sys
from typing import Annotated
from uuid import UUID

import typer
from rich.prompt import Prompt

from medvid.benchmark.tasks import Board
from medvid.cli.failures import CommandFailed
from medvid.cli.session import Session

Why = Annotated[
    str | None,
    typer.Option("--why", "-w", help="a reason, for the audit log; asked for when left out"),
]
Entry = Annotated[str, typer.Argument(help="id of the entry, or name of the model")]
OnBoard = Annotated[Board | None, typer.Option("--board", help="where both boards have the name")]


def entry_id(session: Session, named: str, board: Board | None = None) -> str:
    """Return the id of the entry that is meant: by its id, or by its model's name."""
    try:
        return str(UUID(named))
    except ValueError:
        pass
    found = list(session.client.admin.entries(model_name=named, board=board))
    if not found:
        raise CommandFailed(
            f"no board has a model named {named!r}.", fix="'medvid admin entries' lists them."
        )
    if len(found) > 1:
        boards = " and ".join(each.board for each in found)
        raise CommandFailed(
            f"{named!r} is on {boards}.", fix="Say which with --board, or give its id."
        )
    return str(found[0].id)


def version_of(session: Session, beginning: str) -> str:
    """Return the one version of the ground truth that begins so; raises CommandFailed."""
    known = session.client.admin.ground_truths().versions
    found = [each.version for each in known if each.version.startswith(beginning)]
    if len(found) != 1:
        raise CommandFailed(
            f"{len(found)} ground truth versions begin with {beginning!r}.",
            fix="'medvid admin ground-truth list' lists them.",
        )
    return found[0]


def reason(session: Session, why: str | None) -> str:
    """Return the reason, asked for on a terminal; raises CommandFailed without one."""
    if why is None and sys.stdin.isatty():
        why = Prompt.ask("Why? (for the audit log)", console=session.notices)
    if not why or not why.strip():
        raise CommandFailed("an action needs a reason.", fix="Give it with --why.")
    return why


def done(text: str, *, changed: bool) -> str:
    """Return what to say of an action."""
    return text if changed else f"{text} It was so before."
