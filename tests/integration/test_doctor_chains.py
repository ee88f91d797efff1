"""The doctor sees what is wrong with a chain of links, and with what boards show."""

from __future__ import annotations

from typing import Final

import pytest

from medvid.evidence.signatures import Signer
from services.operate.chains import chains
from shared.storage.database import Database
from tests.evidence import SIGNER
from tests.measuring import entry, measure, noisy, rank

OTHER: Final = Signer.of("6b" * 32)


async def ranked(database: Database) -> None:
    """Two snapshots and their statistics, linked and signed an hour ago."""
    await entry(database, "A", noisy(0.5, 1))
    await rank(database, SIGNER)
    await measure(database, SIGNER)
    for table in ("snapshots", "snapshot_statistics"):
        await database.pool.execute(f"UPDATE {table} SET created_at = now() - interval '1 hour'")  # noqa: S608 - names of ours


async def forge(database: Database, statement: str) -> None:
    """Change what constraints and triggers protect, as who holds the database can."""
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(statement)


async def test_whole_chains_are_sound(database: Database) -> None:
    assert (await chains(database, None)).says == "no board has been ranked yet."
    await ranked(database)
    found = await chains(database, SIGNER)
    said = f"unbroken chains. community: 4 links, the last signed by {SIGNER.key_id}."
    assert (found.state, found.says) == ("ok", said)
    assert (await chains(database, None)).state == "ok", "only rankers need the key"


@pytest.mark.parametrize(
    ("statement", "state", "says"),
    [
        ("DELETE FROM links WHERE number = 2", "failed", "link 3 of the community board does not"),
        ("UPDATE links SET body = body || ' ' WHERE number = 1", "failed", "link 2 of"),
        ("UPDATE links SET body = body || ' ' WHERE number = 4", "failed", "is not signed by its"),
        ("UPDATE links SET signature = repeat('0', 128)", "failed", "is not signed by its key"),
        ("UPDATE signing_keys SET public_key = repeat('0', 64)", "failed", "is not signed by"),
        ("UPDATE snapshots SET content = content || ' '", "failed", "is not what link 1 says"),
        ("UPDATE snapshots SET unranked = '[]'", "failed", "is not what link 1 says"),
        ("UPDATE snapshot_values SET content = content || ' '", "failed", "is not what link 1"),
        ("DELETE FROM snapshot_values", "failed", "is not what link 1"),
        ("UPDATE snapshot_statistics SET content = content || ' '", "failed", "what link 3"),
        ("DELETE FROM links WHERE number > 2", "warning", "2 snapshots and statistics have no"),
        ("UPDATE links SET key_id = NULL, signature = NULL", "warning", "is signed by no key"),
    ],
)
async def test_what_is_wrong_is_named(
    database: Database, statement: str, state: str, says: str
) -> None:
    await ranked(database)
    await forge(database, statement)
    found = await chains(database, SIGNER)
    assert (found.state, says in found.says) == (state, True), found
    assert found.fix


async def test_what_was_thinned_out_and_what_is_new_is_no_fault(database: Database) -> None:
    await ranked(database)
    await database.pool.execute("DELETE FROM snapshots")
    assert (await chains(database, SIGNER)).state == "ok"
    await database.pool.execute("UPDATE scores SET compat = 0.25, strict = 0.25")
    await database.pool.execute("UPDATE boards SET revision = revision + 1")
    await rank(database, SIGNER)
    await forge(database, "DELETE FROM links WHERE number > 4")
    assert (await chains(database, SIGNER)).state == "ok", "the next ranker links it in seconds"


async def test_another_key_than_the_rankers_have(database: Database) -> None:
    await ranked(database)
    found = await chains(database, OTHER)
    said = f"link 4 of the community board is signed by {SIGNER.key_id}, and MEDVID_SIGNING_KEY"
    assert (found.state, said in found.says) == ("warning", True), found
