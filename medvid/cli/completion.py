"""`medvid config` and `medvid completion`, as the command line has them."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated, Final

import typer

from medvid.cli.offline import Json

_NAME: Final = "medvid"
_VARIABLE: Final = "_MEDVID_COMPLETE"

config = typer.Typer(
    help="Show and change settings: this client's, and those of the services.",
    invoke_without_command=True,
)


def answer_shell() -> None:
    """Get ready where a shell asks what could come next; typer does so only for its own options."""
    if _VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()


class Setting(StrEnum):
    """What the configuration file can hold."""

    URL = "url"
    API_KEY = "api_key"


class Shell(StrEnum):
    """Shells that can complete commands."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def register(app: typer.Typer) -> None:
    """Add the commands to the `medvid` command."""
    panel = "On your machine"
    app.add_typer(config, name="config", rich_help_panel=panel)
    app.command(rich_help_panel=panel)(completion)


@config.callback()
def show(context: typer.Context, as_json: Json = False) -> None:
    """Show every setting, its value, where it comes from and its meaning; secrets are hidden."""
    if context.invoked_subcommand is None:
        from medvid.cli.config import print_settings

        raise typer.Exit(print_settings(as_json=as_json))


@config.command("set")
def change(
    name: Annotated[Setting, typer.Argument()],
    value: Annotated[
        str | None,
        typer.Argument(help="asked for when left out; a key is best typed there"),
    ] = None,
) -> None:
    """Write a setting of this client into its configuration file."""
    from medvid.cli.config import change as body

    given = value or typer.prompt(name.value, hide_input=name is Setting.API_KEY)
    raise typer.Exit(body(name.value, given))


@config.command("unset")
def remove(name: Annotated[Setting, typer.Argument()]) -> None:
    """Take a setting out of the configuration file."""
    from medvid.cli.config import change as body

    raise typer.Exit(body(name.value, None))


def completion(
    shell: Annotated[Shell, typer.Argument()],
    install: Annotated[
        bool, typer.Option("--install", help="write it where the shell looks for it")
    ] = False,
) -> None:
    """Print what makes a shell complete medvid's commands, options and submissions.

    For one session: eval "$(medvid completion bash)". For all: medvid completion bash --install.
    """
    from typer import completion as typers  # which declares neither of the two as its own

    if install:
        _, path = typers.install(shell.value, _NAME, _VARIABLE)  # type: ignore[attr-defined]
        print(f"Written to {path}. It works in new shells.")
        return
    script = typers.get_completion_script(  # type: ignore[attr-defined]
        prog_name=_NAME, complete_var=_VARIABLE, shell=shell.value
    )
    print(script)
