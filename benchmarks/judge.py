"""How fast replicas judge, and what database and broker cost a pair.

    python benchmarks/judge.py [--json] [--replicas 1 4] [--latency 0.2] [--concurrency 32]

Each replica is a process of its own over a throwaway RabbitMQ and Postgres. Their model answers as
the stand-in does after a fixed latency, inside the replica: so the figures show the machinery
around a call, and all replicas share this machine's cores without an HTTP client's work on top.
With `--http` they are the real service, with the real client, and each calls a stub judge's server
in a process of its own: then clients and servers compete for the same cores.
The ideal rate is concurrency / latency a replica. The submission is the benchmark's `strong` file.
The last figure repeats one replica without latency: what is left is the overhead a pair.

    python benchmarks/judge.py --pool [--requests-per-second 30]

measures a pool: one replica, the real service, over one, three and four endpoints of so many
requests a second each, and over four of which one is dead. Each endpoint is a stub judge's server
in a process of its own. The rate counts from a fifth of the pairs to the end of the run, with
nothing saved up before. Judged is the file without dense captions.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import sys
import time
from asyncio.subprocess import Process
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import asyncpg  # noqa: E402 - after the path

from benchmarks.judge_processes import (  # noqa: E402
    Servers,
    cpu_seconds,
    fresh_database,
    ready,
    start,
    start_servers,
    start_stub,
)
from medvid.benchmark.ground_truth import load_ground_truth  # noqa: E402
from shared.storage.database import Database  # noqa: E402
from shared.storage.ground_truths import activate_ground_truth  # noqa: E402
from tests.judging import request_run, run_row  # noqa: E402
from tests.processes import free_port  # noqa: E402
from tests.rows import accept_submission  # noqa: E402

DATA = ROOT / "benchmarks" / "data"
PATIENCE_SECONDS = 300
_POOL_LATENCY = 0.1


async def measure(
    servers: Servers, *, replicas: int, latency: float, concurrency: int, http: bool
) -> dict[str, Any]:
    """Judge the strong file with so many fresh replicas on a fresh database."""
    async with AsyncExitStack() as stack:
        name, database, environment = await fresh_database(stack, servers)
        environment |= {
            "MEDVID_JUDGE_CONCURRENCY": str(concurrency),
            "MEDVID_TEST_LATENCY": str(latency),
        }
        processes = [
            await start_replica(stack, environment, latency if http else None)
            for _ in range(replicas)
        ]
        await ready(servers, name, replicas)
        result = await judge_strong(database, "Strong")
        cpu = sum(cpu_seconds(process.pid) for process in processes)
        again = await judge_strong(database, "Strong again")
        result["warm_planning_seconds"] = again["planning_seconds"]
    result["replica_cpu_ms_a_pair"] = 1000 * cpu / result["pairs"]
    result["replicas"] = replicas
    result["ideal_pairs_per_second"] = replicas * concurrency / latency if latency else None
    if latency:
        result["share_of_ideal"] = result["pairs_per_second"] / result["ideal_pairs_per_second"]
    return result


async def start_replica(
    stack: AsyncExitStack, environment: dict[str, str], http_latency: float | None
) -> Process:
    """Start a judge process; with a latency, the real service and a stub of its own."""
    if http_latency is None:
        return await start(stack, "tests.judge_process", environment=environment)
    stub = await start_stub(stack, latency_seconds=http_latency)
    return await start(stack, "services.judge", environment=environment | stub)


async def judge_strong(
    database: Database, name: str, strong: bytes | None = None
) -> dict[str, Any]:
    """Judge the strong file; the rate counts from the first batch to the end of the run."""
    truth = gzip.decompress((DATA / "ground_truth.json.gz").read_bytes())
    loaded = load_ground_truth(truth)
    strong = strong or (DATA / "predictions_strong.json.gz").read_bytes()
    stored = await accept_submission(database, name, strong)
    async with database.transaction() as transaction:
        await activate_ground_truth(
            transaction, version=loaded.version, content=truth, samples=len(loaded)
        )
        await transaction.connection.execute(
            "UPDATE submissions SET ground_truth_version = $1", loaded.version
        )
    asked = time.perf_counter()
    run_id = await request_run(database, stored.submission_id)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await leaves(database, run_id, "queued")
        started = time.perf_counter()
        row = await leaves(database, run_id, "running")
    seconds = time.perf_counter() - started
    assert row["state"] == "completed", row["detail"]  # noqa: S101 - a benchmark's check
    return {
        "pairs": row["items"],
        "planning_seconds": started - asked,
        "judging_seconds": seconds,
        "pairs_per_second": row["items"] / seconds,
    }


async def leaves(database: Database, run_id: UUID, state: str) -> asyncpg.Record:
    """Return the run once it is in another state."""
    while True:
        row = await run_row(database, run_id)
        if row["state"] != state:
            return row
        await asyncio.sleep(0.01)


async def run(replicas: list[int], latency: float, concurrency: int, http: bool) -> dict[str, Any]:
    """Measure every number of replicas, and the overhead."""
    async with AsyncExitStack() as stack:
        servers = await start_servers(stack)
        rounds = [
            await measure(
                servers, replicas=count, latency=latency, concurrency=concurrency, http=http
            )
            for count in replicas
        ]
        bare = await measure(servers, replicas=1, latency=0, concurrency=concurrency, http=http)
    first = rounds[0]
    return {
        "cores": os.cpu_count(),
        "latency_seconds": latency,
        "concurrency": concurrency,
        "rounds": rounds,
        "speedups": {
            str(found["replicas"]): found["pairs_per_second"]
            / (first["pairs_per_second"] / first["replicas"])
            for found in rounds
        },
        "without_latency": bare,
        "overhead_ms_a_pair": 1000 / bare["pairs_per_second"],
    }


async def measure_pool(
    servers: Servers, *, endpoints: int, dead: int, per_second: float
) -> dict[str, Any]:
    """Judge the strong file over so many endpoints, `dead` of which nobody serves."""
    async with AsyncExitStack() as stack:
        name, database, environment = await fresh_database(stack, servers)
        folder = stack.enter_context(TemporaryDirectory())
        urls = [
            (await start_stub(stack, latency_seconds=_POOL_LATENCY))["MEDVID_JUDGE_BASE_URL"]
            for _ in range(endpoints - dead)
        ] + [f"http://127.0.0.1:{free_port()}/v1"] * dead
        file = Path(folder) / "pool.toml"
        file.write_text(
            "".join(
                f'[[endpoint]]\nname = "e{number}"\nbase_url = "{url}"\n'
                f"requests_per_minute = {60 * per_second}\n"
                for number, url in enumerate(urls)
            )
        )
        environment |= {"MEDVID_JUDGE_PROVIDER": "stub", "MEDVID_JUDGE_POOL": str(file)}
        await start(stack, "services.judge", environment=environment)
        await ready(servers, name, 1)
        await database.pool.executemany(
            "INSERT INTO judge_rate_buckets (account, requests, tokens) VALUES ($1, 0, 0)",
            [(f"e{number} None",) for number in range(endpoints)],  # the stand-in's model
        )
        watching = asyncio.create_task(steady(database))
        result = await judge_strong(database, "Strong", without_dense_captions())
        result["pairs_per_second"] = await watching
        rows = await database.pool.fetch("SELECT count(scores) AS pairs FROM judge_verdicts")
        result["judged"] = rows[0]["pairs"]
    return {**result, "endpoints": endpoints, "dead": dead}


def without_dense_captions() -> bytes:
    """Return the strong file without the task of most pairs, so that one endpoint ends soon."""
    records = json.loads(gzip.decompress((DATA / "predictions_strong.json.gz").read_bytes()))
    kept = [each for each in records if not each["qa_type"].startswith("dense_captioning")]
    return gzip.compress(json.dumps(kept).encode(), mtime=0)


async def steady(database: Database) -> float:
    """Return the pairs a second from a fifth of a run to its end; saved up requests are taken."""
    while True:
        row = await database.pool.fetchrow("SELECT * FROM judge_runs")
        if row is not None and row["state"] == "running":
            break
        await asyncio.sleep(0.01)
    await database.pool.execute(
        "UPDATE judge_rate_buckets SET requests = 0, refilled_at = clock_timestamp()"
    )
    begun: tuple[float, int] | None = None
    while True:
        row = await database.pool.fetchrow("SELECT * FROM judge_runs")
        now = time.perf_counter()
        if begun is None and row["items_done"] * 5 >= row["items"]:
            begun = (now, row["items_done"])
        if row["state"] != "running":
            assert begun is not None  # noqa: S101 - all are done
            return float((row["items_done"] - begun[1]) / (now - begun[0]))
        await asyncio.sleep(0.01)


async def run_pool(per_second: float) -> dict[str, Any]:
    """Measure pools of several sizes."""
    async with AsyncExitStack() as stack:
        servers = await start_servers(stack)
        rounds = []
        for endpoints, dead in ((1, 0), (3, 0), (4, 0), (4, 1)):
            rounds.append(
                await measure_pool(servers, endpoints=endpoints, dead=dead, per_second=per_second)
            )
            print(rounds[-1], file=sys.stderr, flush=True)
    one, three, four, dead = (found["pairs_per_second"] for found in rounds)
    return {
        "cores": os.cpu_count(),
        "requests_per_second": per_second,
        "rounds": rounds,
        "four_by_one": four / one,
        "dead_by_three": dead / three,
    }


def show_pool(result: dict[str, Any]) -> None:
    """Print the figures for people."""
    for found in result["rounds"]:
        print(
            f"{found['endpoints']} endpoint(s), {found['dead']} dead: {found['judged']} of "
            f"{found['pairs']} pairs judged, {found['pairs_per_second']:.1f} pairs/s"
        )
    print(
        f"four: {result['four_by_one']:.2f} x one; four with one dead: "
        f"{result['dead_by_three']:.2f} x three"
    )


def show(result: dict[str, Any]) -> None:
    """Print the figures for people."""
    for found in result["rounds"]:
        print(
            f"{found['replicas']} replica(s): {found['pairs']} pairs, planned in "
            f"{found['planning_seconds']:.2f} s cold, {found['warm_planning_seconds']:.2f} s warm, "
            f"{found['pairs_per_second']:.0f} pairs/s, "
            f"{found['share_of_ideal']:.1%} of concurrency / latency, "
            f"{result['speedups'][str(found['replicas'])]:.2f} x one, "
            f"{found['replica_cpu_ms_a_pair']:.2f} ms CPU a pair"
        )
    bare = result["without_latency"]
    print(
        f"without latency: {bare['pairs_per_second']:.0f} pairs/s, "
        f"{result['overhead_ms_a_pair']:.2f} ms a pair for database and broker"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--pool", action="store_true")
    parser.add_argument("--requests-per-second", type=float, default=30)
    options = parser.parse_args()
    if options.pool:
        found = asyncio.run(run_pool(options.requests_per_second))
        print(json.dumps(found, indent=2)) if options.json else show_pool(found)
        return
    result = asyncio.run(run(options.replicas, options.latency, options.concurrency, options.http))
    print(json.dumps(result, indent=2)) if options.json else show(result)


if __name__ == "__main__":
    main()
