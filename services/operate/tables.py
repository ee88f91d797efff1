"""What the doctor says of the tables: which are the largest, as they decide about the disk."""

from __future__ import annotations

from typing import Final

from services.operate.findings import CheckOutcome
from shared.storage.database import Database
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "tables.sql")
_SHOWN: Final = 5
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


async def largest_tables(database: Database) -> CheckOutcome:
    """Name the largest tables with their sizes on disk and rows, as Postgres last counted them."""
    rows = await database.pool.fetch(_SQL["largest"], _SHOWN)
    shown = ", ".join(f"{row['name']} {size(row['bytes'])} ({row['rows']:,} rows)" for row in rows)
    total = size(await database.pool.fetchval(_SQL["all_bytes"]))
    return CheckOutcome("ok", f"{total} in all; the largest: {shown}.")


def size(count: int) -> str:
    """Return bytes in the largest unit of which there is one, in powers of 1,000."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{count} B"
