"""Whether each further judge replica brings its calls, without a setting changed.

    python benchmarks/judge_fleet.py [--json] [--replicas 1 2 4 8 16] [--latency 4]

One fleet grows while it judges: to 1, 2, 4, 8, 16 replicas of the real service, each a process of
its own with its default settings, over a throwaway RabbitMQ and Postgres. They call one stand-in
judge over HTTP, whose answers come after the latency, up to a quarter earlier or later. At each
size the calls of `WAVES` latencies are counted and compared with concurrency / latency of so many
replicas; the latency is high enough that two cores do this in passing. Small databases' pools are
the only setting: all processes share one server of 200 connections.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from asyncio.subprocess import Process
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final
from uuid import UUID

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.judge_processes import (  # noqa: E402 - after the path
    Servers,
    fresh_database,
    start,
    start_servers,
    start_stub,
)
from services.judge.settings import JudgeSettings  # noqa: E402
from shared.storage.database import Database  # noqa: E402
from tests.judging import request_run, whole_benchmark  # noqa: E402

WAVES: Final = 10
"""Latencies for which calls are counted."""
_SETTLING_WAVES: Final = 7
"""A replica begins with two calls at a time, and doubles them with each answer."""
_SPREAD: Final = 0.25
_REPEATS: Final = 4
_PATIENCE_SECONDS: Final = 300


async def measure(servers: Servers, counts: list[int], latency: float) -> dict[str, Any]:
    """Let a fleet grow to each of these sizes; return what each size brought."""
    async with AsyncExitStack() as stack:
        _, database, environment = await fresh_database(stack, servers)
        faults = {"latency_seconds": latency, "latency_spread": _SPREAD}
        environment |= await start_stub(stack, **faults) | {"MEDVID_DATABASE_POOL_SIZE": "3"}
        run_id = await _ask_for_a_run(database)
        rounds = []
        running: list[Process] = []
        for count in counts:
            while len(running) < count:
                running.append(await start(stack, "services.judge", environment=environment))
            rounds.append(await _round(database, run_id, count, latency))
            print(rounds[-1], file=sys.stderr, flush=True)
        for each in running:  # at once: each finishes its calls
            each.terminate()
        return {
            "cores": os.cpu_count(),
            "latency_seconds": latency,
            "concurrency": _concurrency(),
            "rounds": rounds,
            "least_share_of_ideal": min(found["share_of_ideal"] for found in rounds),
        }


def _concurrency() -> int:
    return int(JudgeSettings.model_fields["judge_concurrency"].get_default())


async def _ask_for_a_run(database: Database) -> UUID:
    """Ask for more than the fleet does by then: the strong file's pairs, several times each."""
    submission = await whole_benchmark(database)
    return await request_run(database, submission, repeats=_REPEATS)


async def _round(database: Database, run_id: UUID, count: int, latency: float) -> dict[str, Any]:
    """Count the calls of `count` replicas, once all of them have found their pace."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not await _are_at_work(database, run_id, count):
            await asyncio.sleep(0.2)
    await asyncio.sleep(_SETTLING_WAVES * latency)
    row = await database.pool.fetchrow(
        "SELECT clock_timestamp() AS at, count(*) AS verdicts FROM judge_verdicts"
    )
    await asyncio.sleep(WAVES * latency)
    after = await database.pool.fetchrow(
        "SELECT clock_timestamp() AS at, count(*) AS verdicts FROM judge_verdicts"
    )
    assert row is not None  # noqa: S101 - aggregates
    assert after is not None  # noqa: S101 - aggregates
    state = await database.pool.fetchval("SELECT state FROM judge_runs WHERE id = $1", run_id)
    assert state == "running", f"the run is {state}: too few pairs"  # noqa: S101 - a check
    rate = (after["verdicts"] - row["verdicts"]) / (after["at"] - row["at"]).total_seconds()
    ideal = count * _concurrency() / latency
    return {
        "replicas": count,
        "calls_per_second": rate,
        "ideal_calls_per_second": ideal,
        "share_of_ideal": rate / ideal,
    }


async def _are_at_work(database: Database, run_id: UUID, count: int) -> bool:
    alive = await database.pool.fetchval(
        "SELECT count(*) FROM judge_replicas WHERE seen_at > now() - interval '10 seconds'"
    )
    state = await database.pool.fetchval("SELECT state FROM judge_runs WHERE id = $1", run_id)
    return alive >= count and state == "running"


async def run(counts: list[int], latency: float) -> dict[str, Any]:
    """Measure with servers of its own."""
    async with AsyncExitStack() as stack:
        return await measure(await start_servers(stack), counts, latency)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--latency", type=float, default=4.0)
    options = parser.parse_args()
    found = asyncio.run(run(sorted(options.replicas), options.latency))
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for each in found["rounds"]:
        print(
            f"{each['replicas']:>3} replica(s): {each['calls_per_second']:6.1f} calls/s, "
            f"{each['share_of_ideal']:.0%} of {each['ideal_calls_per_second']:.0f}"
        )


if __name__ == "__main__":
    main()
