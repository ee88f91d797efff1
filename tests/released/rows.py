"""Databases as released versions left them."""

from __future__ import annotations

from typing import Final

from shared.storage.database import Database
from shared.storage.migrate import load_migrations, migrate
from shared.storage.queries import load_queries

MIGRATIONS: Final = {"0.1.0": 16}
"""How many migrations a version came with."""


async def fill(database: Database, version: str, *, entries: int, upload_bytes: int = 32) -> None:
    """Make a version's schema in an empty database, and so many entries in it."""
    await migrate(database, load_migrations()[: MIGRATIONS[version]])
    async with database.pool.acquire() as connection:
        for statement in load_queries(__package__, f"rows-{version}.sql").values():
            text = statement.format(entries=entries, bytes=upload_bytes)
            await connection.execute(text, timeout=3600)
        await connection.execute("ANALYZE")
