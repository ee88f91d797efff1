"""The gateway under load: board reads beside a bare aiohttp handler, uploads, event streams.

    python benchmarks/gateway.py [--json] [--quick] [--rounds 24] [--repeats 3]

A real gateway runs as a process of its own on a throwaway Postgres and RabbitMQ; so does a bare
aiohttp handler that returns the same bytes. Rounds of reads alternate between the two and are
short, so that whatever else the machine does hits both alike; `ratio` is the median over pairs of
rounds, `cpu` the same by processor time a request, which a busy machine hardly disturbs.

- reads: 32 connections that ask as fast as they are answered, nothing else going on.
- mix: the same, while 4 submissions of 1.4 MB a second are uploaded, checked and stored; then
  reads at a steady 200 a second, whose waits are reported (from when they were due).
- events: 500 streams on one submission, then 500 on a board; the time from the commit of a change
  to the last stream that heard of it.
- memory: of the gateway with its worker processes, shared pages counted once.

Promised: ratio 0.85 in the mix, 99 % of the steady reads below 50 ms, all streams within 1 s.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import aiohttp
import orjson
import uvloop

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.gateway_load import (  # noqa: E402 - the path comes first
    Memory,
    Uploads,
    cpu_seconds,
    heard,
    pace,
    request,
    saturate,
    serve_bare,
    uploading,
)
from benchmarks.scale_processes import Service, start_service  # noqa: E402
from medvid.benchmark.tasks import METRIC_KEYS  # noqa: E402
from services.operate.ground_truth import store_ground_truth  # noqa: E402
from shared.contracts.messages import BoardRanked, JudgingProgressed  # noqa: E402
from shared.runtime.infrastructure import Infrastructure, infrastructure  # noqa: E402
from shared.runtime.settings import CommonSettings  # noqa: E402
from shared.storage.database import connect  # noqa: E402
from shared.storage.migrate import migrate  # noqa: E402
from tests.servers import PostgresServer, RabbitServer  # noqa: E402

DATA: Final = Path(__file__).parent / "data"
ENTRIES: Final = 40
BOARD: Final = "/api/v1/leaderboards/community"
UPLOADS_A_SECOND: Final = 4.0
READS_A_SECOND: Final = 200.0
STREAMS: Final = 500
PROMISED: Final = {"ratio": 0.85, "p99_ms": 50.0, "stream_seconds": 1.0}
READS: Final[dict[str, dict[str, str]]] = {
    "identity": {},
    "gzip": {"Accept-Encoding": "gzip, deflate, br"},
    "304": {},  # with the board's entity tag
}


@dataclass(frozen=True, slots=True)
class Options:
    """How long to measure."""

    seconds: float
    rounds: int
    connections: int
    repeats: int
    steady_seconds: float


@dataclass(frozen=True, slots=True)
class Server:
    """A server process that answers reads."""

    port: int
    pid: int
    paths: dict[str, str]


def main() -> int:
    """Measure and print; the exit status tells whether the promises are kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a sixth of the rounds, one repeat")
    parser.add_argument("--seconds", type=float, default=0.25, help="per round")
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3, help="of the mix and of the events")
    parser.add_argument("--connections", type=int, default=32)
    given = parser.parse_args()
    options = Options(
        given.seconds,
        max(2, given.rounds // 6) if given.quick else given.rounds,
        given.connections,
        1 if given.quick else given.repeats,
        3 if given.quick else 10,
    )
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer())
        rabbit = stack.enter_context(RabbitServer())
        found = uvloop.run(_measure(postgres.url(), rabbit.url(), options))
    found["kept"] = kept = _kept(found)
    if given.json:
        print(json.dumps({"promised": PROMISED, **found}))
    else:
        _print(found)
    return 0 if all(kept.values()) else 1


def _kept(found: dict[str, Any]) -> dict[str, bool]:
    mix, events = found["mix"], found["events"]
    return {
        "ratio": statistics.median(run["reads"]["ratio"] for run in mix) >= PROMISED["ratio"],
        "p99_ms": statistics.median(run["p99_ms"] for run in mix) < PROMISED["p99_ms"],
        "stream_seconds": max(run["worst_seconds"] for run in events) < PROMISED["stream_seconds"],
    }


