"""Migrations run once and in order, and the schema refuses states that must not be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from services.gateway.submissions.store import SubmissionStore
from services.gateway.webhooks.delivery import Deliveries
from shared.runtime.errors import Misconfigured, Unavailable
from shared.storage import database as storage_database
from shared.storage.database import Database, connect
from shared.storage.migrate import Migration, load_migrations, migrate, require_schema
from tests.conftest import Servers
from tests.patience import HANG_SECONDS
from tests.rows import accept_submission, add_listed_entry


@pytest.fixture
async def empty_database(servers: Servers) -> AsyncIterator[Database]:
    name = f"test_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(servers.postgres_url("postgres"))
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        async with connect(servers.postgres_url(name), size=8, application_name="test") as database:
            yield database
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


async def test_rivals_migrate_an_empty_database_once(empty_database: Database) -> None:
    applied = await asyncio.gather(*(migrate(empty_database) for _ in range(4)))
    assert sorted(applied) == [0, 0, 0, len(load_migrations())]
    await require_schema(empty_database)


_INDEX = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('judge_run_pairs_pair')"


async def test_an_index_is_built_while_others_write_and_again_where_it_was_cut_off(
    empty_database: Database,
) -> None:
    migrations = load_migrations()
    (at,) = (number for number, each in enumerate(migrations) if each.single_statements)
    await migrate(empty_database, migrations[:at])
    pool = empty_database.pool
    async with pool.acquire() as writer:
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("LOCK TABLE judge_run_pairs IN ROW EXCLUSIVE MODE")
        building = asyncio.create_task(migrate(empty_database, migrations))
        async with asyncio.timeout(HANG_SECONDS):
            while await pool.fetchval(_INDEX) is None:
                await asyncio.sleep(0.01)
            await pool.execute("UPDATE judge_run_pairs SET tries = 0")  # nobody is kept waiting
        building.cancel()
        await asyncio.gather(building, return_exceptions=True)
        await transaction.rollback()
    assert await pool.fetchval(_INDEX) is False
    await migrate(empty_database, migrations)
    assert await pool.fetchval(_INDEX) is True


async def test_a_statement_may_take_long_and_a_table_that_is_in_use_is_named(
    servers: Servers, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of ten million rows, and beside a backup: 10 s are waited for it, here less."""
    monkeypatch.setattr(storage_database, "_COMMAND_SECONDS", 0.2)  # of a pool's usual statements
    name = await empty_database.pool.fetchval("SELECT current_database()")
    alone = "SET LOCAL lock_timeout = '10ms'; LOCK TABLE in_use IN ACCESS EXCLUSIVE MODE"
    steps = [
        Migration(1, "slow", "CREATE TABLE in_use (); SELECT pg_sleep(0.5)"),
        Migration(2, "alone", alone),
    ]
    async with connect(servers.postgres_url(name), size=2, application_name="test") as database:
        assert await migrate(database, steps[:1]) == 1
        async with empty_database.transaction() as reader:
            await reader.connection.execute("SELECT FROM in_use")
            with pytest.raises(Unavailable, match=r"waited too long .* such as a backup"):
                await migrate(database, steps)
        assert await migrate(database, steps) == 1


async def test_a_service_refuses_a_schema_that_is_behind(empty_database: Database) -> None:
    with pytest.raises(Unavailable, match="medvid admin migrate"):
        await require_schema(empty_database)


async def test_a_migration_changed_after_it_ran_is_refused(database: Database) -> None:
    await database.pool.execute("UPDATE schema_migrations SET sha256 = 'x' WHERE number = 1")
    with pytest.raises(Misconfigured, match="changed after it ran"):
        await migrate(database)


async def test_an_older_version_runs_on_a_newer_database_and_migrates_none(
    database: Database,
) -> None:
    await database.pool.execute(
        "INSERT INTO schema_migrations (number, name, sha256) VALUES (9999, 'future', 'x')"
    )
    with pytest.raises(Misconfigured, match="newer version"):
        await migrate(database)
    await require_schema(database)  # but its services run: migrations only add


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE submissions SET state = 'ranked'",
        "UPDATE submissions SET state = 'failed'",
        "UPDATE submissions SET state = 'unheard-of'",
        "UPDATE entries SET board = 'another'",
        "UPDATE entries SET model_url = 'javascript:alert(1)'",
        "UPDATE entries SET model_name = ''",
        "UPDATE scores SET compat = 'NaN'",
        "UPDATE scores SET compat = 'Infinity'",
        "UPDATE scores SET compat = -0.1",
        "UPDATE scores SET metric_version = '1'",
        "UPDATE scores SET metric = 'unheard_of'",
        "UPDATE boards SET ranked_revision = revision + 1",
        "INSERT INTO ground_truths (version, content, samples, active)"
        " VALUES (repeat('a', 64), '', 1, true)",
        "DELETE FROM ground_truths",
    ],
)
async def test_the_schema_refuses(database: Database, statement: str) -> None:
    await accept_submission(database)
    await add_listed_entry(database, "Another model", {"cvs_acc": 0.5})
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await database.pool.execute(statement)


