"""Servers, proxies, services, a provider and a load, and what must hold whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from medvid.judging.aggregate import MAX_UNSCORED_SHARE
from services.judge.stub.server import Faults, Stub, running_stub
from shared.storage.database import TRANSIENT_ERRORS, Database, connect
from tests.chaos.fleet import Fleet
from tests.chaos.load import Load, expected_board
from tests.chaos.proxy import FaultProxy
from tests.patience import HANG_SECONDS
from tests.preloaded import Preloaded
from tests.processes import free_port
from tests.rows import load_demo_ground_truth
from tests.servers import TEMPLATE, PostgresServer, RabbitServer, make_template

RESUME_SECONDS: Final = 30.0
"""Work of every kind must go on within so long of a fault's end."""
CONCURRENCY: Final = 8
_SEED: Final = 20261121
FAKETIME: Final = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
_MODULES: Final = (
    "services.gateway", "services.scorer", "services.ranker", "services.judge", "services.judge",
)  # fmt: skip
_STAGES: Final = {
    "accepted": "SELECT count(*) FROM submissions",
    "scored": "SELECT count(*) FROM submission_history WHERE state = 'scored'",
    "ranked": "SELECT count(*) FROM submission_history WHERE state = 'ranked'",
    "verdict": "SELECT count(*) FROM judge_verdicts WHERE scores IS NOT NULL",
    "judged": "SELECT count(*) FROM judge_results",
}
_OPEN: Final = """
SELECT count(*) FROM submissions s
 WHERE state <> 'failed' AND NOT (state = 'ranked'
       AND EXISTS (SELECT FROM judge_results WHERE submission_id = s.id))"""
_WAITING_FOR_AN_OPERATOR: Final = """
SELECT submission_id FROM judge_runs WHERE state = 'paused' AND reason = 'needs_operator'"""
_WITHOUT_A_VERDICT: Final = """
SELECT model_name FROM entries JOIN judge_runs USING (submission_id) WHERE items_unscored > 0"""
_ADMIN_KEY: Final = "the-administrators-key-of-this-world"
_ADMIN: Final = {"Authorization": f"Bearer {_ADMIN_KEY}"}
CALM: Final = Faults(latency_seconds=0.02)
"""A provider that does what it should."""
_MUST_BE_NOTHING: Final = {
    "messages in the outbox": "SELECT count(*) FROM outbox WHERE published_at IS NULL",
    "dead letters": "SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL",
    "failed submissions": "SELECT count(*) FROM submissions WHERE state = 'failed'",
    "runs that are not completed": "SELECT count(*) FROM judge_runs WHERE state <> 'completed'",
    "runs with too many pairs without a verdict": "SELECT count(*) FROM judge_runs"  # noqa: S608 - a constant
    f" WHERE items_unscored > {MAX_UNSCORED_SHARE} * items",
    "pairs that are not terminal": "SELECT count(*) FROM judge_run_pairs WHERE NOT terminal",
    "similarities that are due": "SELECT count(*) FROM similarities_due",
    "states entered twice": "SELECT count(*) - count(DISTINCT (submission_id, state))"
    " FROM submission_history",
    "entries without all ten metrics": "SELECT count(*) FROM entries e WHERE"
    " (SELECT count(*) FROM scores WHERE entry_id = e.id) <> 10",
    "submissions judged twice": "SELECT count(*) - count(DISTINCT submission_id)"
    " FROM judge_results",
    "completions told twice": "SELECT count(*) - count(DISTINCT body) FROM outbox"
    " WHERE type = 'judging.completed'",
}


