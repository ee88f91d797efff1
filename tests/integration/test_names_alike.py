"""Names that read the same: keys of the old rule become keys of the new, beside older gateways."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import unicodedata
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg
import pytest

from medvid.benchmark.names import DASHES, name_key
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.admin.entries import EntryActions
from services.gateway.admin.entry_cursors import after_entry, entry_cursor
from services.gateway.submissions.lifecycle import Lifecycle
from services.gateway.submissions.store import SubmissionStore
from services.operate.examination import Surroundings, examine
from shared.runtime.errors import Conflict
from shared.storage.database import Database
from shared.storage.migrate import load_migrations, migrate
from tests.depth import deep
from tests.integration.test_lifecycle_races import submit
from tests.patience import HANG_SECONDS
from tests.ranking import score
from tests.rows import add_listed_entry, load_demo_ground_truth

ACT: Final = AdminAction.of("administrator", "names that read the same", "r-1")
_FILLING: Final = 21
# Python's white space has four control characters more, which no name may hold.
_NO_NAME: Final = "\x1c\x1d\x1e\x1f"


def old_key(name: str) -> str:
    """What the version before stored."""
    folded = unicodedata.normalize("NFC", name.strip()).casefold()
    return unicodedata.normalize("NFC", folded)


async def as_before(database: Database, *names: str, day: str = "2026-01-02") -> list[UUID]:
    """Add entries with keys of the old rule, as they were before the migration."""
    found = [await add_listed_entry(database, f"stand-in {name}", {}) for name in names]
    async with database.pool.acquire() as connection, connection.transaction():
        # Only here: nothing else writes such keys any more.
        await connection.execute("ALTER TABLE entries DISABLE TRIGGER USER")
        for entry_id, name in zip(found, names, strict=True):
            await connection.execute(
                "UPDATE entries SET model_name = $2, name_key = $3, submitted_on = $4::text::date"
                " WHERE id = $1", entry_id, name, old_key(name), day,
            )  # fmt: skip
        await connection.execute("ALTER TABLE entries ENABLE TRIGGER USER")
        await connection.execute("DELETE FROM schema_migrations WHERE number >= $1", _FILLING)
    return found


async def fill(database: Database) -> int:
    """Migrate up to the filling of keys; the schema has what is behind it, and its ledger after."""
    applied = await migrate(database, load_migrations()[:_FILLING])
    await database.pool.executemany(
        "INSERT INTO schema_migrations (number, name, sha256) VALUES ($1, $2, $3)",
        [(each.number, each.name, each.sha256) for each in load_migrations()[_FILLING:]],
    )
    return applied


async def keys(database: Database, entries: Sequence[UUID]) -> list[str]:
    return [
        await database.pool.fetchval("SELECT name_key FROM entries WHERE id = $1", each)
        for each in entries
    ]


# ------------------------------------------------------------------ one rule, in two places
@deep
async def test_the_schema_adds_to_an_old_key_what_the_rule_adds(database: Database) -> None:
    characters = [
        chr(number) for number in range(1, sys.maxunicode + 1)
        if unicodedata.category(chr(number)) != "Cs" and chr(number) not in _NO_NAME
    ]  # fmt: skip
    names = [f"a{character}b" for character in characters]
    names += [f"{one}{other}\u0301" for one in DASHES + " \u00a0\u3000" for other in "a -\u2014"]
    found = await database.pool.fetchval(
        "SELECT array_agg(entries_name_key(key) ORDER BY n)"
        " FROM unnest($1::text[]) WITH ORDINALITY AS k (key, n)",
        [old_key(name) for name in names],
    )
    assert [name for name, key in zip(names, found, strict=True) if key != name_key(name)] == []


async def test_a_gateway_of_the_version_before_writes_keys_that_become_ours(
    database: Database,
) -> None:
    for name in ("GPT\u20114  turbo", "GPT\u22124 turbo", "gpt-4\u00a0turbo"):
        add = (
            "INSERT INTO entries (id, board, model_name, name_key, organization, submitted_on,"
            " listed) VALUES (gen_random_uuid(), 'community', $1, $2, 'Us', now(), true)"
        )
        if name == "GPT\u20114  turbo":
            await database.pool.execute(add, name, old_key(name))
            continue
        with pytest.raises(asyncpg.UniqueViolationError, match="entries_unique_name"):
            await database.pool.execute(add, name, old_key(name))
    assert await database.pool.fetchval("SELECT name_key FROM entries") == "gpt-4 turbo"
    # So with a name that it changes.
    other = await add_listed_entry(database, "other", {})
    with pytest.raises(asyncpg.UniqueViolationError, match="entries_unique_name"):
        await database.pool.execute(
            "UPDATE entries SET name_key = $2 WHERE id = $1", other, "gpt\u20144 turbo"
        )


# ------------------------------------------------------------------ the migration
async def test_keys_are_computed_and_of_two_the_later_keeps_its_own(database: Database) -> None:
    plain = await as_before(database, "Plain", "X\u2013 1", "Y 2")
    later = await as_before(database, "X\u2014 1", "Y  2", day="2026-02-01")
    assert await fill(database) == 1
    assert await keys(database, plain) == ["plain", "x- 1", "y 2"]
    assert await keys(database, later) == ["x\u2014 1", "y  2"]
    assert await migrate(database) == 0


async def test_a_migration_that_was_killed_goes_on_where_it_was(
    database: Database, postgres_url: str
) -> None:
    number = 1_200
    await database.pool.execute(
        "INSERT INTO entries (id, board, model_name, name_key, organization, submitted_on, listed)"
        " SELECT gen_random_uuid(), 'community', 'm' || n, 'm' || n, 'Us', '2026-01-02', true"
        "   FROM generate_series(1, $1::integer) AS n", number,
    )  # fmt: skip
    await as_before(database)
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("ALTER TABLE entries DISABLE TRIGGER USER")
        await connection.execute("UPDATE entries SET name_key = replace(name_key, 'm', 'm\u2014')")
        await connection.execute("ALTER TABLE entries ENABLE TRIGGER USER")
    left = "SELECT count(*) FROM entries WHERE name_key LIKE '%\u2014%'"
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    rival = await asyncpg.connect(postgres_url)
    try:
        holding = rival.transaction()
        await holding.start()
        # The last batch has to wait for this row, so the killing falls in between.
        await rival.execute(
            "SELECT FROM entries ORDER BY entries_name_key(name_key) DESC LIMIT 1 FOR UPDATE"
        )
        task = asyncio.create_task(fill(database))
        async with asyncio.timeout(HANG_SECONDS):
            while not await database.pool.fetchval(waiting):
                await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await holding.rollback()
    finally:
        await rival.close()
    assert await database.pool.fetchval(left) == number - 1_000
    ledger = "SELECT count(*) FROM schema_migrations WHERE number = $1"
    assert await database.pool.fetchval(ledger, _FILLING) == 0
    await fill(database)
    assert await database.pool.fetchval(left) == 0
    assert await database.pool.fetchval(ledger, _FILLING) == 1


async def test_batches_are_planned_for_the_tables_of_now(database: Database) -> None:
    await as_before(database, "X")
    await database.pool.execute("VACUUM ANALYZE entries")
    await as_before(database, *(f"Y {number}" for number in range(20)))
    await fill(database)
    known = "SELECT reltuples FROM pg_class WHERE oid = 'entries'::regclass"
    assert await database.pool.fetchval(known) == 21


# ------------------------------------------------------------------ whoever kept an old key
async def pair(database: Database) -> tuple[UUID, UUID]:
    """Two entries whose names are now the same: who has the name, and who kept a key."""
    (held,) = await as_before(database, "Z\u2013 1")
    (kept,) = await as_before(database, "Z\u2014 1", day="2026-02-01")
    await fill(database)
    return held, kept


async def test_the_doctor_names_both(
    database: Database, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDVID_DATABASE_URL", postgres_url)
    held, kept = await pair(database)
    (found,) = [one for one in await examine(Surroundings()) if one.check == "names"]
    assert found.state == "warning"
    assert str(held) in found.says
    assert str(kept) in found.says
    assert "medvid admin rename" in (found.fix or "")
    await EntryActions(database).rename(kept, ACT, "Z 2")
    (found,) = [one for one in await examine(Surroundings()) if one.check == "names"]
    assert found.state == "ok"


async def test_an_entry_with_an_old_key_is_edited_and_the_name_is_its_own_once_free(
    database: Database,
) -> None:
    held, kept = await pair(database)
    actions = EntryActions(database)
    await actions.edit(kept, ACT, {"team": "Team"})
    assert await keys(database, [held, kept]) == ["z- 1", "z\u2014 1"]
    with pytest.raises(Conflict):
        await actions.rename(kept, ACT, "z\u2014 1")
    await actions.remove(held, ACT)
    assert await keys(database, [kept]) == ["z- 1"]
    with pytest.raises(Conflict):
        await actions.restore(held, ACT)
    await actions.rename(kept, ACT, "Z 3")
    assert (await actions.restore(held, ACT)).changed


async def test_a_page_of_entries_goes_on_after_one_with_an_old_key(database: Database) -> None:
    await pair(database)
    actions = EntryActions(database)
    seen, after = [], None
    while page := await actions.page(None, None, after, 1, removed=False):
        seen.append(page[0].model_name)
        after = after_entry(entry_cursor(page[0]))
    assert sorted(seen) == ["Z\u2013 1", "Z\u2014 1"]


async def test_new_versions_take_over_from_entries_with_old_keys(database: Database) -> None:
    """Whoever scores them must not fail on a name."""
    version = await load_demo_ground_truth(database)
    store = SubmissionStore(database)
    first = await submit(store, version, "V 1")
    await score(database, str(first), {"cvs_acc": 0.1})
    await as_before(database)
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("ALTER TABLE entries DISABLE TRIGGER USER")
        await connection.execute("UPDATE entries SET model_name = 'V  1', name_key = 'v  1'")
        await connection.execute("ALTER TABLE entries ENABLE TRIGGER USER")
    await add_listed_entry(database, "V 1", {})
    await fill(database)
    entry = (await store.find(first)).entry  # type: ignore[union-attr]
    second = await submit(store, version, "V  1", entry)
    await score(database, str(second), {"cvs_acc": 0.2})
    standing = await database.pool.fetch(
        "SELECT name_key, submission_id FROM entries WHERE removed_at IS NULL ORDER BY name_key"
    )
    assert [row["name_key"] for row in standing] == ["v  1", "v 1"]
    assert standing[0]["submission_id"] == second
    assert await Lifecycle(database).withdraw(second, "owner", None, None)
