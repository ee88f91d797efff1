"""A folder for as long as work takes; what a killed process left goes when the next one begins.

A backup, a restore and a check need room for the whole database. The kernel tells whose folder is
in use: its process holds a lock on a file in it, which goes with the process however that dies.
"""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

from shared.storage.postmaster import end_server

_LOCK: Final = ".in-use"
POSTGRES: Final = "postgres"
"""Where in the folder an embedded Postgres has its data."""


@asynccontextmanager
async def scratch_folder(parent: Path, prefix: str) -> AsyncIterator[Path]:
    """Make a folder, and delete it afterwards. Raises OSError."""
    await _sweep(parent, prefix)
    folder, lock = await asyncio.to_thread(_make, parent, prefix)
    with lock:
        try:
            yield folder
        finally:
            await asyncio.to_thread(_delete, folder)


def _make(parent: Path, prefix: str) -> tuple[Path, IO[str]]:
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
    unlocked = folder / f"{_LOCK}.new"
    lock = unlocked.open("x")
    fcntl.flock(lock, fcntl.LOCK_EX)
    unlocked.rename(folder / _LOCK)  # so nobody ever finds it without its lock
    return folder, lock


def _delete(folder: Path) -> None:
    """Delete a folder, its lock last: by it the next one finds what cannot be deleted now."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != _LOCK:
            path.unlink(missing_ok=True)
    if all(path.name == _LOCK for path in folder.iterdir()):
        shutil.rmtree(folder)


async def _sweep(parent: Path, prefix: str) -> None:
    """Delete the folders of processes that are gone, and end the servers that they left."""
    for path in await asyncio.to_thread(lambda: list(parent.glob(f"{prefix}*/{_LOCK}"))):
        try:
            with path.open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                await end_server(path.parent / POSTGRES)
                await asyncio.to_thread(_delete, path.parent)
        except OSError:
            continue  # in use, or another has just deleted it, or it is not ours to delete
