"""Commands that keep a running installation well. Bodies are imported when called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from client import offline

_PANEL: Final = "Keep it well"


def register(admin: typer.Typer) -> None:
    """Add the commands to `medvid admin`."""
    commands: dict[str, Callable[..., None]] = {
        "doctor": doctor, "backup": backup, "restore": restore, "prune": prune,
        "rebuild-queues": rebuild_queues, "notice": notice,
    }  # fmt: skip
    for name, command in commands.items():
        admin.command(name, rich_help_panel=_PANEL)(command)


def notice(
    text: Annotated[str | None, typer.Argument(help="what to tell; nothing to clear it")] = None,
) -> None:
    """Show a text about an incident on the status page, or clear it."""
    from client.notice import show_notice

    raise typer.Exit(show_notice(text))


def backup(
    file: Annotated[Path, typer.Argument(help="the file to make, or a folder for it")],
) -> None:
    """Write everything into one file; services may run meanwhile."""
    from client.backup import write_backup

    raise typer.Exit(write_backup(file))


def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a backup")],
    check: Annotated[
        bool, typer.Option("--check", help="only check the file and tell what it holds")
    ] = False,
) -> None:
    """Put a backup into an empty database: all of it or nothing. Stop the services first."""
    from client.backup import check_backup, restore_backup

    raise typer.Exit(check_backup(file) if check else restore_backup(file))


def prune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only tell how many rows would go")
    ] = False,
) -> None:
    """Let go of what is older than the MEDVID_KEEP_..._DAYS settings say, in small batches.

    The ranker does the same by itself, every MEDVID_PRUNE_SECONDS.
    """
    from client.prune import prune as run

    raise typer.Exit(run(dry_run=dry_run))


def rebuild_queues() -> None:
    """Make RabbitMQ's queues anew where their settings changed, keeping every message.

    Stop the services first. Cut off anywhere, it is finished by running it again.
    """
    from client.queues import rebuild_queues as run

    raise typer.Exit(run())


def doctor(as_json: offline.Json = False) -> None:
    """Examine the installation and say what to do; changes nothing.

    Exit status 1 where something failed. Configuration, database, migrations, queues, ground truth,
    the judge's provider, clocks, disks, and work that stands still.
    """
    from client.doctor import examine_and_report

    raise typer.Exit(examine_and_report(as_json=as_json))
