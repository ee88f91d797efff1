"""All four services in one process: nothing to install, nothing to operate."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Final, TextIO

from services.gateway import app as gateway
from services.gateway.settings import GatewaySettings
from services.gateway.web.server import open_public_door
from services.judge import app as judge
from services.judge.settings import JudgeSettings
from services.ranker import app as ranker
from services.ranker.settings import RankerSettings
from services.scorer import app as scorer
from services.scorer.settings import ScorerSettings
from shared.runtime.errors import Misconfigured
from shared.runtime.infrastructure import Infrastructure, infrastructure
from shared.runtime.lifecycle import run_process, serve
from shared.runtime.listening import Door, close_door, host_and_port
from shared.runtime.logs import configure_logs
from shared.runtime.settings import load_settings

_DYING_SECONDS: Final = 2.0


class StandaloneSettings(GatewaySettings, ScorerSettings, JudgeSettings, RankerSettings):
    """The settings of every service."""


def main(changed: Mapping[str, object] = MappingProxyType({})) -> int:
    """Run everything until stopped; returns the exit status. `changed` settings win."""

    async def run(stop: asyncio.Event) -> None:
        settings = load_settings(StandaloneSettings).model_copy(update=changed)
        configure_logs(settings.log_level, settings.log_format, "standalone")
        folder = settings.data_dir.absolute()
        # First the port: before a server is started that would have to be stopped again.
        async with _only_one(folder), _public(settings) as door, _services(settings, door) as base:
            host, port = door[0].getsockname()[:2]
            where = _address(settings, host, port)
            print(f"The leaderboard is at {where} (data: {folder}). Ctrl-C ends it.", flush=True)  # noqa: T201
            await serve(base, stop)

    return run_process(run)


def _address(settings: StandaloneSettings, host: str, port: int) -> str:
    """Return where readers reach the site, as far as this machine knows."""
    if settings.public_url is not None:
        return settings.public_url
    everywhere = ip_address(host.partition("%")[0]).is_unspecified
    return f"http://{host_and_port('127.0.0.1' if everywhere else host, port)}/"


@asynccontextmanager
async def _public(settings: StandaloneSettings) -> AsyncIterator[Door]:
    door = open_public_door(settings.host, settings.port)
    try:
        yield door
    finally:
        close_door(door)


@asynccontextmanager
async def running(settings: StandaloneSettings, door: Door = ()) -> AsyncIterator[Infrastructure]:
    """Run every service; raises Misconfigured when another process uses the data folder."""
    folder = settings.data_dir.absolute()
    async with _only_one(folder), _services(settings, door) as base:
        yield base


@asynccontextmanager
async def _services(settings: StandaloneSettings, door: Door) -> AsyncIterator[Infrastructure]:
    async with (
        infrastructure(settings, name="standalone", standalone=True) as base,
        ranker.run(base, settings),
        scorer.run(base, settings),
        judge.run(base, settings),
        gateway.run(base, settings, door),
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
