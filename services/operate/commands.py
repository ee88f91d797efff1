"""The operators' commands: those that open the database, and `medvid up`.

`medvid` finds them by an entry point of this distribution. Bodies are imported when called.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from medvid.cli.offline import Json
from medvid.cli.server import OPERATORS

_PANEL: Final = "Keep it well"


def register(app: typer.Typer, admin: typer.Typer) -> None:
    """Add the commands to `medvid` and to `medvid admin`."""
    app.command(rich_help_panel=OPERATORS)(up)
    kept_well: dict[str, Callable[..., None]] = {
        "doctor": doctor, "backup": backup, "restore": restore, "prune": prune,
        "rebuild-queues": rebuild_queues, "notice": notice,
    }  # fmt: skip
    for name, command in kept_well.items():
        admin.command(name, rich_help_panel=_PANEL)(command)
    others: dict[str, Callable[..., None]] = {
        "migrate": migrate_schema, "load-ground-truth": load_ground_truth,
        "import-board": import_board, "calibrate-judge": calibrate_judge,
    }  # fmt: skip
    for name, command in others.items():
        admin.command(name)(command)


def notice(
    text: Annotated[str | None, typer.Argument(help="what to tell; nothing to clear it")] = None,
) -> None:
    """Show a text about an incident on the status page, or clear it."""
    from services.operate.notice import show_notice

    raise typer.Exit(show_notice(text))


def backup(
    file: Annotated[Path, typer.Argument(help="the file to make, or a folder for it")],
) -> None:
    """Write everything into one file; services may run meanwhile."""
    from services.operate.backup import write_backup

    raise typer.Exit(write_backup(file))


def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a backup")],
    check: Annotated[
        bool, typer.Option("--check", help="only check the file and tell what it holds")
    ] = False,
) -> None:
    """Put a backup into an empty database: all of it or nothing. Stop the services first."""
    from services.operate.backup import check_backup, restore_backup

    raise typer.Exit(check_backup(file) if check else restore_backup(file))


def prune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only tell how many rows would go")
    ] = False,
) -> None:
    """Let go of what is older than the MEDVID_KEEP_..._DAYS settings say, in small batches.

    The ranker does the same by itself, every MEDVID_PRUNE_SECONDS.
    """
    from services.operate.prune import prune as run

    raise typer.Exit(run(dry_run=dry_run))


def rebuild_queues() -> None:
    """Make RabbitMQ's queues anew where their settings changed, keeping every message.

    Stop the services first. Cut off anywhere, it is finished by running it again.
    """
    from services.operate.queues import rebuild_queues as run

    raise typer.Exit(run())


def doctor(as_json: Json = False) -> None:
    """Examine the installation and say what to do; changes nothing.

    Exit status 1 where something failed. Configuration, database, migrations, queues, ground truth,
    the judge's provider, clocks, disks, and work that stands still.
    """
    from services.operate.doctor import examine_and_report

    raise typer.Exit(examine_and_report(as_json=as_json))


def up() -> None:
    """Run the whole leaderboard in this process, until Ctrl-C."""
    from services.standalone import main

    raise typer.Exit(main())


def migrate_schema() -> None:
    """Bring the database's schema up to date."""
    from services.operate.admin import migrate_database

    raise typer.Exit(migrate_database())


def load_ground_truth(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON or JSON.gz")],
) -> None:
    """Load a ground truth file and make it the active one for new submissions."""
    from services.operate.admin import load_ground_truth_file

    raise typer.Exit(load_ground_truth_file(file))


def import_board(
    file: Annotated[
        Path | None,
        typer.Argument(exists=True, dir_okay=False, help="{board: [rows]} as JSON"),
    ] = None,
) -> None:
    """Add entries with given scores; without a file, the published leaderboards.

    Names that a board already has are left as they are.
    """
    from services.operate.admin import import_board_file

    raise typer.Exit(import_board_file(file))


def calibrate_judge(
    labelled: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="JSON lines with human scores")
    ],
    as_json: Json = False,
) -> None:
    """Hold the configured judge against human scores: agreement, length bias, pass or fail.

    A line: {"prediction", "reference", "qa_type", "scores": {"R2": 1-5, ...} or a list of them,
    one a rater}. Each pair costs a call, unless its line has "judge" scores of its own.
    """
    from services.operate.calibrate import run

    raise typer.Exit(run(labelled, as_json=as_json))
