"""Schema migrations: numbered `.sql` files, a ledger with checksums, one at a time.

An advisory lock keeps two processes from migrating at once; the second finds nothing left to do.
A file that was changed after it ran is an error, as the database would no longer match it.

A file is one transaction, with two exceptions. One that changes many rows is a single statement
that takes some of them, marked `-- in batches`. It is repeated until nothing is left, and enters
the ledger then, so that one that was cut off goes on with what it had not done. One that indexes a
large table while others write to it is marked `-- outside a transaction`: its statements run one by
one, and again from the first where they were cut off.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import asyncpg
import structlog

from shared.runtime.errors import Misconfigured, Unavailable
from shared.storage.database import Connection, Database

_LOCK_ID: Final = 0x6D65_6476_6964  # "medvid"
_FILE_NAME: Final = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_LEDGER: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
_IN_BATCHES: Final = "-- in batches"
_OUTSIDE: Final = "-- outside a transaction"
_LONG_SECONDS: Final = 7200.0
"""For a statement: one that reads ten million rows takes minutes, on a slow disk."""
_POLL_SECONDS: Final = 0.1
_TRIES: Final = 5
_RIVALRY: Final = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError)
"""Errors of a batch while services of the version before write: it is retried."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Return the checksum that the ledger keeps."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def in_batches(self) -> bool:
        """Whether it is a statement that is repeated until it changes nothing."""
        return self.sql.startswith(_IN_BATCHES)

    @property
    def single_statements(self) -> list[str]:
        """Return the statements that run outside a transaction; none of a usual migration."""
        if not self.sql.startswith(_OUTSIDE):
            return []
        return [part for part in self.sql.split(";\n") if part.strip()]


def load_migrations() -> list[Migration]:
    """Return the project's migrations in order; numbers run 1, 2, 3, ... without gaps."""
    found = []
    for file in (files(__package__) / "migrations").iterdir():
        match = _FILE_NAME.match(file.name)
        if match:
            found.append(Migration(int(match[1]), match[2], file.read_text("utf-8")))
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError("migration numbers have a gap or a double")
    return found


async def migrate(database: Database, migrations: Sequence[Migration] = ()) -> int:
    """Bring the schema to the newest of these migrations, by default the project's.

    Returns how many were applied. Raises Misconfigured when the database was made by other or newer
    migrations, Unavailable where others hold a table for long.
    """
    migrations = migrations or load_migrations()
    async with database.pool.acquire() as connection:
        # Not waited for in the database: an index that is built without blocking waits for every
        # statement that is under way, and so for that one, which would wait for it.
        while not await connection.fetchval(  # noqa: ASYNC110 - the lock is in the database
            "SELECT pg_try_advisory_lock($1)", _LOCK_ID
        ):
            await asyncio.sleep(_POLL_SECONDS)
        try:
            await connection.execute(_LEDGER)
            applied = await _check_ledger(connection, migrations)
            for migration in migrations[applied:]:
                try:
                    await _apply(connection, migration)
                except asyncpg.LockNotAvailableError as error:
                    raise Unavailable(
                        f"migration {migration.number:04} {migration.name} waited too long for a "
                        f"table that others use: {error}.",
                        fix="Wait until what takes long has ended, such as a backup, and repeat.",
                    ) from error
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK_ID)
    return len(migrations) - applied


async def _check_ledger(connection: Connection, migrations: Sequence[Migration]) -> int:
    applied = await _applied(connection, migrations)
    if applied > len(migrations):
        raise Misconfigured(
            f"the database knows {applied} migrations, this version only {len(migrations)}.",
            fix="Run the newer version, or restore a backup of this one.",
        )
    return applied


async def _applied(connection: Connection, migrations: Sequence[Migration]) -> int:
    """Return how many are applied; raises Misconfigured where a known one is another."""
    rows = await connection.fetch(
        "SELECT number, name, sha256 FROM schema_migrations ORDER BY number"
    )
    for row, migration in zip(rows, migrations, strict=False):
        if (row["number"], row["sha256"]) != (migration.number, migration.sha256):
            raise Misconfigured(
                f"migration {row['number']:04} {row['name']} was changed after it ran.",
                fix="Put the file back as it was and add a new migration instead.",
            )
    return len(rows)


async def _apply(connection: Connection, migration: Migration) -> None:
    if migration.in_batches:
        # A plan made for a table that was small once can compare every row with every other.
        await connection.execute("ANALYZE", timeout=_LONG_SECONDS)
        while await _changed_rows(connection, migration.sql):
            pass
    alone = migration.single_statements
    for statement in alone:
        await connection.execute(statement, timeout=_LONG_SECONDS)
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '10s'")
        if not migration.in_batches and not alone:
            await connection.execute(migration.sql, timeout=_LONG_SECONDS)
        await connection.execute(
            "INSERT INTO schema_migrations (number, name, sha256) VALUES ($1, $2, $3)",
            migration.number,
            migration.name,
            migration.sha256,
        )
    _log.info("migration_applied", number=migration.number, name=migration.name)


async def _changed_rows(connection: Connection, statement: str) -> int:
    """Run a batch, again where a rival was in its way, and return how many rows it changed."""
    for rest in reversed(range(_TRIES)):
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '10s'")
                status = await connection.execute(statement, timeout=_LONG_SECONDS)
                return int(status.rpartition(" ")[2])
        except _RIVALRY:
            if not rest:
                raise
    raise AssertionError("the last try returns or raises")


async def require_schema(database: Database) -> None:
    """Return when the schema has every migration that this version knows.

    Newer ones may be there: migrations only ever add, so that the version before runs on during an
    upgrade, and starts again after it. Raises Unavailable when the schema is behind (a migration
    may be on its way), Misconfigured when it was made by other migrations.
    """
    migrations = load_migrations()
    async with database.pool.acquire() as connection:
        known = await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL")
        applied = await _applied(connection, migrations) if known else 0
    if applied > len(migrations):
        _log.warning("schema_is_newer", applied=applied, known=len(migrations))
    if applied < len(migrations):
        raise Unavailable(
            f"the database has {applied} of {len(migrations)} migrations.",
            fix="Run 'medvid admin migrate' first.",
        )
