"""Databases of tests, used again: to empty one takes a twentieth of the time that making one does.

What a test leaves behind goes: connections, rows, the state of sequences. A database whose schema
was changed, or that grew large, is dropped instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from threading import Thread
from typing import Any, Final, Self, TypeAlias, TypeVar
from uuid import uuid4

import asyncpg

from tests.patience import HANG_SECONDS

Connection: TypeAlias = "asyncpg.Connection[Any]"
T = TypeVar("T")
_MOST_BYTES_MORE: Final = 8 << 20
_END_CONNECTIONS: Final = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_SCHEMA: Final = """
SELECT string_agg(concat(kind, ' ', things, ' ', versions), ',' ORDER BY kind) FROM (
    SELECT 'columns', count(*), sum(attrelid::bigint * attnum + xmin::text::bigint)
      FROM pg_attribute WHERE attrelid >= 16384 AND attnum > 0
     UNION ALL SELECT 'constraints', count(*), sum(oid::bigint + xmin::text::bigint)
      FROM pg_constraint WHERE oid >= 16384
     UNION ALL SELECT 'indexes', count(*), sum(indexrelid::bigint + xmin::text::bigint)
      FROM pg_index WHERE indexrelid >= 16384
     UNION ALL SELECT 'names', count(*), sum(hashtext(concat(relnamespace, ' ', relname))::bigint)
      FROM pg_class WHERE oid >= 16384
     UNION ALL SELECT 'triggers', count(*), sum(oid::bigint + xmin::text::bigint)
      FROM pg_trigger WHERE oid >= 16384
     UNION ALL SELECT 'functions', count(*), sum(oid::bigint + xmin::text::bigint)
      FROM pg_proc WHERE oid >= 16384) AS catalogs (kind, things, versions)
"""
"""What the catalogs hold from oid 16384 on, and who last changed it: differs after each change."""
_BYTES: Final = "SELECT pg_database_size(current_database())"
_TABLES: Final = """
SELECT oid::regclass::text FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
"""
_SEQUENCES: Final = """
SELECT format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value),
       last_value IS NOT NULL
  FROM pg_sequences
"""


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a database is like that was just made."""

    schema: str
    bytes: int
    rows: dict[str, str]
    """JSON of what the migrations put into tables."""
    emptying: str

    @classmethod
    async def of(cls, connection: Connection) -> Self:
        """Look at a database that nobody has used."""
        tables = [row[0] for row in await connection.fetch(_TABLES)]
        rows = {
            table: content
            for table in tables
            if (content := await connection.fetchval(f"SELECT json_agg(t) FROM {table} AS t"))  # noqa: S608
        }
        sequences = await connection.fetch(_SEQUENCES)
        emptying = [f"DELETE FROM {table}" for table in tables]  # noqa: S608 - names of our schema
        emptying += [f"SELECT setval('{name}', {at}, {called})" for name, at, called in sequences]
        return cls(
            await connection.fetchval(_SCHEMA),
            await connection.fetchval(_BYTES),
            rows,
            ";\n".join(emptying),
        )


class Databases:
    """The databases of one test process; `template` is copied where none is free.

    A connection to each stays, with an event loop of its own: what a new one learns of sixty tables
    before it empties them costs more than the emptying.
    """

    def __init__(self, server: str, template: str) -> None:
        """`server`: its URL, with `{database}`."""
        self._server = server
        self._template = template
        self._connections: dict[str, Connection] = {}
        self._free: list[str] = []
        self._fresh: Fresh | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for connection in self._connections.values():
                self._run(connection.close(timeout=HANG_SECONDS))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def take(self) -> str:
        """Return the name of a database that is like new."""
        return self._free.pop() if self._free else self._run(self._make())

    def give_back(self, name: str) -> None:
        """Empty a database for the next test, or drop it."""
        self._run(self._empty_or_drop(name))

    def _run(self, doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result()

    async def _make(self) -> str:
        name = f"test_{uuid4().hex[:12]}"
        await self._administer(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        if self._fresh is None:
            self._fresh = await Fresh.of(await self._connected(name))
        return name

    async def _empty_or_drop(self, name: str) -> None:
        connection = await self._connected(name)
        if await self._empty(connection):
            self._free.append(name)
            return
        await self._connections.pop(name).close()
        await self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    async def _connected(self, name: str) -> Connection:
        known = self._connections.get(name)
        if known is None or known.is_closed():
            known = await asyncpg.connect(self._server.replace("{database}", name))
            self._connections[name] = known
        return known

    async def _administer(self, statement: str) -> None:
        admin = await asyncpg.connect(self._server.replace("{database}", "postgres"))
        try:
            await admin.execute(statement)
        finally:
            await admin.close()

    async def _empty(self, connection: Connection) -> bool:
        fresh = self._fresh
        assert fresh is not None
        await connection.execute(_END_CONNECTIONS)
        if await connection.fetchval(_SCHEMA) != fresh.schema:
            return False
        if await connection.fetchval(_BYTES) > fresh.bytes + _MOST_BYTES_MORE:
            return False
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")  # no triggers
            await connection.execute(fresh.emptying)
            for table, rows in fresh.rows.items():
                await connection.execute(
                    f"INSERT INTO {table} OVERRIDING SYSTEM VALUE"  # noqa: S608 - as above
                    f" SELECT * FROM json_populate_recordset(NULL::{table}, $1)",
                    rows,
                )
        return True
