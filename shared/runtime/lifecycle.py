"""How a process runs and ends: SIGTERM or Ctrl-C → unready → drain → close, the same everywhere."""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Literal, TypeVar

import structlog
import uvloop

from shared.runtime.errors import Misconfigured
from shared.runtime.infrastructure import Infrastructure, infrastructure
from shared.runtime.logs import configure_logs
from shared.runtime.settings import CommonSettings, load_settings

S = TypeVar("S", bound=CommonSettings)
_OPEN_FILES: Final = 65_536
_log = structlog.get_logger(__name__)


def run_service(
    name: str,
    settings_type: type[S],
    run: Callable[[Infrastructure, S], AbstractAsyncContextManager[None]],
) -> int:
    """Run one service until it is stopped; returns the exit status."""

    async def main(stop: asyncio.Event) -> None:
        settings = load_settings(settings_type)
        configure_logs(settings.log_level, settings.log_format, name)
        async with infrastructure(settings, name=name) as base, run(base, settings):
            await serve(base, stop)

    return run_process(main)


async def serve(base: Infrastructure, stop: asyncio.Event) -> None:
    """Be ready until `stop` is set or a background task fails (which is raised)."""
    base.readiness.started = True
    _log.info("service_ready")
    stopped = asyncio.create_task(stop.wait())
    ends: tuple[asyncio.Future[Any], ...] = (stopped, base.failed)
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        base.readiness.stopping = True
        _log.info("service_stops")
    if base.failed.done():
        base.failed.result()


def allow_many_files() -> None:
    """Raise the limit of open files as far as we may: the usual 1,024 are few for a server."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Stop(asyncio.Event):
    """Set by the first signal, and whether anybody has begun to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_awaited = False

    async def wait(self) -> Literal[True]:
        """Wait until it is set."""
        self.is_awaited = True
        return await super().wait()


def run_process(main: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    """Run `main(stop)` on a fresh loop; returns the exit status.

    `stop` is set by SIGTERM or SIGINT. Before `main` waits for it, which is while it starts, it is
    cancelled instead: what it waits for may take minutes. Twice means at once.
    """
    stop = Stop()
    hurried = False

    async def with_signals() -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - we are running in it

        def on_signal() -> None:
            nonlocal hurried
            hurried = stop.is_set()
            if hurried or not stop.is_awaited:
                task.cancel()
            stop.set()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal)
        await main(stop)

    allow_many_files()
    try:
        uvloop.run(with_signals())
    except Misconfigured as error:
        print(f"medvid: {error}", file=sys.stderr)  # noqa: T201 - for the terminal
        return 2
    except asyncio.CancelledError:
        return 130 if hurried else 0
    return 0
