"""Databases that tests use again are like new, or are not used again."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import pytest

from tests.conftest import Servers
from tests.databases import Databases


@pytest.fixture
def databases(servers: Servers) -> Iterator[Databases]:
    with Databases(servers.postgres, servers.template) as databases:
        yield databases


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE entries RENAME TO others",
        "ALTER TABLE entries ADD COLUMN more int",
        "ALTER TABLE audit_log DISABLE TRIGGER ALL",
        "CREATE INDEX more ON entries (model_name)",
        "CREATE TABLE more ()",
    ],
)
async def test_a_changed_schema_reaches_no_other_test(
    servers: Servers, databases: Databases, change: str
) -> None:
    name = databases.take()
    connection = await asyncpg.connect(servers.postgres_url(name))
    await connection.execute(change)
    await connection.close()
    databases.give_back(name)
    assert databases.take() != name


async def test_rows_and_sequences_are_as_they_were(servers: Servers, databases: Databases) -> None:
    look = (
        "SELECT (SELECT count(*) FROM schema_migrations), json_agg((sequencename, last_value)"
        " ORDER BY sequencename)::text FROM pg_sequences"
    )
    name = databases.take()
    connection = await asyncpg.connect(servers.postgres_url(name))
    new = await connection.fetchrow(look)
    await connection.execute("DELETE FROM schema_migrations")
    await connection.execute("SELECT nextval(format('%I', sequencename)) FROM pg_sequences")
    assert await connection.fetchrow(look) != new
    await connection.close()
    databases.give_back(name)
    assert databases.take() == name
    connection = await asyncpg.connect(servers.postgres_url(name))
    assert await connection.fetchrow(look) == new
    await connection.close()
