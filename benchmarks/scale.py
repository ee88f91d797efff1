"""How it scales: replicas, entries on a board, verdicts kept, and what a submission costs.

    python benchmarks/scale.py replicas [--submissions 40] [--seconds 5]
    python benchmarks/scale.py boards [--entries 10 100 1000 10000 100000]
    python benchmarks/scale.py verdicts [--verdicts 10000000]      # 10 GB of disk for ten minutes

With `--json` as JSON. Everything runs on throwaway servers. docs/capacity.md reads these figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import asyncpg  # noqa: E402 - after the path
import structlog  # noqa: E402

from benchmarks import judge, scale_boards, scale_replicas, scale_verdicts  # noqa: E402
from tests.servers import TEMPLATE, PostgresServer, make_template  # noqa: E402

SLOW_MILLISECONDS = 500
"""No query on the judge's path may take longer, whatever its plan."""


async def replicas(counts: Sequence[int], submissions: int, seconds: float) -> dict[str, Any]:
    """Measure scorers, judges and gateways in these numbers."""
    async with AsyncExitStack() as stack:
        servers = await judge.start_servers(stack)
        return {
            "cores": os.cpu_count(),
            "scoring": [
                await scale_replicas.submissions(servers, scorers=count, count=submissions)
                for count in counts
            ],
            "judging": [
                await judge.measure(
                    servers, replicas=count, latency=0.2, concurrency=32, http=False
                )
                for count in counts
            ],
            "reading": [
                await scale_replicas.board_reads(servers, gateways=count, seconds=seconds)
                for count in counts
            ],
            "judging_estimate": scale_replicas.judging_cost(),
        }


async def boards(postgres: PostgresServer, sizes: Sequence[int]) -> dict[str, Any]:
    """Measure boards of these sizes."""
    await make_template(postgres.url(), postgres.url(TEMPLATE))
    found = []
    for entries in sizes:
        name = f"scale_{uuid4().hex[:8]}"
        await _sql(postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        found.append(await scale_boards.measure(postgres.url(name), entries))
        await _sql(postgres, f"DROP DATABASE {name} WITH (FORCE)")
    return {"boards": found}


async def verdicts(postgres: PostgresServer, count: int) -> dict[str, Any]:
    """Measure a history of so many verdicts; raises where a query reads a whole table."""
    await make_template(postgres.url(), postgres.url(TEMPLATE))
    connection = await asyncpg.connect(postgres.url(TEMPLATE))
    try:
        found = await scale_verdicts.load(connection, count)
        asked = await scale_verdicts.ask(connection)
    finally:
        await connection.close()
    found["queries"] = [asdict(query) for query in asked]
    found["wrong"] = [
        query.name for query in asked if query.read_whole or query.milliseconds > SLOW_MILLISECONDS
    ]
    return found


async def _sql(postgres: PostgresServer, statement: str) -> None:
    connection = await asyncpg.connect(postgres.url())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def show(found: object, indent: str = "") -> None:
    """Print figures for people: a table for a list of alike rows, else a line each."""
    if not isinstance(found, Mapping):
        print(f"{indent}{found}")
        return
    for name, value in found.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            print(f"{indent}{name}:")
            _table(value, indent + "  ")
        elif isinstance(value, Mapping):
            print(f"{indent}{name}:")
            show(value, indent + "  ")
        else:
            print(f"{indent}{name:<36} {_figure(value)}")


def _table(rows: Sequence[Mapping[str, Any]], indent: str) -> None:
    for name in rows[0]:
        print(f"{indent}{name:<36} " + " ".join(f"{_figure(row[name]):>12}" for row in rows))


def _figure(value: object) -> str:
    return f"{value:,.3f}" if isinstance(value, float) else str(value)


def main() -> int:
    """Measure what is asked for; 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("replicas", "boards", "verdicts"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--submissions", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--entries", type=int, nargs="+", default=[10, 100, 1_000, 10_000, 100_000])
    parser.add_argument("--verdicts", type=int, default=10_000_000)
    options = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    if options.what == "replicas":
        found = asyncio.run(replicas(options.counts, options.submissions, options.seconds))
    else:
        with PostgresServer() as postgres:
            found = asyncio.run(
                boards(postgres, options.entries)
                if options.what == "boards"
                else verdicts(postgres, options.verdicts)
            )
    print(json.dumps(found, indent=2)) if options.json else show(found)
    return 1 if found.get("wrong") else 0


if __name__ == "__main__":
    sys.exit(main())
