"""Load on an HTTP server: readers, uploaders and watchers, each measured; and a bare handler."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, cast
from uuid import uuid4

import aiohttp
import uvloop
from aiohttp import web

_SPAWN: Final = get_context("spawn")
_END_OF_MESSAGE: Final = b"\r\n\r\n"


def request(path: str, headers: dict[str, str] | None = None) -> bytes:
    """Return the bytes of a GET."""
    fields = (f"{name}: {value}" for name, value in (headers or {}).items())
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode()


class Reader(asyncio.Protocol):
    """Asks on command and, unless paced, again as soon as it has the answer."""

    def __init__(self, asked: bytes, times: list[float], *, paced: bool = False) -> None:
        self._request = asked
        self._times = times
        self._paced = paced
        self._missing = 0
        self._head = b""
        self._due: deque[float] = deque()
        self.asking = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        if not self._paced:
            self.ask()

    def ask(self) -> None:
        """Send a request; its time counts from now, however long those before it take."""
        self._due.append(time.perf_counter())
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take what came: a part of an answer, or several of them."""
        while data or self._head:
            if self._missing == 0:
                head, found, data = (self._head + data).partition(_END_OF_MESSAGE)
                if not found:
                    self._head = head
                    return
                position = head.find(b"Content-Length: ")
                length = int(head[position + 16 :].split(b"\r\n", 1)[0]) if position >= 0 else 0
                self._missing, self._head = length, b""
            taken = min(self._missing, len(data))
            self._missing -= taken
            data = data[taken:]
            if self._missing:
                return
            self._times.append(time.perf_counter() - self._due.popleft())
            if self.asking and not self._paced:
                self.ask()


async def saturate(
    port: int, asked: bytes, seconds: float, connections: int
) -> tuple[int, list[float]]:
    """Read as fast as answers come; return how many came in that time, and how long each took."""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    opened = [
        await loop.create_connection(lambda: Reader(asked, times), "127.0.0.1", port)
        for _ in range(connections)
    ]
    start = len(times)
    await asyncio.sleep(seconds)
    done = len(times) - start
    for transport, reader in opened:
        reader.asking = False
        transport.close()
    return done, times[start : start + done]


async def pace(port: int, asked: bytes, seconds: float, rate: float) -> list[float]:
    """Read at a steady rate, whatever the server does; return how long each read took."""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    opened = [
        await loop.create_connection(lambda: Reader(asked, times, paced=True), "127.0.0.1", port)
        for _ in range(16)
    ]
    began = loop.time()
    count = int(seconds * rate)
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
        opened[number % len(opened)][1].ask()
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            while len(times) < count:
                await asyncio.sleep(0.01)
    for transport, _ in opened:
        transport.close()
    return times + [float("inf")] * (count - len(times))


class Watcher(asyncio.Protocol):
    """An event stream; notes when its events come."""

    def __init__(self, asked: bytes, note: Callable[[bytes], None]) -> None:
        self._request = asked
        self._note = note
        self.heads = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note what came."""
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(data[:500].decode())
        self._note(data)


@dataclass(slots=True)
class Uploads:
    """What the uploads that went on beside it came to."""

    accepted: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)


@contextmanager
def uploading(url: str, file: Path, rate: float) -> Iterator[Callable[[], Uploads]]:
    """Send submissions at a steady rate from a process of its own; call the result at the end."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_upload, args=(url, file, rate, theirs), daemon=True)
    process.start()
    ours.recv()  # the first was answered
    result: Uploads | None = None

    def end() -> Uploads:
        nonlocal result
        if result is None:
            ours.send("stop")
            result = cast(Uploads, ours.recv())
            process.join(10)
        return result

    try:
        yield end
    finally:
        end()


def _upload(url: str, file: Path, rate: float, pipe: Connection) -> None:
    uvloop.run(_uploads(url, file.read_bytes(), rate, pipe))


async def _uploads(url: str, content: bytes, rate: float, pipe: Connection) -> None:
    found = Uploads()
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(url, timeout=timeout) as http, asyncio.TaskGroup() as group:
        await _send(http, content, found)
        pipe.send("ready")
        loop = asyncio.get_running_loop()
        began, number = loop.time(), 0
        while not pipe.poll():
            group.create_task(_send(http, content, found))
            number += 1
            await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
    pipe.send(found)


async def _send(http: aiohttp.ClientSession, content: bytes, found: Uploads) -> None:
    form = aiohttp.FormData({"model_name": f"Model {uuid4()}", "organization": "Benchmark"})
    form.add_field("file", content, filename="predictions.json")
    began = time.perf_counter()
    async with http.post("/api/v1/submissions", data=form) as response:
        answer: Any = await response.json(content_type=None)
    if response.status == 202:
        found.seconds.append(time.perf_counter() - began)
        found.accepted += 1
    else:
        code = answer.get("code", str(response.status))
        found.refused[code] = found.refused.get(code, 0) + 1


@dataclass(slots=True)
class Memory:
    """Watches the memory of a process and of those it started (Linux): MiB, shared parts once."""

    pid: int
    peak: float = 0.0

    async def watch(self) -> None:
        """Look every quarter of a second, until cancelled."""
        while True:
            self.peak = max(self.peak, sum(_proportional_mib(pid) for pid in family(self.pid)))
            await asyncio.sleep(0.25)


def family(pid: int) -> list[int]:
    """Return a process and its descendants, by whichever of its threads they were started."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):
                found += [int(child) for child in task.read_text().split()]
    return found


def _proportional_mib(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process itself has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def heard(
    port: int, path: str, streams: int, change: Callable[[], Awaitable[float]]
) -> dict[str, Any]:
    """Open streams; measure from each change, whose commit it returns, until all have heard."""
    loop = asyncio.get_running_loop()
    last: dict[int, float] = {}
    watchers = []

    for number in range(streams):

        def note(data: bytes, number: int = number) -> None:
            if b"data:" in data:
                last[number] = time.perf_counter()

        _, watcher = await loop.create_connection(
            lambda note=note: Watcher(request(path), note), "127.0.0.1", port
        )
        watchers.append(watcher)
    try:
        await _wait_for(last, streams)  # what happened before
        waits = []
        for _ in range(5):
            await asyncio.sleep(0.5)
            last.clear()
            committed = await change()
            await _wait_for(last, streams)
            waits.append(sorted(at - committed for at in last.values()))
    finally:
        for watcher in watchers:
            watcher.transport.close()
    return {
        "median_seconds": round(statistics.median(wait for each in waits for wait in each), 3),
        "last_seconds_median": round(statistics.median(each[-1] for each in waits), 3),
        "worst_seconds": round(max(each[-1] for each in waits), 3),
    }


async def _wait_for(last: dict[int, float], streams: int) -> None:
    async with asyncio.timeout(30):
        while len(last) < streams:
            await asyncio.sleep(0.01)


def serve_bare(body: bytes, packed: bytes, pipe: Connection) -> None:
    """Answer with these bytes until the pipe says stop: what a handler without a gateway costs."""

    async def identity(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async def zipped(_: web.Request) -> web.Response:
        return web.Response(
            body=packed, content_type="application/json", headers={"Content-Encoding": "gzip"}
        )

    async def not_modified(_: web.Request) -> web.Response:
        return web.Response(status=304)

    async def serve() -> None:
        app = web.Application()
        app.add_routes(
            [
                web.get("/identity", identity),
                web.get("/gzip", zipped),
                web.get("/304", not_modified),
            ]
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.to_thread(pipe.recv)  # until the parent says stop
        await runner.cleanup()

    uvloop.run(serve())