@dataclass
class World:
    """A distributed installation under load."""

    postgres: PostgresServer
    rabbit: RabbitServer
    to_postgres: FaultProxy
    to_rabbit: FaultProxy
    database: Database
    """Past the proxy."""
    stub: Stub
    fleet: Fleet
    load: Load
    clock: Path | None
    """What the services' clocks are ahead is written here; None without libfaketime."""
    disk: Path | None
    """The small filesystem that Postgres lives on, where one could be mounted."""
    quick: bool
    chance: random.Random
    rows: list[dict[str, object]] = field(default_factory=list)
    open: int = 0

    async def value(self, query: str) -> int:
        """Return a number, as soon as the database is back."""
        while True:
            with contextlib.suppress(*TRANSIENT_ERRORS):
                async with asyncio.timeout(5):
                    return int(await self.database.pool.fetchval(query))
            await asyncio.sleep(0.1)

    async def counts(self) -> dict[str, int]:
        """Return how often each stage was done."""
        return {stage: await self.value(query) for stage, query in _STAGES.items()}

    async def resumed(self) -> dict[str, float]:
        """Return after how many seconds from now each stage was done again."""
        started, before = time.monotonic(), await self.counts()
        seconds: dict[str, float] = {}
        while len(seconds) < len(before):
            await asyncio.sleep(0.1)
            now = await self.counts()
            for stage, count in now.items():
                if count > before[stage] and stage not in seconds:
                    seconds[stage] = time.monotonic() - started
        return seconds

    async def watch(self) -> None:
        """Keep the number of open submissions, until cancelled."""
        while True:
            self.open = await self.value(_OPEN)
            await asyncio.sleep(0.2)

    async def operate(self) -> None:
        """Resume runs that wait for an operator once the provider gives verdicts, until cancelled.

        A run whose calls cost and give no verdict stops by itself; its alert says to resume it.
        """
        async with aiohttp.ClientSession(self.load.url, headers=_ADMIN) as http:
            while True:
                await asyncio.sleep(1)
                if self.stub.faults != CALM:
                    continue
                with contextlib.suppress(*TRANSIENT_ERRORS, aiohttp.ClientError):
                    for row in await self.database.pool.fetch(_WAITING_FOR_AN_OPERATOR):
                        path = f"/api/v1/submissions/{row['submission_id']}/judge/resume"
                        await http.post(path, json={"why": "the provider gives verdicts again"})

    async def ends(self) -> None:
        """Return once every accepted submission is ranked and judged, and nothing waits."""
        left = (
            _OPEN,
            _MUST_BE_NOTHING["messages in the outbox"],
            _MUST_BE_NOTHING["similarities that are due"],
            "SELECT count(*) FROM boards WHERE ranked_revision < revision",
        )
        # All of one moment: what is done in between sends messages of its own.
        while await self.value("SELECT " + " + ".join(f"({query})" for query in left)):
            await asyncio.sleep(0.2)

    async def broken(self) -> list[str]:
        """Return what does not hold, in words."""
        counts = {what: await self._left(query) for what, query in _MUST_BE_NOTHING.items()}
        broken = [f"{count} {what}" for what, count in counts.items() if count]
        submissions = await self.value("SELECT count(*) FROM submissions")
        if submissions != len(self.load.receipts):
            broken.append(f"{submissions} submissions for {len(self.load.receipts)} receipts")
        bad = sum(self.stub.injected[fault] for fault in ("malformed", "truncated", "other_model"))
        unscored = {row[0] for row in await self.database.pool.fetch(_WITHOUT_A_VERDICT)}
        if unscored and not bad:
            broken.append(f"{len(unscored)} models have pairs without a verdict")
        rows = await asyncio.to_thread(expected_board, sorted(self.load.receipts))
        expected = _comparable(rows, unscored)
        try:
            async with asyncio.timeout(HANG_SECONDS / 5):
                while (board := _comparable(await self.board(), unscored)) != expected:
                    await asyncio.sleep(0.3)
        except TimeoutError:
            wrong = sum(board.get(name) != row for name, row in expected.items())
            broken.append(f"{wrong} of {len(expected)} rows of the board differ")
        pairs = await self.value("SELECT count(*) FROM judge_verdicts")
        most = pairs + bad + CONCURRENCY * self.fleet.kills.count("services.judge")
        if self.stub.answered.total() > most:
            broken.append(f"{self.stub.answered.total()} calls were paid for, {most} expected")
        return broken

    async def _left(self, query: str) -> int:
        """Return what stays: statistics that are measured just now, say, send a message soon."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANG_SECONDS / 5):
                while await self.value(query):
                    await asyncio.sleep(0.3)
        return await self.value(query)

    async def board(self) -> list[dict[str, object]]:
        """Return the rows of the community board, as the API serves them."""
        try:
            async with (
                aiohttp.ClientSession(self.load.url) as http,
                http.get("/api/v1/leaderboards/community") as answer,
            ):
                content: dict[str, Any] = await answer.json()
        except (aiohttp.ClientError, OSError):
            return []
        return [
            {key: row[key] for key in ("rank", "model_name", "values")}
            for row in content.get("entries", [])
        ]


def _comparable(rows: list[dict[str, object]], unscored: set[object]) -> dict[object, object]:
    """Return a board's rows by model, as far as they can be known.

    A provider that lies may leave a few pairs of a run without a verdict. Then the values of that
    model rest on fewer, and ranks depend on them.
    """
    return {
        row["model_name"]: row["values"] if unscored else (row["rank"], row["values"])
        for row in rows
        if row["model_name"] not in unscored
    }


@asynccontextmanager
async def a_world(
    folder: Path, *, quick: bool, settings: Mapping[str, str] | None = None
) -> AsyncIterator[World]:
    """Start everything; `quick` shortens the services' patience for the short form."""
    async with AsyncExitStack() as stack:
        rabbit = RabbitServer()
        stack.callback(rabbit.close)
        rabbit.launch()
        disk = _small_disk(stack)
        clock = folder / "clock" if FAKETIME.exists() else None
        if clock is not None:
            clock.write_text("+0")
        postgres = stack.enter_context(PostgresServer(disk, env=_with_clock(clock)))
        await make_template(postgres.url(), postgres.url(TEMPLATE))
        database = await stack.enter_async_context(
            connect(postgres.url(TEMPLATE), size=4, application_name="chaos")
        )
        await load_demo_ground_truth(database)
        await asyncio.to_thread(rabbit.await_ready)
        to_postgres = await stack.enter_async_context(
            FaultProxy(lambda: asyncio.open_unix_connection(postgres.socket))
        )
        to_rabbit = await stack.enter_async_context(
            FaultProxy(lambda: asyncio.open_connection("127.0.0.1", rabbit.port))
        )
        stub = Stub(CALM)
        port = free_port()
        environment = {
            "MEDVID_DATABASE_URL": f"postgresql://postgres@127.0.0.1:{to_postgres.port}/{TEMPLATE}"
            "?sslmode=disable",
            "MEDVID_RABBITMQ_URL": f"amqp://guest:guest@127.0.0.1:{to_rabbit.port}/",
            "MEDVID_PORT": str(port),
            "MEDVID_JUDGE_BASE_URL": await stack.enter_async_context(running_stub(stub)),
            **_SETTINGS,
            **(_QUICK if quick else {}),
            **(settings or {}),
            **_with_clock(clock),
        }
        forks = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="medvid-forks-")))
        preloaded = stack.enter_context(Preloaded(forks, env=_with_clock(clock)))
        fleet = await stack.enter_async_context(
            Fleet(_MODULES, environment, folder, preloaded.path)
        )
        world = World(
            postgres, rabbit, to_postgres, to_rabbit, database, stub, fleet,
            Load(f"http://127.0.0.1:{port}"), clock, disk, quick, random.Random(_SEED),  # noqa: S311 - faults
        )  # fmt: skip
        tasks = [asyncio.create_task(world.watch()), asyncio.create_task(world.operate())]
        try:
            yield world
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


