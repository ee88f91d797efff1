"""`medvid admin` through the API: which commands there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import typer

from medvid.cli.administration import (
    entry_commands,
    key_commands,
    rescore_commands,
    running_commands,
    truth_commands,
)

_PANEL = "On a server, with the administrator's key"


def register(admin: typer.Typer) -> None:
    """Add the commands to `medvid admin`."""
    for each in (entry_commands, rescore_commands, running_commands):
        for name, command in each.COMMANDS.items():
            admin.command(name, rich_help_panel=_PANEL)(command)
    _add_group(admin, "ground-truth", "Versions of the ground truth.", truth_commands.COMMANDS)
    _add_group(admin, "keys", "API keys and their quotas.", key_commands.COMMANDS)


def _add_group(
    admin: typer.Typer, name: str, help_text: str, commands: Mapping[str, Callable[..., None]]
) -> None:
    group = typer.Typer(help=help_text, no_args_is_help=True)
    for each, command in commands.items():
        group.command(each)(command)
    admin.add_typer(group, name=name, rich_help_panel=_PANEL)