async def _measure(postgres: str, rabbit: str, options: Options) -> dict[str, Any]:
    settings = {
        "MEDVID_RABBITMQ_URL": rabbit,
        "MEDVID_ADDRESS_SUBMISSIONS_PER_DAY": "1000000",
        "MEDVID_ADDRESS_BYTES_PER_DAY": str(1 << 50),
        # Those of the run before may not be found gone yet.
        "MEDVID_EVENT_STREAMS": str(2 * STREAMS),
        "MEDVID_BOARD_STREAMS": str(2 * STREAMS),
        "MEDVID_EVENT_STREAMS_PER_ADDRESS": str(2 * STREAMS),
        "MEDVID_UPLOAD_CONCURRENCY_PER_ADDRESS": "16",
    }
    async with AsyncExitStack() as stack:
        await _prepare(postgres)
        gateway = await start_service(stack, "gateway", postgres, settings)
        # Not held open while this process is busy reading: the broker would miss its heartbeats.
        common = CommonSettings(database_url=postgres, rabbitmq_url=rabbit)
        async with infrastructure(common, name="benchmark") as base:
            await _rank(base, 1)
        memory = Memory(gateway.process.pid)
        watching = asyncio.create_task(memory.watch())
        servers, etag = await _servers(stack, gateway)
        reads = {name: dict(headers) for name, headers in READS.items()}
        reads["304"]["If-None-Match"] = etag
        quiet = {
            name: await _compare(name, headers, servers, options) for name, headers in reads.items()
        }
        idle = memory.peak
        mix = [await _mix(gateway, servers, options) for _ in range(options.repeats)]
        mixed = memory.peak
        async with infrastructure(common, name="benchmark") as base:
            events = [
                await run(base, gateway)
                for _ in range(options.repeats)
                for run in (_submission_events, _board_events)
            ]
        watching.cancel()
        peaks = {"reads": idle, "mix": mixed, "events": memory.peak, "process": gateway.peak_mib()}
    return {
        "reads": quiet,
        "mix": mix,
        "events": events,
        "memory_mib": {name: round(peak) for name, peak in peaks.items()},
    }


async def _prepare(postgres: str) -> None:
    async with connect(postgres, size=1, application_name="benchmark") as database:
        await migrate(database)
        truth = DATA / "ground_truth.json.gz"
        await store_ground_truth(database, truth.read_bytes(), truth.name)


async def _rank(base: Infrastructure, revision: int) -> float:
    """Write a board of usual size as the ranker does, and tell; returns when it was committed."""
    rows = [
        {
            "rank": rank,
            "entry_id": str(UUID(int=rank)),
            "model_name": f"A model with a name of usual length {rank}, seen {revision} times",
            "organization": "An organization",
            "team": None,
            "authors": None,
            "model_url": f"https://example.org/models/{rank}",
            "track": None,
            "badges": ["baseline"],
            "submitted_on": "2026-04-15",
            "verified_on": None,
            "submission_id": None,
            "mean_rank": rank + 0.1,
            "values": {key: round(1 / (rank + 1), 3) for key in METRIC_KEYS},
            "ranks": dict.fromkeys(METRIC_KEYS, rank),
        }
        for rank in range(1, ENTRIES + 1)
    ]
    async with base.database.transaction() as transaction:
        number = await transaction.connection.fetchval(
            "UPDATE boards SET revision = revision + 1, ranked_revision = revision + 1"
            " WHERE board = 'community' RETURNING revision"
        )
        await transaction.connection.execute(
            "INSERT INTO snapshots (board, scoring, revision, content, content_sha256, entries)"
            " VALUES ('community', 'compat', $1, $2::bytea, encode(sha256($2::bytea), 'hex'), $3)",
            number,
            orjson.dumps(rows),
            len(rows),
        )
        await transaction.emit(BoardRanked(board="community", revision=number))
    return time.perf_counter()


async def _servers(stack: AsyncExitStack, gateway: Service) -> tuple[dict[str, Server], str]:
    """Return the gateway and a bare handler with the board's bytes, and the entity tag."""
    async with aiohttp.ClientSession(gateway.address, auto_decompress=False) as http:
        async with asyncio.timeout(30):
            while True:
                async with http.get(BOARD, headers={"Accept-Encoding": "identity"}) as response:
                    body = await response.read()
                if orjson.loads(body)["entries"]:
                    break
                await asyncio.sleep(0.05)
        async with http.get(BOARD, headers={"Accept-Encoding": "gzip"}) as response:
            packed = await response.read()
        async with http.get(BOARD, headers={"Accept-Encoding": "identity"}) as response:
            etag = response.headers["ETag"]
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve_bare, args=(body, packed, theirs), daemon=True)
    process.start()
    stack.callback(process.join, 10)
    stack.callback(ours.send, "stop")
    bare = Server(ours.recv(), process.pid or 0, {name: f"/{name}" for name in READS})
    return {
        "bare": bare,
        "gateway": Server(port_of(gateway), gateway.process.pid, dict.fromkeys(READS, BOARD)),
    }, etag


