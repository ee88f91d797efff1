"""All four services in one process: nothing to install, nothing to operate."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TextIO

from services.gateway import app as gateway
from services.gateway.settings import GatewaySettings
from services.judge import app as judge
from services.judge.settings import JudgeSettings
from services.ranker import app as ranker
from services.ranker.settings import RankerSettings
from services.scorer import app as scorer
from services.scorer.settings import ScorerSettings
from shared.runtime.errors import Misconfigured
from shared.runtime.infrastructure import Infrastructure, infrastructure
from shared.runtime.lifecycle import run_process, serve
from shared.runtime.logs import configure_logs
from shared.runtime.settings import load_settings

_DYING_SECONDS: Final = 2.0


class StandaloneSettings(GatewaySettings, ScorerSettings, JudgeSettings, RankerSettings):
    """The settings of every service."""


def main() -> int:
    """Run everything until stopped; returns the exit status."""
    return run_process(_run)


async def _run(stop: asyncio.Event) -> None:
    settings = load_settings(StandaloneSettings)
    configure_logs(settings.log_level, settings.log_format, "standalone")
    async with running(settings) as base:
        await serve(base, stop)


@asynccontextmanager
async def running(settings: StandaloneSettings) -> AsyncIterator[Infrastructure]:
    """Run every service; raises Misconfigured when another process uses the data folder."""
    async with (
        _only_one(settings.data_dir.absolute()),
        infrastructure(settings, name="standalone", standalone=True) as base,
        ranker.run(base, settings),
        scorer.run(base, settings),
        judge.run(base, settings),
        gateway.run(base, settings),
    ):
        yield base


@asynccontextmanager
async def _only_one(data_dir: Path) -> AsyncIterator[None]:
    """Hold the data folder's lock; raises Misconfigured when another process has it.

    The kernel frees the lock when the process dies, however it dies. One that was just killed may
    take a moment to be gone.
    """
    with _open_lock(data_dir) as lock:
        if not await _locked(lock):
            raise Misconfigured(
                f"another medvid runs on {data_dir}.",
                fix="Stop it, or set MEDVID_DATA_DIR to another folder.",
            )
        yield


def _open_lock(data_dir: Path) -> TextIO:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return (data_dir / "lock").open("w")
    except OSError as error:
        raise Misconfigured(
            f"cannot write to the data folder {data_dir}: {error.strerror}.",
            fix="Make it writable, or set MEDVID_DATA_DIR to another folder.",
        ) from error


async def _locked(lock: TextIO) -> bool:
    deadline = asyncio.get_running_loop().time() + _DYING_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(0.05)
        else:
            return True
