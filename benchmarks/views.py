"""Views of boards under attack: what a search waits while 100 connections ask for other views.

    python benchmarks/views.py [--entries 250 3000] [--seconds 8] [--against DIR] [--json]

A real gateway runs as a process of its own on a throwaway Postgres. From one address 100
connections ask for searches and orders that are all different, each again as soon as it has an
answer; from another address a reader searches, and reads the board as it is. `alone` is the same
reader without the 100. With `--against` a checkout of another version is measured in the same
run, by turns.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import orjson

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.scale_processes import start_service  # noqa: E402 - the path comes first
from medvid.benchmark.tasks import METRIC_KEYS  # noqa: E402
from tests.servers import TEMPLATE, PostgresServer, make_template  # noqa: E402

CONNECTIONS: Final = 100
ROUNDS: Final = 3
SORTS: Final = ("rank", "-date", "model", "mean_rank", *METRIC_KEYS)
SETTINGS: Final = {
    "MEDVID_TRUSTED_PROXIES": "127.0.0.0/8",
    "MEDVID_FIGURES_SECONDS": "600",
    "MEDVID_VALIDATION_WORKERS": "1",
}
_INSERT: Final = (
    "INSERT INTO snapshots (board, scoring, revision, content, content_sha256, entries)"
    " VALUES ('community', 'compat', 1, $1::bytea, encode(sha256($1::bytea), 'hex'), $2)"
)
_numbers = itertools.count()


def content(entries: int) -> bytes:
    """Return a board's rows as the ranker writes them."""
    chance = random.Random(entries)  # noqa: S311 - values, no secret
    return orjson.dumps(
        [
            {
                "rank": rank,
                "entry_id": str(UUID(int=rank)),
                "model_name": f"Model {rank}",
                "organization": f"Laboratory {rank % 37}",
                "team": "Team",
                "authors": "A. Author, B. Author",
                "model_url": f"https://example.org/{rank}",
                "track": ("Open", "Closed", None)[rank % 3],
                "badges": [],
                "submitted_on": f"2026-04-{1 + rank % 28:02}",
                "mean_rank": float(rank),
                "values": {key: round(chance.random(), 3) for key in METRIC_KEYS},
                "ranks": dict.fromkeys(METRIC_KEYS, rank),
            }
            for rank in range(1, entries + 1)
        ]
    )


async def measure(postgres: PostgresServer, entries: int, seconds: float, source: Path) -> Any:
    """Measure one version with a board of so many entries."""
    name = f"views_{uuid4().hex[:8]}"
    async with AsyncExitStack() as stack:
        admin = await asyncpg.connect(postgres.url())
        stack.push_async_callback(admin.close)
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        connection = await asyncpg.connect(postgres.url(name))
        await connection.execute(_INSERT, content(entries), entries)
        await connection.close()
        gateway = await start_service(stack, "gateway", postgres.url(name), SETTINGS, source)
        pool = aiohttp.TCPConnector(limit=0)
        http = await stack.enter_async_context(
            aiohttp.ClientSession(gateway.address, connector=pool, auto_decompress=False)
        )
        alone = await read(http, seconds / 4)
        answers: Counter[int] = Counter()
        attackers = [asyncio.create_task(attack(http, answers)) for _ in range(CONNECTIONS)]
        await asyncio.sleep(0.5)
        cpu, begun, before = gateway.cpu_seconds(), time.perf_counter(), answers[200]
        attacked = await read(http, seconds)
        made = answers[200] - before
        spent, took = gateway.cpu_seconds() - cpu, time.perf_counter() - begun
        for each in attackers:
            each.cancel()
        await asyncio.gather(*attackers, return_exceptions=True)
        return {
            "alone": alone,
            "attacked": attacked,
            "attackers_views_a_second": made / took,
            "attackers_answers": dict(answers),
            "gateway_cpu_share": spent / took,
            "peak_mib": gateway.peak_mib(),
        }


async def attack(http: aiohttp.ClientSession, answers: Counter[int]) -> None:
    """Ask for one view after another; what is refused is asked for again soon, not at once."""
    while True:
        async with http.get(unique(), headers=_from("203.0.113.9")) as response:
            await response.read()
        answers[response.status] += 1
        if response.status == 503:
            await asyncio.sleep(0.1)


async def read(http: aiohttp.ClientSession, seconds: float) -> dict[str, Any]:
    """Search and read from another address for so long; gives milliseconds."""
    searches: list[float] = []
    boards: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not searches:
        for path, times in ((unique(), searches), ("/community", boards)):
            begun = time.perf_counter()
            async with http.get(path, headers=_from("198.51.100.7")) as response:
                await response.read()
            statuses[response.status] += 1
            times.append(1000 * (time.perf_counter() - begun))
        await asyncio.sleep(0.02)
    return {
        "search_median_ms": statistics.median(searches),
        "search_worst_ms": max(searches),
        "board_median_ms": statistics.median(boards),
        "board_worst_ms": max(boards),
        "statuses": dict(statuses),
    }


def unique() -> str:
    """Return the address of a view that nobody asked for before."""
    number = next(_numbers)
    return f"/community?sort={SORTS[number % len(SORTS)]}&q=mod+{number:b}"


def _from(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address, "Accept-Encoding": "gzip"}


async def run(sizes: Sequence[int], seconds: float, sources: dict[str, Path]) -> dict[str, Any]:
    """Measure boards of these sizes, the versions by turns."""
    found: dict[str, Any] = {}
    with PostgresServer() as postgres:
        await make_template(postgres.url(), postgres.url(TEMPLATE))
        for entries in sizes:
            rounds: dict[str, list[Any]] = {name: [] for name in sources}
            for _ in range(ROUNDS):
                for name, source in sources.items():
                    rounds[name].append(await measure(postgres, entries, seconds, source))
            found[str(entries)] = {name: _summary(each) for name, each in rounds.items()}
    return found


def _summary(rounds: Sequence[Any]) -> dict[str, float]:
    def middle(*path: str) -> float:
        values = []
        for each in rounds:
            for step in path:
                each = each.get(step, 0) if isinstance(each, dict) else each
            values.append(float(each))
        return statistics.median(values)

    return {
        "search alone, ms": middle("alone", "search_median_ms"),
        "search attacked, median ms": middle("attacked", "search_median_ms"),
        "search attacked, worst ms": middle("attacked", "search_worst_ms"),
        "ready board attacked, median ms": middle("attacked", "board_median_ms"),
        "ready board attacked, worst ms": middle("attacked", "board_worst_ms"),
        "attackers' views a second": middle("attackers_views_a_second"),
        "gateway's processor share": middle("gateway_cpu_share"),
        "gateway's peak memory, MiB": middle("peak_mib"),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, nargs="+", default=[250, 3000])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--against", type=Path, help="a checkout of another version")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sources = {"here": ROOT} | ({"there": options.against} if options.against else {})
    found = asyncio.run(run(options.entries, options.seconds, sources))
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for entries, versions in found.items():
        print(f"{entries} entries")
        for line in next(iter(versions.values())):
            figures = (f"{name:>8} {each[line]:>10.1f}" for name, each in versions.items())
            print(f"  {line:<34}" + "".join(figures))


if __name__ == "__main__":
    main()
