"""Backup and restore, on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from services.operate.admin import open_address, open_at, run_told
from shared.storage.backup import Manifest, back_up, read_manifest, restore
from shared.storage.database import Database
from shared.storage.migrate import migrate


def write_backup(file: Path) -> int:
    """Write a backup; returns the exit status."""

    async def work(database: Database, url: str) -> str:
        made = await back_up(database, url, file)
        return f"{made.file}: {_told(made.manifest)}"

    return _run(work)


def restore_backup(file: Path) -> int:
    """Restore a backup and bring its schema up to date; returns the exit status."""

    async def work(database: Database, url: str) -> str:
        manifest = await restore(database, url, file)
        applied = await migrate(database)
        return "\n".join(
            [
                f"Restored and checked: {_told(manifest)}",
                f"{applied} newer migrations applied. Start the services: what was unfinished "
                "goes on by itself.",
            ]
        )

    return _run(work)


def check_backup(file: Path) -> int:
    """Check a backup's file; returns the exit status."""

    async def work() -> str:
        return f"{file} is whole: {_told(await asyncio.to_thread(read_manifest, file))}"

    return run_told(work)


def _run(work: Callable[[Database, str], Awaitable[str]]) -> int:
    async def main() -> str:
        async with open_address() as url, open_at(url, migrated=False) as database:
            return await work(database, url)

    return run_told(main)


def _told(manifest: Manifest) -> str:
    return (
        f"of {manifest.created_at}, {manifest.dump_bytes:,} bytes, "
        f"{manifest.rows.get('submissions', 0):,} submissions, "
        f"{manifest.rows.get('entries', 0):,} entries, "
        f"{manifest.rows.get('judge_verdicts', 0):,} verdicts, "
        f"{len(manifest.migrations)} migrations, Postgres {manifest.server_version // 10_000}."
    )
