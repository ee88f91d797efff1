"""Board reads: the gateway beside a bare aiohttp handler that returns the same bytes.

    python benchmarks/gateway.py [--json] [--seconds 0.25] [--rounds 24] [--connections 32]

Both servers run in processes of their own; this process asks, over connections that stay open.
Rounds alternate between the two and are short, so that whatever else the machine does hits both
alike; the ratio is the median over pairs of rounds. `cpu` is the same ratio by processor time for
a request, which a busy machine hardly disturbs. The promise: at least 85 % of the bare handler's
requests a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, cast

import orjson
import uvloop
from aiohttp import web

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from services.gateway.boards import Boards  # noqa: E402 - the path comes first
from services.gateway.bootstrap import application, surroundings  # noqa: E402
from services.gateway.handlers import AcceptSubmission, ReadStatus  # noqa: E402
from services.gateway.judging_bootstrap import build_judging  # noqa: E402
from services.gateway.pages import Pages  # noqa: E402
from services.gateway.ports import Snapshot, SnapshotRef  # noqa: E402
from services.gateway.server import Runner  # noqa: E402
from services.gateway.settings import GatewaySettings  # noqa: E402
from services.gateway.uploads import Receiver  # noqa: E402
from shared.benchmark.tasks import METRIC_KEYS  # noqa: E402
from shared.runtime.ops import Readiness  # noqa: E402

ENTRIES: Final = 40
PATH: Final = "/api/v1/leaderboards/community"
PROMISED_RATIO: Final = 0.85
LONG_AGO: Final = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> int:
    """Measure and print; the exit status tells whether the promise is kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=0.25, help="per round")
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    results = uvloop.run(_measure(options.seconds, options.rounds, options.connections))
    kept = all(result["ratio"] >= PROMISED_RATIO for result in results.values())
    if options.json:
        print(json.dumps({"promised_ratio": PROMISED_RATIO, "kept": kept, "reads": results}))
        return 0 if kept else 1
    print("board read     bytes    bare/s  gateway/s   ratio    cpu   p99 ms")
    for name, result in results.items():
        print(
            f"{name:<12}{result['bytes']:>8,}{result['bare']:>10,.0f}{result['gateway']:>11,.0f}"
            f"{result['ratio']:>8.2f}{result['cpu_ratio']:>7.2f}{result['gateway_p99_ms']:>9.2f}"
        )
    return 0 if kept else 1


