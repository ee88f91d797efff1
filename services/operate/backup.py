"""`medvid admin backup` and `restore`: everything in one file, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from services.operate.database import open_address, open_at, run_and_print
from shared.storage.backup import Manifest, back_up, read_manifest
from shared.storage.backup import restore as restore_backup
from shared.storage.database import Database
from shared.storage.migrate import migrate


def backup(
    file: Annotated[Path, typer.Argument(help="the file to make, or a folder for it")],
) -> int:
    """Write everything into one file; services may keep running."""

    async def work(database: Database, url: str) -> str:
        made = await back_up(database, url, file)
        return f"{made.file}: {_described(made.manifest)}"

    return _run(work)


def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a backup")],
    check: Annotated[
        bool, typer.Option("--check", help="only check the file and say what it holds")
    ] = False,
) -> int:
    """Put a backup into an empty database: all of it or nothing. Stop the services first."""
    return _check(file) if check else _run(partial(_restore, file))


async def _restore(file: Path, database: Database, url: str) -> str:
    manifest = await restore_backup(database, url, file)
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


def _run(work: Callable[[Database, str], Awaitable[str]]) -> int:
    async def main() -> str:
        async with open_address() as url, open_at(url, migrated=False) as database:
            return await work(database, url)

    return run_and_print(main)


def _described(manifest: Manifest) -> str:
    return (
        f"of {manifest.created_at}, {manifest.dump_bytes:,} bytes, "
        f"{manifest.rows.get('submissions', 0):,} submissions, "
        f"{manifest.rows.get('entries', 0):,} entries, "
        f"{manifest.rows.get('judge_verdicts', 0):,} verdicts, "
        f"{len(manifest.migrations)} migrations, Postgres {manifest.server_version // 10_000}."
    )
