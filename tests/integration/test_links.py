"""The chain of links: exactly one for each document, unbroken, whoever writes it and when."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import asyncpg
import orjson
import pytest

from medvid.evidence.canonical import canonical, sha256
from medvid.evidence.signatures import Signer, is_signed
from services.ranker.consume import build_consumer, build_statistics_consumer, rank_board
from services.ranker.links import link, link_what_is_left
from services.ranker.settings import RankerSettings
from services.ranker.store import BoardStore
from shared.contracts.messages import BoardChanged, BoardRanked, Envelope
from shared.messaging.bus import Delivery, Done
from shared.messaging.topology import RANKER_BOARDS, RANKER_STATISTICS
from shared.runtime.errors import Misconfigured
from shared.runtime.settings import load_settings
from shared.storage.database import Database
from tests.measuring import METRIC, entry, measure, noisy, rank
from tests.rows import add_listed_entry

SEED: Final = "5a" * 32
Row = dict[str, Any]


async def chain(database: Database) -> list[Row]:
    """The community board's links, after looking at each."""
    rows = await database.pool.fetch(
        "SELECT * FROM links WHERE board = 'community' ORDER BY number"
    )
    previous = None
    for number, row in enumerate(rows, 1):
        body = orjson.loads(row["body"])
        assert canonical(body) == row["body"]
        assert (body["number"], row["number"]) == (number, number)
        assert (body["previous"], row["previous"]) == (previous, previous)
        assert row["hash"] == sha256(row["body"])
        previous = row["hash"]
    documents = await database.pool.fetch(
        "SELECT id, 'snapshot' AS kind FROM snapshots WHERE board = 'community'"
        " UNION ALL SELECT snapshot_id, 'statistics' FROM snapshot_statistics"
    )
    linked = sorted((row["snapshot_id"], row["kind"]) for row in rows)
    assert linked == sorted((each["id"], each["kind"]) for each in documents)
    return [dict(row) for row in rows]


async def changed(database: Database, value: float) -> None:
    await database.pool.execute("UPDATE scores SET compat = $1, strict = $1", value)
    await database.pool.execute("UPDATE boards SET revision = revision + 1")


async def test_each_document_has_a_link_that_names_the_one_before(database: Database) -> None:
    await entry(database, "A", noisy(0.5, 1))
    await rank(database)
    assert [row["kind"] for row in await chain(database)] == ["snapshot"] * 2
    await measure(database)
    await measure(database)
    await rank(database)
    rows = await chain(database)
    assert [row["kind"] for row in rows] == ["snapshot"] * 2 + ["statistics"] * 2
    assert {row["signature"] for row in rows} == {None}
    content = orjson.loads(rows[0]["body"])["content"]
    stored = await database.pool.fetchrow(
        "SELECT s.content, v.content AS values, salt, replicates_sha256 FROM snapshots s"
        " JOIN snapshot_values v ON v.snapshot_id = s.id WHERE s.id = $1",
        rows[0]["snapshot_id"],
    )
    assert stored is not None
    assert content["rows_sha256"] == sha256(stored["content"])
    assert content["values_sha256"] == sha256(stored["values"])
    sealed = sha256(stored["salt"], bytes.fromhex(stored["replicates_sha256"]))
    assert content["sealed_sha256"] == sealed
    values = orjson.loads(stored["values"])
    (own,) = values["entries"].values()
    mean = await database.pool.fetchval("SELECT compat FROM scores")
    assert own == {METRIC: {"value": round(mean, 4), "from": 0}}
    truth = await database.pool.fetchval("SELECT version FROM ground_truths")
    assert values["origins"] == [
        {
            "file_sha256": "a" * 64, "ground_truth_version": truth, "judge_version": None,
            "metric_version": "1",
        }
    ]  # fmt: skip


async def test_statistics_may_come_late_or_never(database: Database) -> None:
    await entry(database, "A", noisy(0.5, 1))
    await rank(database)  # these never get any
    await changed(database, 0.25)
    await rank(database)
    await measure(database)
    await changed(database, 0.5)
    await rank(database)
    rows = await chain(database)
    kinds = [row["kind"] for row in rows]
    assert kinds == ["snapshot"] * 4 + ["statistics"] * 2 + ["snapshot"] * 2
    assert {row["snapshot_id"] for row in rows[4:6]} == {row["snapshot_id"] for row in rows[2:4]}


async def test_many_at_once_write_one_unbroken_chain(database: Database) -> None:
    await entry(database, "A", noisy(0.5, 1))
    for value in (0.25, 0.5, 0.75):
        await changed(database, value)
        await asyncio.gather(
            *(rank(database) for _ in range(3)),
            *(measure(database) for _ in range(3)),
            *(link_what_is_left(database, None) for _ in range(2)),
        )
    await measure(database)
    assert len(await chain(database)) >= 8


