"""`medvid completion`: what makes a shell complete commands, options and submissions."""

from __future__ import annotations

import os
from typing import Annotated, Final, Literal

import typer
from typer import completion as typers  # which declares none of what is used as its own

_NAME: Final = "medvid"
VARIABLE: Final = "_MEDVID_COMPLETE"


def answer_shell() -> None:
    """Get ready where a shell asks what could come next; typer does so only for its own options."""
    if VARIABLE in os.environ:
        typers.completion_init()  # type: ignore[attr-defined]


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument()],
    install: Annotated[
        bool, typer.Option("--install", help="write it where the shell looks for it")
    ] = False,
) -> int:
    """Print what makes a shell complete medvid's commands, options and submissions.

    For one session: eval "$(medvid completion bash)". For all: medvid completion bash --install.
    """
    if install:
        _, path = typers.install(shell, _NAME, VARIABLE)  # type: ignore[attr-defined]
        print(f"Written to {path}. It works in new shells.")
        return 0
    script = typers.get_completion_script(  # type: ignore[attr-defined]
        prog_name=_NAME, complete_var=VARIABLE, shell=shell
    )
    print(script)
    return 0