async def _compare(
    name: str, headers: dict[str, str], servers: dict[str, Server], options: Options
) -> dict[str, Any]:
    rates: dict[str, list[float]] = {kind: [] for kind in servers}
    costs = dict.fromkeys(servers, 0.0)
    waits: list[float] = []
    for number in range(options.rounds + 1):
        for kind, server in servers.items():
            asked = request(server.paths[name], headers)
            cpu = cpu_seconds(server.pid)
            done, times = await saturate(server.port, asked, options.seconds, options.connections)
            if number:  # the first round warms up
                rates[kind].append(done / options.seconds)
                costs[kind] += cpu_seconds(server.pid) - cpu
                waits += times if kind == "gateway" else []
    rounds = zip(rates["gateway"], rates["bare"], strict=True)
    pairs = [ours / theirs for ours, theirs in rounds if theirs]  # else the machine waited
    each = {kind: costs[kind] / (sum(rates[kind]) * options.seconds) for kind in rates}
    return {
        "bare": round(statistics.median(rates["bare"])),
        "gateway": round(statistics.median(rates["gateway"])),
        "ratio": round(statistics.median(pairs), 3),
        "cpu_ratio": round(each["bare"] / each["gateway"], 3),
        "p99_ms": round(1000 * statistics.quantiles(waits, n=100)[98], 2),
    }


async def _mix(gateway: Service, servers: dict[str, Server], options: Options) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(gzip.decompress((DATA / "predictions_strong.json.gz").read_bytes()))
        file.flush()
        with uploading(gateway.address, Path(file.name), UPLOADS_A_SECOND) as uploads:
            reads = await _compare("identity", {}, servers, options)
            # The bare handler under the same load tells what the machine alone makes of it.
            steady = {
                kind: await pace(
                    server.port,
                    request(server.paths["identity"]),
                    options.steady_seconds,
                    READS_A_SECOND,
                )
                for kind, server in servers.items()
            }
            found: Uploads = uploads()
    quantiles = {kind: statistics.quantiles(times, n=100) for kind, times in steady.items()}
    return {
        "reads": reads,
        "p50_ms": round(1000 * quantiles["gateway"][49], 2),
        "p99_ms": round(1000 * quantiles["gateway"][98], 2),
        "bare_p99_ms": round(1000 * quantiles["bare"][98], 2),
        "uploads": found.accepted,
        "uploads_refused": found.refused,
        "upload_seconds_median": round(statistics.median(found.seconds), 2),
        "upload_seconds_max": round(max(found.seconds), 2),
    }


def port_of(gateway: Service) -> int:
    """Return the port that a gateway listens at."""
    return int(gateway.address.rstrip("/").rpartition(":")[2])


async def _submission_events(base: Infrastructure, gateway: Service) -> dict[str, Any]:
    submission = await base.database.pool.fetchval("SELECT id FROM submissions LIMIT 1")

    async def change() -> float:
        async with base.database.transaction() as transaction:
            await transaction.connection.execute(
                "SELECT tell_watchers($1, 'progress', '{\"items_done\": 1}')", submission
            )
            run = JudgingProgressed(submission_id=submission, run_id=uuid4())
            await transaction.emit(run)
        return time.perf_counter()

    path = f"/api/v1/submissions/{submission}/events"
    return {
        "streams": f"{STREAMS} on a submission",
        **await heard(port_of(gateway), path, STREAMS, change),
    }


async def _board_events(base: Infrastructure, gateway: Service) -> dict[str, Any]:
    async def change() -> float:
        return await _rank(base, 2)

    return {
        "streams": f"{STREAMS} on a board",
        **await heard(port_of(gateway), f"{BOARD}/events", STREAMS, change),
    }


def _print(found: dict[str, Any]) -> None:
    print("reads        bare/s  gateway/s  ratio    cpu  p99 ms")
    for name, reads in [
        *found["reads"].items(),
        *(("in the mix", m["reads"]) for m in found["mix"]),
    ]:
        print(
            f"{name:<10}{reads['bare']:>9,}{reads['gateway']:>11,}{reads['ratio']:>7.2f}"
            f"{reads['cpu_ratio']:>7.2f}{reads['p99_ms']:>8.1f}"
        )
    print("\nsteady reads in the mix: p50 ms, p99 ms, bare p99 ms; uploads: seconds, longest")
    for mix in found["mix"]:
        print(
            f"{mix['p50_ms']:>10.1f}{mix['p99_ms']:>8.1f}{mix['bare_p99_ms']:>8.1f}"
            f"   {mix['uploads']} accepted, refused {mix['uploads_refused']}:"
            f" {mix['upload_seconds_median']:.2f} s, {mix['upload_seconds_max']:.2f} s"
        )
    print("\nstreams: seconds to the median one, to the last one, to the last one at worst")
    for run in found["events"]:
        print(
            f"{run['streams']:<20}{run['median_seconds']:>8.3f}{run['last_seconds_median']:>8.3f}"
            f"{run['worst_seconds']:>8.3f}"
        )
    print(f"\npeak memory, MiB: {found['memory_mib']}")
    print(f"promises: {found['kept']}")


if __name__ == "__main__":
    sys.exit(main())
