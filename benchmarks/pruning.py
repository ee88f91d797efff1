"""What pruning takes among millions of rows, and whether later batches take longer than the first.

    python benchmarks/pruning.py [--rows 1000000] [--batches 0] [--json]

A throwaway Postgres gets so many verdicts, pairs of judge runs (half of the runs left their boards;
half of their captions are in runs that stay) and ranks (a board ranked every hour, whose snapshots
are thinned to one a day). Every rule runs to its end, or for so many batches, and each is timed:
the figures are medians of the first tenth and of the last tenth of the batches, from one run.
docs/performance.md reads them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from shared.runtime import retention  # noqa: E402 - after the path
from shared.runtime.logs import configure_logs  # noqa: E402
from shared.runtime.retention import RULES, Rule  # noqa: E402
from shared.storage.database import Database, connect  # noqa: E402
from shared.storage.migrate import migrate  # noqa: E402
from shared.storage.queries import load_queries  # noqa: E402
from tests.servers import PostgresServer  # noqa: E402

VERSION: Final = "ab" * 32
A_RUN: Final = 5_000
SNAPSHOTS: Final = 4_000
_SQL: Final = load_queries("benchmarks", "pruning.sql")
_DAYS: Final = {"texts": 90.0, "raw_replies": 365.0, "snapshots": 30.0, "rank_history": 30.0}
_RULES: Final = ("snapshots", "raw_replies", "texts", "run_pairs", "captions", "rank_history")


async def measure(database: Database, rows: int, batches: int) -> dict[str, Any]:
    """Load, and prune rule by rule."""
    values = {
        "version": VERSION, "rows": rows, "a_run": A_RUN, "runs": rows // A_RUN,
        "snapshots": SNAPSHOTS, "ranked": rows // SNAPSHOTS,
    }  # fmt: skip
    async with database.pool.acquire() as connection:
        for name, sql in _SQL.items():
            if name.startswith("load_"):
                await connection.execute(sql.format(**values), timeout=3600)
        index = await connection.fetchval(_SQL["bytes_of_index"])
    found: dict[str, Any] = {"rows": rows, "bytes_of_hash_index_a_pair": index / rows}
    for rule in RULES:
        if rule.name in _RULES:
            found[rule.name] = await _pruned(database, rule, batches)
    return found


async def _pruned(database: Database, rule: Rule, batches: int) -> dict[str, Any]:
    days, place, gone = _DAYS.get(rule.name, 365.0), None, 0
    times: list[float] = []
    modes: set[str] = set()
    while True:
        began = time.perf_counter()
        async with database.transaction() as transaction:
            await retention._is_alone(transaction.connection, rule)  # noqa: SLF001 - as the pruner
            rows, place = await retention._let_go(transaction.connection, rule, days, place)  # noqa: SLF001
            spent = time.perf_counter() - began
            if len(times) < 3:
                locks = await database.pool.fetch(_SQL["locks_held"])
                modes |= {row["mode"] for row in locks}
        if place is None:
            break
        times.append(1000 * spent)
        gone += rows
        if len(times) == batches:
            break
    few = max(1, len(times) // 10)
    return {
        "rows": gone,
        "batches": len(times),
        "seconds": sum(times) / 1000,
        "first_ms": statistics.median(times[:few]),
        "last_ms": statistics.median(times[-few:]),
        "longest_ms": max(times),
        "locks": ", ".join(sorted(modes)),
    }


async def _main(rows: int, batches: int) -> dict[str, Any]:
    with PostgresServer() as server:
        async with connect(server.url(), size=2, application_name="benchmark") as database:
            await migrate(database)
            return await measure(database, rows, batches)


def _show(found: Mapping[str, Any], indent: str = "") -> None:
    for name, value in found.items():
        if isinstance(value, Mapping):
            print(f"{indent}{name}:")
            _show(value, indent + "  ")
        else:
            shown = value if isinstance(value, str) else f"{value:,.1f}"
            print(f"{indent}{name:<28} {shown}")


def main() -> int:
    """Measure; 1 where a batch at the end takes more than thrice as long as at the beginning."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batches", type=int, default=0, help="of each rule at most; 0 for all")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    configure_logs("warning", "auto", "benchmark")
    found = asyncio.run(_main(options.rows, options.batches))
    print(json.dumps(found)) if options.json else _show(found)
    slow = [name for name in _RULES if found[name]["last_ms"] > 3 * found[name]["first_ms"]]
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
