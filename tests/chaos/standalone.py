"""The standalone mode under kill -9: of its Postgres, of everything, and of both at once.

    ./scripts/chaos standalone [--rounds 20]

One installation under load. Each kill is measured until the leaderboard is ready again; in the end
every accepted submission must be ranked with its own values, once. Exit status: 0 every promise was
kept, 1 some was not.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import aiohttp

from medvid.benchmark.tasks import RULE_METRIC_KEYS
from shared.storage.database import TRANSIENT_ERRORS, connect
from tests.chaos.load import Load, expected_values, name
from tests.preloaded import FOLDER_VARIABLE, Forked, Preloaded, fork
from tests.processes import free_port
from tests.rows import load_demo_ground_truth

READY_SECONDS: Final = 10.0
_PATIENCE_SECONDS: Final = 300.0
_BETWEEN_SUBMISSIONS: Final = 1.0
_SETTINGS: Final = {
    "MEDVID_SCORER_PROCESSES": "1",
    "MEDVID_VALIDATION_WORKERS": "1",
    "MEDVID_SIMILARITIES": "false",
    "MEDVID_ADDRESS_SUBMISSIONS_PER_DAY": "100000",
    "MEDVID_ADDRESS_BYTES_PER_DAY": str(1 << 40),
    "MEDVID_LOG_FORMAT": "json",
}
_MUST_BE_NOTHING: Final = {
    "submissions that are not ranked": "SELECT count(*) FROM submissions WHERE state <> 'ranked'",
    "messages in the outbox": "SELECT count(*) FROM outbox WHERE published_at IS NULL",
    "messages in queues": "SELECT count(*) FROM queue_messages",
    "boards that are behind": "SELECT count(*) FROM boards WHERE ranked_revision < revision",
    "dead letters": "SELECT count(*) FROM dead_letters",
    "states entered twice": "SELECT count(*) - count(DISTINCT (submission_id, state))"
    " FROM submission_history",
    "entries without all seven scores": "SELECT count(*) FROM entries e WHERE"
    " (SELECT count(*) FROM scores WHERE entry_id = e.id) <> 7",
}


@dataclass
class Standalone:
    """`medvid up` on a data folder of its own."""

    folder: Path
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    process: Forked | None = None
    preloaded: Path | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(20):
                    await self.process.wait()
        self.kill_everything()

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database_url(self) -> str:
        """Its embedded Postgres."""
        return f"postgresql://postgres:@/postgres?host={self.folder / 'postgres'}"

    def start(self) -> None:
        """Start it without waiting for anything."""
        own = {"MEDVID_DATA_DIR": str(self.folder), "MEDVID_PORT": str(self.port)}
        with (self.folder.parent / "medvid.log").open("ab") as log:
            self.process = fork(
                "medvid", "up", env={**os.environ, **_SETTINGS, **self.environment, **own},
                stdout=log, stderr=log, preloaded=self.preloaded,
            )  # fmt: skip

    def postgres_processes(self) -> list[int]:
        """Return the server's process and its children."""
        return [pid for pid in _processes() if _works_in(pid, self.folder / "postgres")]

    def postmaster(self) -> int:
        """Return the server's process."""
        return int((self.folder / "postgres" / "postmaster.pid").read_text().split()[0])

    def kill_postgres(self) -> None:
        """Send SIGKILL to the server's process alone; its children find out by themselves."""
        os.kill(self.postmaster(), signal.SIGKILL)

    def kill_everything(self) -> None:
        """Send SIGKILL to the services, their workers and every process of Postgres."""
        process, self.process = self.process, None
        ours = _with_children(process.pid) if process is not None else []
        for pid in [*ours, *self.postgres_processes()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if process is not None:
            process.ended()

    async def until_ready(self) -> float:
        """Return after how many seconds it says that it is ready."""
        started = time.monotonic()
        async with aiohttp.ClientSession(self.url) as http, asyncio.timeout(_PATIENCE_SECONDS):
            while not await _answers(http):
                await asyncio.sleep(0.02)
        return time.monotonic() - started

    async def value(self, query: str) -> int:
        """Return a number from its database, as soon as that is there."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                with contextlib.suppress(*TRANSIENT_ERRORS):
                    async with connect(
                        self.database_url, size=1, application_name="chaos"
                    ) as database:
                        return int(await database.pool.fetchval(query))
                await asyncio.sleep(0.1)


async def _answers(http: aiohttp.ClientSession) -> bool:
    try:
        async with http.get("/readyz", timeout=aiohttp.ClientTimeout(total=5)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _works_in(pid: int, folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return Path(os.readlink(f"/proc/{pid}/cwd")) == folder
    return False


def _with_children(pid: int) -> list[int]:
    """Return a process and its descendants."""
    parents: dict[int, list[int]] = {}
    for child in _processes():
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{child}/stat").read_text()
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(child)
    found = [pid]
    for known in found:
        found += parents.get(known, [])
    return found


# ------------------------------------------------------------------ what is done to it
Kill = Callable[[Standalone], Awaitable[None]]


async def postgres(installation: Standalone) -> None:
    """Kill Postgres and see the old server gone."""
    killed = installation.postmaster()
    installation.kill_postgres()
    while killed in installation.postgres_processes():
        await asyncio.sleep(0.005)


async def stopped_in_order(installation: Standalone) -> None:
    """No kill, but what to compare with: how long does a start take here and now?"""
    process = installation.process
    assert process is not None
    process.terminate()
    await process.wait()
    installation.start()


async def everything(installation: Standalone) -> None:
    """Kill all of it, and start it when nothing is left."""
    installation.kill_everything()
    while installation.postgres_processes():
        await asyncio.sleep(0.05)
    installation.start()


async def everything_at_once(installation: Standalone) -> None:
    """Kill all of it, and start it in the same moment."""
    installation.kill_everything()
    installation.start()


async def services_alone(installation: Standalone) -> None:
    """Kill the services only, and start them in the same moment, beside the server that is left."""
    process = installation.process
    assert process is not None
    process.kill()
    process.ended()
    installation.start()


async def server_dies_beside(installation: Standalone) -> None:
    """Kill the services and the server's process, whose children still run, and start at once."""
    process = installation.process
    assert process is not None
    killed = installation.postmaster()
    process.kill()
    os.kill(killed, signal.SIGKILL)
    process.ended()
    installation.start()


# A server that was found is killed as well as one that was started.
KILLS: Final[dict[str, Kill]] = {
    kill.__name__: kill
    for kill in (
        services_alone, postgres, server_dies_beside, everything, everything_at_once,
        stopped_in_order,
    )
}  # fmt: skip


# ------------------------------------------------------------------ the run
@dataclass(frozen=True, slots=True)
class Result:
    """Seconds until ready after each kill, by kind, and what does not hold."""

    ready: dict[str, list[float]]
    submissions: int
    broken: list[str]


@asynccontextmanager
async def an_installation(environment: dict[str, str] | None = None) -> AsyncIterator[Standalone]:
    """Run `medvid up` in a folder whose path is short, with the demo's ground truth."""
    parent = Path(tempfile.mkdtemp(prefix="medvid-up-"))
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, parent, ignore_errors=True)
        folder = parent / "data"
        preloaded = None  # that of the tests' run
        if FOLDER_VARIABLE not in os.environ:
            preloaded = stack.enter_context(Preloaded(parent)).path
        installation = await stack.enter_async_context(
            Standalone(folder, environment=environment or {}, preloaded=preloaded)
        )
        await installation.until_ready()
        async with connect(installation.database_url, size=2, application_name="chaos") as database:
            await load_demo_ground_truth(database)
        yield installation