async def test_a_final_submission_stays_as_it_is(database: Database) -> None:
    await accept_submission(database)
    await database.pool.execute(
        "UPDATE submissions SET state = 'failed', failure_code = 'x', failure_reason = 'y'"
    )
    with pytest.raises(asyncpg.CheckViolationError, match="cannot go from failed"):
        await database.pool.execute(
            "UPDATE submissions SET state = 'accepted', failure_code = NULL, failure_reason = NULL"
        )


async def test_every_change_of_state_leaves_a_line(database: Database) -> None:
    await accept_submission(database)
    for state in ("scored", "ranked"):
        await database.pool.execute("UPDATE submissions SET state = $1", state)
    history = await database.pool.fetch("SELECT state FROM submission_history ORDER BY position")
    assert [row["state"] for row in history] == ["accepted", "scored", "ranked"]


async def test_a_step_is_later_than_the_one_it_waited_for(
    database: Database, postgres_url: str
) -> None:
    """A ranker's transaction may begin before the scorer's that it waits for ends."""
    stored = await accept_submission(database)
    ranker = await asyncpg.connect(postgres_url)
    try:
        ranking = ranker.transaction()
        await ranking.start()
        await ranker.execute("SELECT now()")  # its now() is this moment from here on
        await database.pool.execute("UPDATE submissions SET state = 'scored'")
        await ranker.execute("UPDATE submissions SET state = 'ranked'")
        await ranking.commit()
    finally:
        await ranker.close()
    for table in ("submission_history", "submission_events"):
        rows = await database.pool.fetch(f"SELECT at FROM {table} ORDER BY at")  # noqa: S608
        by_position = "position" if table == "submission_history" else "id"
        ordered = await database.pool.fetch(f"SELECT at FROM {table} ORDER BY {by_position}")  # noqa: S608
        assert rows == ordered
    found = await SubmissionStore(database).find(stored.submission_id)
    assert found is not None
    assert [step.state for step in found.timeline] == ["accepted", "scored", "ranked"]


async def test_a_timeline_of_the_version_before_is_in_order(database: Database) -> None:
    """Its times were those of transactions' beginnings, in one submission of nine reversed."""
    stored = await accept_submission(database)
    for state in ("scored", "ranked"):
        await database.pool.execute("UPDATE submissions SET state = $1", state)
    await database.pool.execute(
        "UPDATE submission_history SET at = at - interval '1 minute' WHERE state = 'ranked'"
    )
    for state in ("queued", "completed"):
        await database.pool.execute(
            "INSERT INTO submission_events (submission_id, kind, data)"
            " VALUES ($1, 'judging', jsonb_build_object('state', $2::text))",
            stored.submission_id, state,
        )  # fmt: skip
    await database.pool.execute(
        "UPDATE submission_events SET at = at - interval '1 minute'"
        " WHERE data ->> 'state' = 'completed'"
    )
    found = await SubmissionStore(database).find(stored.submission_id)
    assert found is not None
    assert [step.state for step in found.timeline] == [
        "accepted", "scored", "ranked", "queued", "completed",
    ]  # fmt: skip


async def test_webhooks_are_notified_in_the_order_of_events(database: Database) -> None:
    stored = await accept_submission(database)
    await database.pool.execute(
        "INSERT INTO webhooks VALUES ($1, 'https://example.org', $2)",
        stored.submission_id, bytes(32),
    )  # fmt: skip
    for state in ("scored", "ranked"):
        await database.pool.execute("UPDATE submissions SET state = $1", state)
    await database.pool.execute(
        "UPDATE webhook_deliveries SET happened_at = happened_at - interval '1 minute'"
        " WHERE kind = 'submission.ranked'"
    )
    (taken,) = await Deliveries(database, 60).take_due(1)
    assert taken.event.kind == "submission.scored"
