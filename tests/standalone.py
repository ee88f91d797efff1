"""Every service in the process of a test, as the standalone mode runs them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from services.standalone import StandaloneSettings, running
from tests.servers import free_port


@asynccontextmanager
async def standalone(
    postgres_url: str, folder: Path, **changes: Any
) -> AsyncIterator[aiohttp.ClientSession]:
    """Run all on a database, and give a client of it; `changes` are settings.

    Similarities are left out, for which most tests do not wait.
    """
    few = {"port": free_port(), "similarities": False, "scorer_processes": 1}
    settings = StandaloneSettings(
        database_url=postgres_url, data_dir=folder, validation_workers=1, **few | changes
    )
    url = f"http://127.0.0.1:{settings.port}"
    async with running(settings) as base, aiohttp.ClientSession(url) as http:
        base.readiness.started = True
        yield http