async def test_what_has_no_link_is_linked_in_order(database: Database) -> None:
    """As after an upgrade: snapshots and statistics of the version before."""
    await entry(database, "A", noisy(0.5, 1))
    for value in (0.25, 0.5):
        await changed(database, value)
        await rank(database)
        await measure(database)
    await forget(database)
    await database.pool.execute("DELETE FROM snapshot_values")
    await link_what_is_left(database, None)
    rows = await chain(database)
    assert [row["kind"] for row in rows] == (["snapshot"] * 2 + ["statistics"] * 2) * 2
    earlier, later = rows[0]["snapshot_id"], rows[4]["snapshot_id"]
    expected = [earlier, earlier + 1] * 2 + [later, later + 1] * 2
    assert [row["snapshot_id"] for row in rows] == expected
    content = orjson.loads(rows[0]["body"])["content"]
    assert (content["values_sha256"], content["sealed_sha256"]) == (None, None)


async def forget(database: Database) -> None:
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("DELETE FROM links")


async def test_a_transaction_that_is_lost_leaves_no_link(database: Database) -> None:
    """Snapshot, link and message are one transaction: cut off at its end, none of them is there."""
    await add_listed_entry(database, "A", {METRIC: 0.5})

    class CutOffError(Exception):
        pass

    async def ranked_and_cut_off() -> None:
        async with database.transaction() as transaction:
            await rank_board(BoardStore(transaction, "community"), None)
            assert await transaction.connection.fetchval("SELECT count(*) FROM links") == 2
            raise CutOffError

    with pytest.raises(CutOffError):
        await ranked_and_cut_off()
    assert await chain(database) == []
    await rank(database)
    assert len(await chain(database)) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE links SET body = body",
        "DELETE FROM links",
        "TRUNCATE links",
        "INSERT INTO links (board, number, snapshot_id, kind, previous, body)"
        " SELECT board, 9, 99, kind, hash, replace(convert_from(body, 'UTF8'), 'x', 'y')::bytea"
        " FROM links WHERE number = 2",
    ],
)
async def test_the_chain_is_only_ever_added_to(database: Database, statement: str) -> None:
    await add_listed_entry(database, "A", {METRIC: 0.5})
    await rank(database)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await database.pool.execute(statement)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"number": 4}, "links_unbroken"),
        ({"number": 2}, "links_pkey"),
        ({"previous": "0" * 64}, "links_unbroken"),
        ({"previous": None}, "links_name_what_is_before"),
        ({"snapshot": 1}, "links_once"),
    ],
)
async def test_constraints_keep_the_chain(database: Database, change: Row, constraint: str) -> None:
    await add_listed_entry(database, "A", {METRIC: 0.5})
    await rank(database)
    rows = await chain(database)
    first = rows[0]["snapshot_id"]
    right = {"number": 3, "previous": rows[1]["hash"], "snapshot": first + 50}
    given = right | change | ({"snapshot": first} if "snapshot" in change else {})
    body = canonical({**given, "board": "community", "kind": "snapshot"})
    add = (
        "INSERT INTO links (board, number, snapshot_id, kind, previous, body)"
        " VALUES ('community', $1, $2, 'snapshot', $3, $4)"
    )
    for content, broken in ((canonical({}), "links_say_what_they_hash"), (body, constraint)):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
            await database.pool.execute(
                add, given["number"], given["snapshot"], given["previous"], content
            )
        if content == body:
            assert refused.value.constraint_name == broken  # type: ignore[attr-defined]


async def test_links_are_signed_where_a_key_is_set(database: Database) -> None:
    await entry(database, "A", noisy(0.5, 1))
    settings = RankerSettings(signing_key=SEED)  # type: ignore[arg-type]
    signer = settings.signer
    assert signer is not None
    changed_board = Envelope.wrap(BoardChanged(board="community"))
    delivery = Delivery(RANKER_BOARDS, changed_board.to_bytes(), attempt=1)
    assert await build_consumer(database, signer).handle(delivery) == Done()
    other = Signer.of("6b" * 32)
    ranked = Envelope.wrap(BoardRanked(board="community", revision=1))
    delivery = Delivery(RANKER_STATISTICS, ranked.to_bytes(), attempt=1)
    assert await build_statistics_consumer(database, other).handle(delivery) == Done()
    keys = dict(await database.pool.fetch("SELECT key_id, public_key FROM signing_keys"))
    assert keys == {each.key_id: each.public_key for each in (signer, other)}, "both stay listed"
    for row in await chain(database):
        assert row["key_id"] == (signer if row["kind"] == "snapshot" else other).key_id
        assert is_signed(row["body"], row["signature"], keys[row["key_id"]])
        assert not is_signed(row["body"] + b" ", row["signature"], keys[row["key_id"]])
    async with database.transaction() as transaction:
        assert await link(transaction, "community", signer) == 0


def test_a_key_that_is_none_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert RankerSettings().signer is None
    monkeypatch.setenv("MEDVID_SIGNING_KEY", "a-secret-that-is-no-key")
    with pytest.raises(Misconfigured) as refused:
        load_settings(RankerSettings)
    assert "MEDVID_SIGNING_KEY: it has not 64 hexadecimal digits" in str(refused.value)
    assert "a-secret" not in str(refused.value)