async def play(rounds: int, kinds: Sequence[str], told: Callable[[str], None]) -> Result:
    """Kill so many times in each way, under load; return how it came back and what was lost."""
    ready: dict[str, list[float]] = {kind: [] for kind in kinds}
    async with an_installation() as installation:
        load = Load(installation.url)
        enough = asyncio.Event()
        busy = asyncio.create_task(_keep_busy(load, enough))
        try:
            for number in range(rounds):
                for kind in kinds:
                    await _something_is_under_way(load)
                    await KILLS[kind](installation)
                    ready[kind].append(await installation.until_ready())
                    told(f"{number + 1}. {kind}: ready after {ready[kind][-1]:.2f} s")
        finally:
            enough.set()
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await busy
        return Result(ready, len(load.receipts), await _broken(installation, load))


async def _keep_busy(load: Load, enough: asyncio.Event) -> None:
    async with aiohttp.ClientSession(load.url) as http:
        while not enough.is_set():
            await load.submit(http)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_BETWEEN_SUBMISSIONS):
                    await enough.wait()


async def _something_is_under_way(load: Load) -> None:
    """Return once another submission was accepted: its scores and ranks are being made."""
    before = len(load.receipts)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while len(load.receipts) == before:
            await asyncio.sleep(0.01)


async def _broken(installation: Standalone, load: Load) -> list[str]:
    waiting = " + ".join(f"({query})" for query in list(_MUST_BE_NOTHING.values())[:4])
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while await installation.value(f"SELECT {waiting}") and time.monotonic() < deadline:
        await asyncio.sleep(0.3)
    counts = {what: await installation.value(query) for what, query in _MUST_BE_NOTHING.items()}
    broken = [f"{count} {what}" for what, count in counts.items() if count]
    stored = await installation.value("SELECT count(*) FROM submissions")
    if stored != len(load.receipts):
        broken.append(f"{stored} submissions for {len(load.receipts)} receipts")
    board = await _board(installation)
    expected = await asyncio.to_thread(_expected, list(load.receipts))
    if board != expected:
        wrong = sum(board.get(model) != values for model, values in expected.items())
        broken.append(f"{wrong} of {len(expected)} rows of the board are wrong or missing")
    return broken