class OneBoard:
    """A snapshot source without a database."""

    async def newest_snapshots(self) -> Sequence[SnapshotRef]:
        """Return the only one."""
        return [SnapshotRef(1, "community", "compat")]

    async def snapshot(self, snapshot_id: int) -> Snapshot:
        """Return a board of usual size."""
        rows = [
            {
                "rank": rank,
                "entry_id": f"00000000-0000-4000-8000-{rank:012}",
                "model_name": f"A model with a name of usual length {rank}",
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
        return Snapshot("community", "compat", snapshot_id, orjson.dumps(rows), LONG_AGO)


async def _gateway() -> web.AppRunner:
    pages = Pages()
    boards = Boards(OneBoard(), pages.board, poll_seconds=1)
    await boards.refresh()
    unused: Any = None
    app = application(
        accept=cast(AcceptSubmission, unused),
        read_status=cast(ReadStatus, unused),
        judging=build_judging(unused, unused, GatewaySettings()),
        receiver=cast(Receiver, unused),
        boards=boards,
        pages=pages,
        readiness=Readiness(),
    )
    return Runner(app, surroundings(boards, pages), lingering_seconds=1, drain_seconds=1)


async def _bare() -> web.AppRunner:
    boards = Boards(OneBoard(), Pages().board, poll_seconds=1)
    await boards.refresh()
    ready = boards.get("community", "compat")
    assert ready is not None  # noqa: S101 - a benchmark
    body, packed = ready.json.identity.body, ready.json.gzip.body

    async def identity(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async def gzip(_: web.Request) -> web.Response:
        return web.Response(
            body=packed, content_type="application/json", headers={"Content-Encoding": "gzip"}
        )

    async def not_modified(_: web.Request) -> web.Response:
        return web.Response(status=304)

    app = web.Application()
    app.add_routes(
        [web.get("/identity", identity), web.get("/gzip", gzip), web.get("/304", not_modified)]
    )
    return web.AppRunner(app, access_log=None)


def _serve(kind: str, pipe: Connection) -> None:
    async def serve() -> None:
        runner = await (_gateway() if kind == "gateway" else _bare())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.to_thread(pipe.recv)  # until we are told to stop
        await runner.cleanup()

    uvloop.run(serve())


@dataclass(frozen=True, slots=True)
class Read:
    """One kind of read: what is asked of the bare server and of the gateway."""

    bare_path: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Server:
    """A server process."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Return the processor time it has used (Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _measure(seconds: float, rounds: int, connections: int) -> dict[str, dict[str, Any]]:
    context = multiprocessing.get_context("spawn")
    servers, pipes, processes = {}, [], []
    for kind in ("bare", "gateway"):
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(kind, theirs), daemon=True)
        process.start()
        servers[kind] = Server(ours.recv(), process.pid or 0)
        pipes.append(ours)
        processes.append(process)
    try:
        etag = (await _ask(servers["gateway"].port, _request(PATH, {})))[1]
        reads = {
            "identity": Read("/identity", {}),
            "gzip": Read("/gzip", {"Accept-Encoding": "gzip, deflate, br"}),
            "304": Read("/304", {"If-None-Match": etag}),
        }
        return {
            name: await _compare(read, servers, seconds, rounds, connections)
            for name, read in reads.items()
        }
    finally:
        for pipe, process in zip(pipes, processes, strict=True):
            pipe.send("stop")
            process.join(10)


async def _compare(
    read: Read, servers: dict[str, Server], seconds: float, rounds: int, connections: int
) -> dict[str, Any]:
    requests = {
        "bare": _request(read.bare_path, read.headers),
        "gateway": _request(PATH, read.headers),
    }
    rates: dict[str, list[float]] = {"bare": [], "gateway": []}
    costs = dict.fromkeys(rates, 0.0)
    waits: list[float] = []
    sizes = {kind: (await _ask(servers[kind].port, requests[kind]))[0] for kind in requests}
    for number in range(rounds + 1):
        for kind, request in requests.items():
            cpu = servers[kind].cpu_seconds()
            done, times = await _load(servers[kind].port, request, seconds, connections)
            if number:  # the first round warms up
                rates[kind].append(done / seconds)
                costs[kind] += servers[kind].cpu_seconds() - cpu
                waits += times if kind == "gateway" else []
    bare, gateway = (statistics.median(rates[kind]) for kind in ("bare", "gateway"))
    pairs = [ours / theirs for ours, theirs in zip(rates["gateway"], rates["bare"], strict=True)]
    each = {kind: costs[kind] / (sum(rates[kind]) * seconds) for kind in rates}
    return {
        "bytes": sizes["gateway"],
        "bare": round(bare),
        "gateway": round(gateway),
        "ratio": round(statistics.median(pairs), 3),
        "cpu_ratio": round(each["bare"] / each["gateway"], 3),
        "ratios": [round(pair, 3) for pair in pairs],
        "gateway_p99_ms": round(1000 * statistics.quantiles(waits, n=100)[98], 2),
    }


def _request(path: str, headers: dict[str, str]) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def _ask(port: int, request: bytes) -> tuple[int, str]:
    """Return the answer's body size and entity tag."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    writer.close()
    return int(fields.get("content-length", 0)), fields.get("etag", "")


class _Asker(asyncio.Protocol):
    """Asks again as soon as it has the answer, whose end it finds by its length."""

    def __init__(self, request: bytes, times: list[float]) -> None:
        self._request = request
        self._times = times
        self._missing = 0
        self._head = b""
        self._sent = 0.0
        self.asking = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._missing == 0:
            self._head += data
            head, found, body = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            position = head.find(b"Content-Length: ")
            length = int(head[position + 16 :].split(b"\r\n", 1)[0]) if position >= 0 else 0
            self._missing = length - len(body)
            self._head = b""
        else:
            self._missing -= len(data)
        if self._missing == 0:
            self._times.append(time.perf_counter() - self._sent)
            if self.asking:
                self._ask()


async def _load(
    port: int, request: bytes, seconds: float, connections: int
) -> tuple[int, list[float]]:
    loop = asyncio.get_running_loop()
    times: list[float] = []
    opened = [
        await loop.create_connection(lambda: _Asker(request, times), "127.0.0.1", port)
        for _ in range(connections)
    ]
    start = len(times)
    await asyncio.sleep(seconds)
    done = len(times) - start
    for transport, asker in opened:
        asker.asking = False
        transport.close()
    return done, times[start : start + done]


if __name__ == "__main__":
    sys.exit(main())
