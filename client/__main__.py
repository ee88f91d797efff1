"""The `medvid` command. Bodies are imported when called, so that every command starts fast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from client import offline, online, operations, setting_up
from client.administration import commands

_OPERATORS: Final = "For operators"
app = typer.Typer(
    name="medvid",
    help="MedVidBench leaderboard: submit and follow, check and score offline, run the server.",
    no_args_is_help=True,
    add_completion=False,  # 'medvid completion' does it, for a named shell
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
admin = typer.Typer(
    help="What operators do on the database directly, and administrators on a server.",
    no_args_is_help=True,
)
online.register(app)
offline.register(app)
setting_up.register(app)
app.add_typer(admin, name="admin", rich_help_panel=_OPERATORS)
operations.register(admin)
commands.register(admin)


@app.command(rich_help_panel=_OPERATORS)
def up() -> None:
    """Run the whole leaderboard in this process, until Ctrl-C."""
    from services.standalone import main

    raise typer.Exit(main())


@admin.command("migrate")
def migrate_schema() -> None:
    """Bring the database's schema up to date."""
    from client.admin import migrate_database

    raise typer.Exit(migrate_database())


@admin.command("load-ground-truth")
def load_ground_truth(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON or JSON.gz")],
) -> None:
    """Load a ground truth file and make it the active one for new submissions."""
    from client.admin import load_ground_truth_file

    raise typer.Exit(load_ground_truth_file(file))


@admin.command("import-board")
def import_board(
    file: Annotated[
        Path | None,
        typer.Argument(exists=True, dir_okay=False, help="{board: [rows]} as JSON"),
    ] = None,
) -> None:
    """Add entries with given scores; without a file, the published leaderboards.

    Names that a board already has are left as they are.
    """
    from client.admin import import_board_file

    raise typer.Exit(import_board_file(file))


@admin.command("calibrate-judge")
def calibrate_judge(
    labelled: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="JSON lines with human scores")
    ],
    as_json: offline.Json = False,
) -> None:
    """Hold the configured judge against human scores: agreement, length bias, pass or fail.

    A line: {"prediction", "reference", "qa_type", "scores": {"R2": 1-5, ...} or a list of them,
    one a rater}. Each pair costs a call, unless its line has "judge" scores of its own.
    """
    from client.calibrate import run

    raise typer.Exit(run(labelled, as_json=as_json))


def main() -> None:
    """Run the command line."""
    setting_up.answer_shell()
    app(prog_name="medvid")


if __name__ == "__main__":
    main()
