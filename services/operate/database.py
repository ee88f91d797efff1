"""The configured database, for commands that work on it whether services run or not."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

import orjson

from medvid.cli.failures import CommandFailed
from shared.runtime.errors import MedvidError
from shared.runtime.logs import configure_logs
from shared.runtime.settings import CommonSettings, load_settings
from shared.storage.database import Database, connect
from shared.storage.embedded import embedded_postgres
from shared.storage.migrate import migrate

T = TypeVar("T")


def migrate_schema() -> int:
    """Bring the database's schema up to date."""

    async def work(database: Database) -> str:
        applied = await migrate(database)
        return f"{applied} migrations applied." if applied else "The schema is up to date."

    return run_on_database(work, migrated=False)


def run_on_database(work: Callable[[Database], Awaitable[str]], *, migrated: bool = True) -> int:
    """Do work on the configured database and print what it returns; return the exit status."""

    async def main() -> str:
        async with open_database(migrated=migrated) as database:
            return await work(database)

    return run_and_print(main)


def run_and_print(work: Callable[[], Coroutine[None, None, str]]) -> int:
    """Do work and print what it returns, or what went wrong; return the exit status."""
    configure_logs("warning", "auto", "admin")  # the command itself says what was done
    try:
        print(run_in_order(work()))
    except (MedvidError, orjson.JSONDecodeError) as error:
        raise CommandFailed(f"{error}") from None
    return 0


def run_in_order(work: Coroutine[None, None, T]) -> T:
    """Run work, which a SIGTERM ends as Ctrl-C does: its servers and folders go with it."""

    async def main() -> T:
        task = asyncio.current_task()
        if task is not None and threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


@asynccontextmanager
async def open_database(*, migrated: bool = True) -> AsyncIterator[Database]:
    """Open the configured database, or the embedded one of a standalone installation."""
    async with open_address() as url, open_at(url, migrated=migrated) as database:
        yield database


@asynccontextmanager
async def open_address() -> AsyncIterator[str]:
    """Give the configured database's URL, or that of the embedded one, which then runs."""
    settings = load_settings(CommonSettings)
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    folder = settings.data_dir.absolute() / "postgres"
    async with embedded_postgres(folder, shared=True) as url:
        yield url


@asynccontextmanager
async def open_at(url: str, *, migrated: bool = True) -> AsyncIterator[Database]:
    """Open a database by its URL."""
    async with connect(url, size=2, application_name="medvid-admin") as database:
        if migrated:
            await migrate(database)
        yield database
