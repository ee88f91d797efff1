"""The embedded Postgres of the standalone mode: a real server that comes in a Python wheel.

It runs as a child of a process that uses it, and is started again when it dies. After a kill -9 it
may outlive us, and is taken over. Its last user stops it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog

from shared.runtime.errors import Misconfigured
from shared.storage.data_folder import prepare
from shared.storage.database import CHECK_URL
from shared.storage.postmaster import DidNotStart, Installed, Postmaster
from shared.storage.server_users import ServerUsers

_WATCH_SECONDS: Final = 0.1
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
    """It raises Misconfigured once the server has died and cannot be started again."""


@asynccontextmanager
async def watched_postgres(folder: Path) -> AsyncIterator[DatabaseServer]:
    """Run Postgres with its data in `folder`, and start it again whenever it dies.

    Raises Misconfigured where it does not start.
    """
    async with _running(folder, shared=False) as (postmaster, users):
        watching = _watch(postmaster, users, folder)
        watch = asyncio.create_task(watching, name="embedded_postgres_watch")
        try:
            yield DatabaseServer(_url(postmaster), f"See {folder / 'log'}.", watch)
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


@asynccontextmanager
async def embedded_postgres(folder: Path, *, shared: bool = False) -> AsyncIterator[str]:
    """Run Postgres with its data in `folder`; yields a URL reached through a Unix socket.

    A server that already runs on this folder is used: a killed process left it, or, when `shared`,
    another process needs it. On leaving the server is stopped by its last user, unless it was found
    and a version started it that does not tell its users.
    """
    async with _running(folder, shared=shared) as (postmaster, _):
        yield _url(postmaster)


@asynccontextmanager
async def _running(folder: Path, *, shared: bool) -> AsyncIterator[tuple[Postmaster, ServerUsers]]:
    with ExitStack() as stack:
        try:
            users = stack.enter_context(ServerUsers.opened(folder))
        except OSError as error:
            raise _cannot_be_made(folder, error) from error
        postmaster: Postmaster | None = None
        try:
            async with _as_misconfigured(folder), users.alone():
                if not users.join():
                    raise Misconfigured(
                        f"a medvid in another container runs Postgres in {folder}.",
                        fix="Run this command in that container (docker exec), or stop it before.",
                    )
                postmaster = Postmaster(await _prepared(folder))
                await _ensure(postmaster, users, shared=shared)
            yield postmaster, users
        finally:
            if postmaster is not None:
                await _leave(postmaster, users, shared=shared)


async def _prepared(folder: Path) -> Installed:
    making = asyncio.ensure_future(asyncio.to_thread(prepare, folder))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        await asyncio.wait([making])  # what it makes is not left half made by us, nor made later
        raise
    except Exception as error:  # the library raises bare and varied exceptions
        raise _cannot_be_made(folder, error) from error


def _cannot_be_made(folder: Path, error: Exception) -> Misconfigured:
    reason = str(error).rstrip(".") or type(error).__name__
    return Misconfigured(f"cannot make a database in {folder}: {reason}.", fix=_FIX)


@asynccontextmanager
async def _as_misconfigured(folder: Path) -> AsyncIterator[None]:
    """Tell what is the matter with a server that does not start."""
    try:
        yield
    except DidNotStart as error:
        raise Misconfigured(
            f"the embedded Postgres does not start in {folder}: {error}.",
            fix=f"{folder / 'log'} says more. {_FIX}",
        ) from error
    except OSError as error:
        raise Misconfigured(
            f"the embedded Postgres cannot run in {folder}: {error}.", fix=_FIX
        ) from error


async def _ensure(postmaster: Postmaster, users: ServerUsers, *, shared: bool) -> None:
    await postmaster.ensure_running()
    if not (shared and postmaster.was_found):
        users.write(postmaster.pid)
    _log.info("embedded_postgres_ready", pid=postmaster.pid, found=postmaster.was_found)


async def _leave(postmaster: Postmaster, users: ServerUsers, *, shared: bool) -> None:
    started_here = not (shared and postmaster.was_found)
    try:
        async with users.alone():
            if users.leave() and (started_here or users.is_written(postmaster.pid)):
                await postmaster.stop()
            else:
                postmaster.leave()
    except OSError:  # the folder cannot be written to any more; the server ends all the same
        if started_here:
            await postmaster.stop()


async def _watch(postmaster: Postmaster, users: ServerUsers, folder: Path) -> None:
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        if postmaster.is_alive() and not postmaster.is_ending():
            continue
        _log.error("embedded_postgres_died", pid=postmaster.pid)
        async with _as_misconfigured(folder), users.alone():
            await _ensure(postmaster, users, shared=False)


def _url(postmaster: Postmaster) -> str:
    return f"postgresql://postgres:@/postgres?host={quote(str(postmaster.socket_dir))}"