async def _board(installation: Standalone) -> dict[str, dict[str, float | None]]:
    """Return the rule-based values of the community board by model."""
    async with (
        aiohttp.ClientSession(installation.url) as http,
        http.get("/api/v1/leaderboards/community") as answer,
    ):
        content: dict[str, Any] = await answer.json()
    return {
        row["model_name"]: {key: row["values"][key] for key in RULE_METRIC_KEYS}
        for row in content["entries"]
    }


def _expected(numbers: Sequence[int]) -> dict[str, dict[str, float | None]]:
    from medvid.benchmark.ranking import rank

    entries = [{"model_name": name(number), **expected_values(number)} for number in numbers]
    return {
        str(entries[row.index]["model_name"]): {key: row.values[key] for key in RULE_METRIC_KEYS}
        for row in rank(entries)[0]
    }


def main() -> int:
    """Play, print a table, and tell whether every promise was kept."""
    parser = argparse.ArgumentParser(prog="./scripts/chaos standalone", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="kills of each kind")
    parser.add_argument("--only", nargs="+", choices=list(KILLS), default=list(KILLS))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))  # so that everything is stopped

    def told(line: str) -> None:
        print(line, flush=True)  # noqa: T201 - a command's output

    result = asyncio.run(play(options.rounds, options.only, told))
    broken = list(result.broken)
    for kind, seconds in result.ready.items():
        ordered = sorted(seconds)
        middle, longest = ordered[len(ordered) // 2], ordered[-1]
        told(f"| {kind} | {len(seconds)} | {middle:.1f} s | {longest:.1f} s |")
        if longest > READY_SECONDS:
            broken.append(f"{kind}: ready after {longest:.0f} s")
    told(f"{result.submissions} submissions: {'; '.join(broken) or 'every promise kept'}")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
