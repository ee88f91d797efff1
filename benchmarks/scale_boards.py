"""A board from ten entries to a hundred thousand: ranking it, holding it, reading it.

The real ranker and the real gateway run as processes of their own on a throwaway database; their
processor time and peak memory are the kernel's figures. "One more" is an entry of middling values
that joins a board which is ranked already: half of the others move by a place.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from typing import Any, Final

import aiohttp
import asyncpg

from benchmarks.scale_processes import Service, start_service
from shared.storage.queries import load_queries

BOARD: Final = "/api/v1/leaderboards/community"
READS: Final = 30
PATIENCE_SECONDS: Final = 900
_SQL: Final = load_queries("benchmarks", "scale_boards.sql")


async def measure(url: str, entries: int) -> dict[str, Any]:
    """Measure a board of so many entries in the migrated, empty database at `url`."""
    async with AsyncExitStack() as stack:
        connection = await asyncpg.connect(url)
        stack.push_async_callback(connection.close)
        await connection.execute("SELECT setseed(0.5)")
        await connection.execute(_SQL["entries"], 1, entries, 0.0, 1.0, timeout=PATIENCE_SECONDS)
        await connection.execute("ANALYZE")
        ranker = await start_service(
            stack, "ranker", url, {"MEDVID_PATROL_SECONDS": "0.2", "MEDVID_FIGURES_SECONDS": "600"}
        )
        first = await _ranked(connection, ranker)
        gateway = await start_service(
            stack,
            "gateway",
            url,
            {"MEDVID_FIGURES_SECONDS": "600", "MEDVID_VALIDATION_WORKERS": "1"},
        )
        held = {"gateway_start_cpu_seconds": gateway.cpu_seconds()}
        reads = await _reads(gateway.address)
        before = gateway.cpu_seconds()
        more = await _one_more(connection, ranker, entries + 1)
        await _shown(gateway.address, entries + 1)
        held["gateway_change_cpu_seconds"] = gateway.cpu_seconds() - before
        content = await connection.fetchrow(_SQL["content_bytes"])
        assert content is not None  # noqa: S101 - it was ranked
        return {
            "entries": entries,
            "first_ranking_cpu_seconds": first["cpu_seconds"],
            **{f"one_more_{name}": value for name, value in more.items()},
            "ranker_peak_mib": ranker.peak_mib(),
            **held,
            "gateway_peak_mib": gateway.peak_mib(),
            "snapshot_mib": content["served"] / (1 << 20),
            "snapshot_stored_mib": content["stored"] / (1 << 20),
            **reads,
        }


async def _ranked(connection: asyncpg.Connection[Any], ranker: Service) -> dict[str, float]:
    """Raise the board's revision; return what it took until the board was ranked.

    At the same time somebody changes it every quarter of a second; the longest wait is printed.
    """
    cpu, started = ranker.cpu_seconds(), time.perf_counter()
    revision = await connection.fetchval(_SQL["changed"])
    longest_wait = 0.0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            asked = time.perf_counter()
            ranked = await connection.fetchval(_SQL["touched"], timeout=PATIENCE_SECONDS)
            longest_wait = max(longest_wait, time.perf_counter() - asked)
            if ranked >= revision:
                break
            await asyncio.sleep(0.25)
    return {
        "cpu_seconds": ranker.cpu_seconds() - cpu,
        "seconds": time.perf_counter() - started,
        "longest_wait_seconds": longest_wait,
    }


async def _one_more(
    connection: asyncpg.Connection[Any], ranker: Service, number: int
) -> dict[str, float]:
    await connection.execute(_SQL["entries"], number, number, 0.5, 0.0)
    before = await connection.fetchrow(_SQL["written"])
    assert before is not None  # noqa: S101 - one row
    found = await _ranked(connection, ranker)
    after = await connection.fetchrow(_SQL["written"])
    assert after is not None  # noqa: S101 - one row
    found["wal_mib"] = (after["wal"] - before["wal"]) / (1 << 20)
    found["history_rows"] = after["history"] - before["history"]
    return found


async def _shown(address: str, entries: int) -> None:
    """Wait until the gateway serves a board of so many entries."""
    async with aiohttp.ClientSession(address) as http, asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with http.get("/api/v1/leaderboards") as response:
                boards = (await response.json())["boards"]
            shown = [b["entries"] for b in boards if b["board"] == "community"]
            if shown and min(shown) >= entries:
                return
            await asyncio.sleep(0.05)


async def _reads(address: str) -> dict[str, float]:
    """Read the whole board, its first page, a page in its middle, and its HTML page."""
    async with aiohttp.ClientSession(address, auto_decompress=False) as http:
        whole = await _read(http, BOARD)
        first = await _read(http, f"{BOARD}?limit=100")
        page = await _read(http, "/community")
        middle = await _read(http, await _middle(address) or f"{BOARD}?limit=100")
    return {
        "whole_json_ms": whole[0],
        "whole_json_gzip_mib": whole[1] / (1 << 20),
        "first_100_ms": first[0],
        "next_100_ms": middle[0],
        "page_ms": page[0],
        "page_gzip_mib": page[1] / (1 << 20),
    }


async def _read(http: aiohttp.ClientSession, path: str) -> tuple[float, int]:
    """Return median milliseconds and bytes of a read."""
    times, size = [], 0
    for _ in range(READS):
        started = time.perf_counter()
        async with http.get(path, headers={"Accept-Encoding": "gzip"}) as response:
            assert response.status == 200, await response.text()  # noqa: S101 - a benchmark's check
            size = len(await response.read())
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times), size


async def _middle(address: str) -> str | None:
    """Return where the second page of a hundred is; None on a smaller board."""
    async with (
        aiohttp.ClientSession(address) as http,
        http.get(f"{BOARD}?limit=100") as response,
    ):
        following = (await response.json()).get("next")
        return str(following) if following else None
