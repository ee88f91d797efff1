"""`medvid admin backup` and `restore`: everything in one file, and back."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from services.operate.database import run_and_print, run_on_database
from shared.storage.backup import Manifest, back_up, read_manifest
from shared.storage.backup import restore as restore_backup
from shared.storage.database import Database
from shared.storage.migrate import migrate


def backup(
    file: Annotated[Path, typer.Argument(help="the file to make, or a folder for it")],
) -> int:
    """Write everything into one file; services may keep running."""

    async def work(database: Database) -> str:
        made = await back_up(database, file)
        return f"{made.file}: {_described(made.manifest)}"

    return run_on_database(work, migrated=False)


def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a backup")],
    check: Annotated[
        bool, typer.Option("--check", help="only check the file and say what it holds")
    ] = False,
) -> int:
    """Put a backup into an empty database: all of it or nothing. Stop the services first."""
    return _check(file) if check else run_on_database(partial(_restore, file), migrated=False)


async def _restore(file: Path, database: Database) -> str:
    manifest = await restore_backup(database, file)
    applied = await migrate(database)
    return (
        f"Restored and checked: {_described(manifest)}\n"
        f"{applied} newer migrations applied. Start the services: what was unfinished continues by "
        "itself."
    )


def _check(file: Path) -> int:
    async def work() -> str:
        return f"{file} is whole: {_described(await asyncio.to_thread(read_manifest, file))}"

    return run_and_print(work)


def _described(manifest: Manifest) -> str:
    return (
        f"of {manifest.created_at}, {manifest.dump_bytes:,} bytes, "
        f"{manifest.rows.get('submissions', 0):,} submissions, "
        f"{manifest.rows.get('entries', 0):,} entries, "
        f"{manifest.rows.get('judge_verdicts', 0):,} verdicts, "
        f"{len(manifest.migrations)} migrations, Postgres {manifest.server_version // 10_000}."
    )
