"""docs/tables.md shows the schema as it is: its diagram is compared with the database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from shared.storage.database import Database

PAGE: Final = Path(__file__).parents[2] / "docs" / "tables.md"
_REFERENCES: Final = """
SELECT DISTINCT of.relname AS referenced, by.relname AS referencing,
       (SELECT string_agg(a.attname, '_' ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = by.oid AND a.attnum = ANY (c.conkey)) AS columns
  FROM pg_constraint c
  JOIN pg_class by ON by.oid = c.conrelid
  JOIN pg_class of ON of.oid = c.confrelid
 WHERE c.contype = 'f' AND by.relnamespace = 'public'::regnamespace
"""


async def test_the_diagram_is_the_schema(database: Database) -> None:
    rows = await database.pool.fetch(_REFERENCES)
    there = {f"    {of} ||--o{{ {by} : {columns}" for of, by, columns in rows}
    text = PAGE.read_text()
    shown = set(re.findall(r"^    \w+ \|\|--o\{ \w+ : \w+$", text, re.MULTILINE))
    assert sorted(shown) == sorted(there), "\n".join(sorted(there))


async def test_every_table_is_named(database: Database) -> None:
    tables = await database.pool.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    )
    text = PAGE.read_text()
    assert [name for (name,) in tables if not re.search(rf"`{name}`", text)] == []
