"""The services as processes of their own, and what the kernel knows of them (Linux)."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from asyncio.subprocess import Process
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

ROOT: Final = Path(__file__).resolve().parents[1]
START_SECONDS: Final = 300


@dataclass(slots=True)
class Service:
    """A running service; `address` is the gateway's."""

    process: Process
    address: str = ""

    def cpu_seconds(self) -> float:
        """Return the processor time of the process and of those that it started."""
        return sum(_cpu_seconds(pid) for pid in _family(self.process.pid))

    def peak_mib(self) -> float:
        """Return the most memory that the process itself ever held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        return int(kib) / 1024


async def start_service(
    stack: AsyncExitStack,
    name: str,
    database: str,
    settings: dict[str, str],
    source: Path = ROOT,
) -> Service:
    """Start `services.NAME` and wait until it is ready; it ends with the stack.

    `source` may be a checkout of another version.
    """
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="medvid-scale-"))
    log = Path(folder) / "log"
    environment = {
        **os.environ,
        "MEDVID_DATABASE_URL": database,
        "MEDVID_LOG_FORMAT": "json",
        "MEDVID_PORT": "0",
        **settings,
    }
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"services.{name}",
            cwd=source, env=environment, stdout=stream, stderr=stream,
        )  # fmt: skip
    service = Service(process)

    async def end() -> None:
        with suppress(ProcessLookupError):  # it ended by itself
            process.terminate()
        await process.wait()

    stack.push_async_callback(end)
    async with asyncio.timeout(START_SECONDS):
        while not _is_ready(service, log):
            if process.returncode is not None:
                raise RuntimeError(f"{name} ended:\n{log.read_text()}")
            await asyncio.sleep(0.05)
    return service


def _is_ready(service: Service, log: Path) -> bool:
    for line in log.read_text().splitlines():
        event = orjson.loads(line) if line.startswith("{") else {}
        if event.get("event") == "gateway_listens":
            service.address = str(event["url"])
        if event.get("event") == "service_ready":
            return True
    return False


def _family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for parent in found:
        with suppress(FileNotFoundError):  # it has ended
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # it has ended
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
