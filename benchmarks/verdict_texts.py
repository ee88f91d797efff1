"""What verdicts' texts take, in their rows and packed, and whether readers and writers notice.

    python benchmarks/verdict_texts.py [--verdicts 200000] [--json]

A throwaway Postgres gets so many verdicts: half with the plain reply of five scores, half with a
reason of 25 to 40 words too, drawn from 90 words of surgery. The same queries run before and after
the pruner has packed the texts, in one run. Bytes are those of whole tables with their indexes:
after VACUUM FULL ("live"), and as files lie after plain vacuums ("files"). docs/performance.md
reads these figures.
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
from uuid import UUID

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from shared.runtime import retention  # noqa: E402 - after the path
from shared.runtime.retention import RULES, Pruner, RetentionSettings  # noqa: E402
from shared.storage.database import Database, connect  # noqa: E402
from shared.storage.migrate import migrate  # noqa: E402
from shared.storage.queries import load_queries  # noqa: E402
from tests.servers import PostgresServer  # noqa: E402

TEN_MILLION: Final = 10_000_000
A_RUN: Final = 5_000
VERSION: Final = "ab" * 32
_SQL: Final = load_queries("benchmarks", "verdict_texts.sql")
_GATEWAY: Final = load_queries("services.gateway.judging")
_JUDGE: Final = load_queries("services.judge")
_REREADS: Final = load_queries("services.judge", "rereads.sql")
_RUN: Final = UUID(int=1 << 40)


async def measure(database: Database, verdicts: int) -> dict[str, Any]:
    """Load, measure, pack, measure again."""
    for name, sql in _SQL.items():
        if name.startswith("load_"):
            text = sql.format(version=VERSION, verdicts=verdicts, a_run=A_RUN, run=_RUN)
            await database.pool.execute(text, timeout=3600)
    found: dict[str, Any] = {"verdicts": verdicts}
    found["before"] = await _looked_at(database, verdicts, 1)
    began = time.perf_counter()
    packed = await _pack(database)
    found["packing"] = {"texts": packed, "texts_a_second": packed / (time.perf_counter() - began)}
    found["after"] = await _looked_at(database, verdicts, 2)
    before, after = found["before"], found["after"]
    found["ratio"] = {
        "live_bytes_a_verdict": before["live_bytes_a_verdict"] / after["live_bytes_a_verdict"],
        "text_bytes_a_verdict": before["text_bytes_a_verdict"] / after["text_bytes_a_verdict"],
    }
    return found


async def _looked_at(database: Database, verdicts: int, round_: int) -> dict[str, Any]:
    """Return bytes a verdict and times in milliseconds, each the median of several."""
    files = await _bytes(database)
    for table in ("judge_verdicts", "judge_text_packs"):
        await database.pool.execute(f"VACUUM (FULL, ANALYZE) {table}", timeout=3600)
    live = await _bytes(database)
    texts = await database.pool.fetchval(_SQL["text_bytes"], timeout=600)
    items = [*range(A_RUN - 100, A_RUN)]
    page = (_RUN, VERSION, None, None, 100, A_RUN - 200, None, None, [], None, None, None, False)
    return {
        "files_bytes_a_verdict": files / verdicts,
        "live_bytes_a_verdict": live / verdicts,
        "text_bytes_a_verdict": texts / verdicts,
        "ten_million_gb": live / verdicts * TEN_MILLION / 1e9,
        "owners_page_of_100_ms": await _median(database, _GATEWAY["verdicts_page"], *page),
        "reasons_of_100_ms": await _median(
            database, _GATEWAY["rationales"], _RUN, VERSION, items, [0] * len(items)
        ),
        "replies_of_a_run_ms": await _median(database, _REREADS["replies"], _RUN, VERSION),
        "insert_of_a_verdict_ms": await _inserted(database, round_),
    }


async def _bytes(database: Database) -> int:
    return int(await database.pool.fetchval(_SQL["bytes"]))


async def _median(database: Database, sql: str, *arguments: Any) -> float:
    times = []
    for _ in range(7):
        began = time.perf_counter()
        rows = await database.pool.fetch(sql, *arguments, timeout=600)
        times.append(1000 * (time.perf_counter() - began))
        assert rows, sql  # noqa: S101 - a query that finds nothing measures nothing
    return statistics.median(times)


async def _inserted(database: Database, round_: int) -> float:
    """Save as many verdicts as a run has, each in a transaction, as a judge does."""
    saved = []
    async with database.pool.acquire() as connection:
        statement = await connection.prepare(_JUDGE["verdict_save"])
        for number in range(A_RUN):
            pair = (round_ << 64 | number).to_bytes(32, "big")
            reply = b'{"R2": 3, "R4": 4, "R5": 2, "R7": 5, "R8": 1}'
            began = time.perf_counter()
            await statement.fetch(
                VERSION, pair, 0, [3, 4, 2, 5, 1], None, None, reply, "gpt-4.1-2025-04-14", 700,
                40, 900.0, 1, 1720, UUID(int=1), "schema", None, True, None, 0, 0,
            )  # fmt: skip
            saved.append(1000 * (time.perf_counter() - began))
        await connection.execute(_SQL["unload"], timeout=600)
    return statistics.median(saved)


async def _pack(database: Database) -> int:
    for_ever = dict.fromkeys((rule.setting for rule in RULES), 0.0)
    settings = RetentionSettings.model_validate(for_ever | {"pack_text_days": 90.0})
    retention._PAUSE_SECONDS = 0  # noqa: SLF001 - nobody else is to get a turn
    pruner, packed = Pruner(database, settings), 0
    while gone := (await pruner.prune(batches=40))["texts"]:
        packed += gone
        await database.pool.execute("VACUUM judge_verdicts", timeout=3600)  # as autovacuum does
    return packed


async def _main(verdicts: int) -> dict[str, Any]:
    with PostgresServer() as server:
        async with connect(server.url(), size=2, application_name="benchmark") as database:
            await migrate(database)
            return await measure(database, verdicts)


def _show(found: Mapping[str, Any], indent: str = "") -> None:
    for name, value in found.items():
        if isinstance(value, Mapping):
            print(f"{indent}{name}:")
            _show(value, indent + "  ")
        else:
            print(f"{indent}{name:<26} {value:,.2f}")


def main() -> int:
    """Measure; 1 where packing does not halve what texts take."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verdicts", type=int, default=200_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(_main(options.verdicts))
    print(json.dumps(found)) if options.json else _show(found)
    return 0 if found["ratio"]["text_bytes_a_verdict"] > 2 else 1


if __name__ == "__main__":
    raise SystemExit(main())