_SETTINGS: Final = {
    "MEDVID_ADMIN_KEY": _ADMIN_KEY,
    "MEDVID_JUDGE_PROVIDER": "stub",
    "MEDVID_JUDGE_AUTOMATIC": "true",
    "MEDVID_JUDGE_CONCURRENCY": str(CONCURRENCY),
    "MEDVID_JUDGE_TIMEOUT_SECONDS": "5",
    "MEDVID_SCORER_PROCESSES": "1",
    "MEDVID_VALIDATION_WORKERS": "1",
    "MEDVID_DRAIN_SECONDS": "3",
    "MEDVID_STARTUP_SECONDS": "600",
    "MEDVID_ADDRESS_SUBMISSIONS_PER_DAY": "100000",
    "MEDVID_ADDRESS_BYTES_PER_DAY": str(1 << 40),
    "MEDVID_LOG_FORMAT": "json",
}
_QUICK: Final = {
    "MEDVID_SIMILARITIES": "false",
    "MEDVID_STILL_SECONDS": "4",
    "MEDVID_PATROL_SECONDS": "1",
    "MEDVID_JUDGE_PATROL_SECONDS": "1",
    "MEDVID_JUDGE_LOST_SECONDS": "4",
    "MEDVID_JUDGE_CLAIM_SECONDS": "4",
    "MEDVID_JUDGE_TIMEOUT_SECONDS": "2",
    "MEDVID_JUDGE_BREAKER_SECONDS": "2",
}


def _with_clock(clock: Path | None) -> dict[str, str]:
    """Return the environment of a process whose clock can be shifted, but not its stopwatch."""
    if clock is None:
        return {}
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def _small_disk(stack: AsyncExitStack) -> Path | None:
    """Mount a filesystem for Postgres that can be filled up; None where that is not allowed."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="medvid-disk-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    options = ["mount", "-t", "tmpfs", "-o", "size=700m,mode=0755", "tmpfs", str(folder)]
    if subprocess.run(options, capture_output=True, check=False).returncode:  # noqa: S603 - ours
        return None
    unmount = ["umount", "-l", str(folder)]
    stack.callback(subprocess.run, unmount, capture_output=True, check=False)
    return folder
