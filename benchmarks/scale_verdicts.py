"""Ten million verdicts: what they take on disk, and whether every query still finds its rows.

Makes a history of whole runs in a throwaway database, then asks the planner about every query on
the judge's path and runs it. A query that reads one of the big tables from end to end is an error.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from shared.storage.queries import load_queries

PAIRS_A_RUN: Final = 5_000
PAIRS_A_BATCH: Final = 8
VERSION: Final = "ab" * 32
BIG: Final = ("judge_verdicts", "judge_pairs", "judge_run_pairs", "judge_batches")
"""Tables that no query may read from end to end."""
_OPEN_RUN: Final = UUID(int=(1 << 64) + 1)


@dataclass(frozen=True, slots=True)
class Asked:
    """One query as it was planned and run."""

    name: str
    milliseconds: float
    rows: int
    read_whole: list[str]
    """Big tables that it reads from end to end, by the plan for these values or for any."""


async def load(connection: asyncpg.Connection[Any], pairs: int) -> dict[str, Any]:
    """Make so many verdicts, in whole runs; returns seconds and bytes by table."""
    began = time.perf_counter()
    values = {
        "version": VERSION,
        "pairs": pairs,
        "runs": pairs // PAIRS_A_RUN,
        "a_run": PAIRS_A_RUN,
        "a_batch": PAIRS_A_BATCH,
        "open_run": _OPEN_RUN,
    }
    await connection.execute("ALTER SYSTEM SET max_wal_size = '8GB'")
    await connection.execute("SELECT pg_reload_conf()")
    for statement in load_queries("benchmarks", "scale_verdicts.sql").values():
        await connection.execute(statement.format(**values), timeout=3600)
    await connection.execute("SET session_replication_role = DEFAULT")
    await connection.execute("ANALYZE", timeout=3600)
    sizes = await connection.fetch(
        "SELECT relname, pg_total_relation_size(oid) AS bytes FROM pg_class"
        " WHERE relname = ANY($1) ORDER BY 2 DESC",
        BIG,
    )
    return {
        "verdicts": pairs,
        "loaded_seconds": time.perf_counter() - began,
        "bytes": {row["relname"]: row["bytes"] for row in sizes},
    }


async def ask(connection: asyncpg.Connection[Any]) -> list[Asked]:
    """Plan and run every query on the judge's path, each undone at once."""
    return [
        await _ask(connection, name, sql, arguments)
        for name, sql, arguments in await _questions(connection)
    ]


async def _questions(connection: asyncpg.Connection[Any]) -> list[tuple[str, str, tuple[Any, ...]]]:
    """Return queries with values as the services pass them."""
    rows = await connection.fetch(
        "SELECT pair FROM judge_run_pairs WHERE run_id = $1 ORDER BY ordinal", _OPEN_RUN
    )
    known = [row["pair"] for row in rows]
    new = [number.to_bytes(32, "big") for number in range(PAIRS_A_RUN)]
    batch = await connection.fetchval(
        "SELECT min(id) FROM judge_batches WHERE run_id = $1", _OPEN_RUN
    )
    done = UUID(int=(1 << 40) + 1)
    some, ordinals, zeros = known[:PAIRS_A_BATCH], [*range(PAIRS_A_BATCH)], [0] * PAIRS_A_BATCH
    texts = [b"a caption"] * len(new)
    judge = {
        "verdicts_known": (VERSION, known, 1),
        "calls_per_second": (VERSION,),
        "run_pair_lengths": (done,),
        "pairs_add": (new, texts, texts),
        "run_pairs_open": (_OPEN_RUN, VERSION),
        "batches_drop": (_OPEN_RUN,),
        "batches_add": (_OPEN_RUN, PAIRS_A_BATCH),
        "batches_send": (_OPEN_RUN, 64, 2, 0),
        "batch_open": (batch,),
        "batch_items": (batch,),
        "items_terminal": (batch, ordinals, zeros),
        "items_put_off": (batch, ordinals, zeros),
        "batch_settle": (batch, 1.0),
        "run_progress": (_OPEN_RUN, PAIRS_A_BATCH, 0),
        "run_is_finished": (_OPEN_RUN,),
        "run_verdicts": (done, VERSION),
        "claims_take": (VERSION, some, zeros, UUID(int=1), 60.0),
        "verdicts_of": (VERSION, some, zeros),
        "runs_with_due_batches": (),
        "runs_queued_long": (300.0,),
        "batches_sent_long": (300.0,),
        "runs_finished": (),
        "runs_of_another_judge": ("cd" * 32, 300.0),
    }
    gateway = {
        "run_find": (None, UUID(int=1)),
        "verdicts_page": (done, VERSION, None, None, 100, 4_000),
    }
    return [
        *_named("services.judge", "queries.sql", judge),
        *_named("services.gateway.judging", "queries.sql", gateway),
        *_named("shared.runtime", "figures.sql", {"figures": ()}),
    ]


def _named(
    package: str, file: str, arguments: dict[str, tuple[Any, ...]]
) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    queries = load_queries(package, file)
    for name, values in arguments.items():
        yield f"{package.split('.')[1]}.{name}", queries[name], values


async def _ask(
    connection: asyncpg.Connection[Any], name: str, sql: str, arguments: tuple[Any, ...]
) -> Asked:
    # What a prepared statement falls back to after a few runs, whatever its values.
    generic = await _plan(connection, f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {sql}")
    transaction = connection.transaction()
    await transaction.start()
    try:
        plan = await _plan(connection, f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *arguments)
    finally:
        await transaction.rollback()
    read = {*_read_whole(plan["Plan"]), *_read_whole(generic["Plan"])}
    return Asked(name, plan["Execution Time"], int(plan["Plan"]["Actual Rows"]), sorted(read))


async def _plan(connection: asyncpg.Connection[Any], sql: str, *arguments: Any) -> dict[str, Any]:
    if "GENERIC_PLAN" in sql:  # only the simple protocol leaves parameters without values
        text = await _simple(connection, sql)
    else:
        text = await connection.fetchval(sql, *arguments, timeout=600)
    plan: dict[str, Any] = orjson.loads(text)[0]
    return plan


async def _simple(connection: asyncpg.Connection[Any], sql: str) -> str:
    """Return the one value of a statement whose parameters have no values.

    The driver sends none such; a function in the database does, and gives the plan back as a text.
    """
    quoted = await connection.fetchval("SELECT quote_literal($1::text)", sql)
    await connection.execute(
        "CREATE OR REPLACE FUNCTION pg_temp.planned() RETURNS text LANGUAGE plpgsql AS $body$"
        f" DECLARE plan text; BEGIN EXECUTE {quoted} INTO plan; RETURN plan; END $body$"
    )
    return str(await connection.fetchval("SELECT pg_temp.planned()"))


def _read_whole(node: dict[str, Any]) -> Iterator[str]:
    """Yield the big tables that a plan reads from end to end."""
    if re.fullmatch(r"(Parallel )?Seq Scan", node["Node Type"]) and node["Relation Name"] in BIG:
        yield node["Relation Name"]
    for child in node.get("Plans", []):
        yield from _read_whole(child)
