"""Commands that keep a running installation well. Bodies are imported when called."""

from __future__ import annotations

from typing import Annotated

import typer


def register(admin: typer.Typer) -> None:
    """Add the commands to `medvid admin`."""
    admin.command("notice")(notice)


def notice(
    text: Annotated[str | None, typer.Argument(help="what to tell; nothing to clear it")] = None,
) -> None:
    """Show a text about an incident on the status page, or clear it."""
    from client.notice import show_notice

    raise typer.Exit(show_notice(text))
