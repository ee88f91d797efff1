"""What the server's distribution adds to the command line, where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, Final

import typer
from typer.core import TyperGroup

from medvid.cli.loading import in_words

OPERATORS: Final = "For operators"
_GROUP: Final = "medvid.server"
_SERVERLESS: Final = (
    "Commands that run a server or open its database come with the server, which is not installed"
    " here."
)


class Commands(TyperGroup):
    """Commands that say where the missing ones are, if the server is not installed."""

    def get_params(self, ctx: Any) -> Any:
        """Return its options, as help shows them."""
        return in_words(super().get_params(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Find a command by its name."""
        found = super().get_command(ctx, cmd_name)
        if found is None and part("commands") is None:
            ctx.fail(f"No such command '{cmd_name}'. {_SERVERLESS}")
        return found


def register(app: typer.Typer, admin: typer.Typer) -> None:
    """Add the server's commands, if it is installed."""
    commands = part("commands")
    if commands is not None:
        commands(app, admin)


def part(name: str) -> Callable[..., Any] | None:
    """Return a function that the server's distribution offers here, None without it."""
    for point in entry_points(group=_GROUP, name=name):
        found: Callable[..., Any] = point.load()
        return found
    return None
