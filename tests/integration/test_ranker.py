"""The ranker on a real database: one snapshot a board and scoring, whoever ranks and when."""

from __future__ import annotations

import asyncio
import json
import time
from importlib.resources import files
from typing import Any
from uuid import UUID

from services.ranker.board import ranked_board
from services.ranker.consume import build_consumer
from services.ranker.store import OVERDUE, BoardStore
from shared.contracts.messages import BoardChanged, Envelope
from shared.messaging.bus import Delivery, Done
from shared.messaging.topology import RANKER_BOARDS
from shared.storage.database import Database
from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.reaping import reap
from tests.rows import Stored, accept_submission, add_listed_entry, load_demo_ground_truth


def changed(board: str = "community") -> Delivery:
    envelope = Envelope.wrap(BoardChanged.model_validate({"board": board}))
    return Delivery(RANKER_BOARDS, envelope.to_bytes(), attempt=1)


async def rank(database: Database, delivery: Delivery | None = None) -> None:
    consumer = build_consumer(database)
    assert await consumer.handle(delivery or changed()) == Done()


async def snapshots(database: Database) -> list[tuple[str, str, int, list[dict[str, object]]]]:
    rows = await database.pool.fetch("SELECT * FROM snapshots ORDER BY id")
    return [
        (row["board"], row["scoring"], row["revision"], json.loads(row["content"])) for row in rows
    ]


async def test_a_changed_board_gets_one_snapshot_in_each_scoring(database: Database) -> None:
    await add_listed_entry(database, "Lower", {"cvs_acc": 0.25})
    await add_listed_entry(database, "Higher", {"cvs_acc": 0.75})
    await rank(database)
    compat, strict = await snapshots(database)
    assert [(row["rank"], row["model_name"]) for row in compat[3]] == [(1, "Higher"), (2, "Lower")]
    assert compat[:3] == ("community", "compat", 2)
    assert strict[:3] == ("community", "strict", 2)
    assert strict[3] == []
    hint = await database.pool.fetchval("SELECT body FROM outbox WHERE type = 'board.ranked'")
    assert json.loads(hint)["data"] == {"board": "community", "revision": 2}


async def test_entries_that_are_not_listed_or_removed_are_not_ranked(database: Database) -> None:
    await accept_submission(database, "Not scored yet")
    removed = await add_listed_entry(database, "Removed", {"cvs_acc": 0.5})
    await database.pool.execute("UPDATE entries SET removed_at = now() WHERE id = $1", removed)
    await add_listed_entry(database, "Listed", {"cvs_acc": 0.5})
    await rank(database)
    compat, _ = await snapshots(database)
    assert [row["model_name"] for row in compat[3]] == ["Listed"]


async def test_repeated_reordered_and_late_messages_change_nothing(database: Database) -> None:
    await add_listed_entry(database, "A model", {"cvs_acc": 0.5})
    first, second = changed(), changed()
    await rank(database, second)
    before = await snapshots(database)
    for delivery in (first, second, first, changed()):
        await rank(database, delivery)
    assert await snapshots(database) == before


async def test_rival_rankers_write_one_snapshot(database: Database) -> None:
    await add_listed_entry(database, "A model", {"cvs_acc": 0.5})
    await asyncio.gather(*(rank(database) for _ in range(5)))
    assert len(await snapshots(database)) == 2


async def test_what_came_before_the_board_was_read_is_ranked_with_it(database: Database) -> None:
    first, late = [await accept_submission(database, name) for name in ("First", "Late")]
    await score(database, first, 0.5)
    async with database.transaction() as transaction:
        work = BoardStore(transaction, "community")
        await work.lock()
        await score(database, late, 0.6)
        await work.mark_ranked(await work.read())
    assert await states(database) == {"First": "ranked", "Late": "ranked"}
    await rank(database)  # finds nothing left to do
    assert not await snapshots(database)


async def test_a_board_changes_while_it_is_ranked_and_is_ranked_again(database: Database) -> None:
    first = await accept_submission(database, "First")
    await score(database, first, 0.5)
    second = await accept_submission(database, "Second")
    async with database.transaction() as transaction:
        work = BoardStore(transaction, "community")
        await work.lock()
        state = await work.read()
        ranked = ranked_board(state.entries, "compat", state.ranking)
        await work.save_snapshot("compat", state.revision, ranked)
        async with asyncio.timeout(HANG_SECONDS):  # it waits for no ranker
            await score(database, second, 0.6)
        await work.mark_ranked(state)
    assert await states(database) == {"First": "ranked", "Second": "scored"}
    board = await database.pool.fetchrow("SELECT * FROM boards WHERE board = 'community'")
    assert board is not None
    assert (board["revision"], board["ranked_revision"]) == (2, 1)
    assert board["behind_since"] is not None
    await rank(database)
    assert await states(database) == {"First": "ranked", "Second": "ranked"}
    newest = (await snapshots(database))[-2]
    assert (newest[2], [row["model_name"] for row in newest[3]]) == (2, ["Second", "First"])


async def score(database: Database, stored: Stored, value: float) -> None:
    """Do what a scorer does to the tables."""
    async with database.transaction() as transaction:
        connection = transaction.connection
        await connection.execute("UPDATE entries SET listed = true WHERE id = $1", stored.entry_id)
        await connection.execute(
            "INSERT INTO scores (entry_id, metric, compat) VALUES ($1, 'cvs_acc', $2)",
            stored.entry_id, value,
        )  # fmt: skip
        await connection.execute(
            "UPDATE boards SET revision = revision + 1 WHERE board = 'community'"
        )
        await connection.execute(
            "UPDATE submissions SET state = 'scored' WHERE id = $1", stored.submission_id
        )


async def states(database: Database) -> dict[str, str]:
    rows = await database.pool.fetch(
        "SELECT model_name, state FROM submissions JOIN entries ON submission_id = submissions.id"
    )
    return {row["model_name"]: row["state"] for row in rows}


async def test_a_change_that_ranks_the_same_adds_no_snapshot(database: Database) -> None:
    await add_listed_entry(database, "A model", {"cvs_acc": 0.5})
    await rank(database)
    before = await snapshots(database)
    await database.pool.execute("UPDATE boards SET revision = revision + 1")
    await rank(database)
    assert await snapshots(database) == before
    assert await database.pool.fetchval(
        "SELECT ranked_revision = revision FROM boards WHERE board = 'community'"
    )


async def unranked(database: Database, scoring: str) -> list[str]:
    """Names in the newest snapshot that have no rank."""
    content = await database.pool.fetchval(
        "SELECT unranked FROM snapshots WHERE board = 'community' AND scoring = $1"
        " ORDER BY id DESC LIMIT 1",
        scoring,
    )
    return [row["model_name"] for row in json.loads(content or "[]")]


async def set_strict(database: Database, entry_id: UUID, value: float | None) -> None:
    await database.pool.execute(
        "UPDATE scores SET strict = $2 WHERE entry_id = $1", entry_id, value
    )
    await database.pool.execute("UPDATE boards SET revision = revision + 1")


async def test_who_has_no_value_is_kept_apart_and_has_no_rank(database: Database) -> None:
    first = await add_listed_entry(database, "First", {"cvs_acc": 0.5})
    second = await add_listed_entry(database, "Second", {"cvs_acc": 0.4})
    await rank(database)
    assert await unranked(database, "compat") == []
    assert await unranked(database, "strict") == ["First", "Second"]
    assert await ranks(database, "strict") == []
    for entry_id in (second, first):
        await set_strict(database, entry_id, 0.3)
        await rank(database)
    assert await unranked(database, "strict") == []
    await set_strict(database, second, None)
    await rank(database)
    assert await unranked(database, "strict") == ["Second"]
    assert [row[2] for row in await snapshots(database) if row[1] == "compat"] == [2]
    assert await ranks(database, "strict") == [
        ("Second", 1, True, False),
        ("First", 1, True, True),
        ("Second", 2, False, False),
    ]


async def test_a_change_of_unranked_rows_alone_is_a_snapshot(database: Database) -> None:
    entry_id = await add_listed_entry(database, "First", {"cvs_acc": 0.5})
    await rank(database)
    await database.pool.execute("UPDATE entries SET model_name = 'New' WHERE id = $1", entry_id)
    await database.pool.execute("UPDATE boards SET revision = revision + 1")
    await rank(database)
    assert await unranked(database, "strict") == ["New"]
    counts = await database.pool.fetch("SELECT scoring, entries FROM snapshots ORDER BY id")
    assert [tuple(row) for row in counts] == [
        ("compat", 1), ("strict", 0), ("compat", 1), ("strict", 0),
    ]  # fmt: skip


async def newest_ranking(database: Database) -> list[str]:
    rows = await database.pool.fetch("SELECT ranking FROM snapshots ORDER BY id DESC LIMIT 2")
    return [row["ranking"] for row in rows]


async def test_a_board_ranks_as_its_setting_says_and_snapshots_record_it(
    database: Database,
) -> None:
    for name, value in (("A", 0.9), ("B", 0.5), ("C", 0.5), ("D", 0.1)):
        await add_listed_entry(database, name, {"cvs_acc": value})
    await rank(database)
    assert await newest_ranking(database) == ["competition"] * 2
    await database.pool.execute(
        "UPDATE boards SET ranking = 'dense', revision = revision + 1 WHERE board = 'community'"
    )
    await rank(database)
    assert await newest_ranking(database) == ["dense"] * 2
    last = (await snapshots(database))[-2][3][-1]
    assert (last["rank"], last["ranks"]["cvs_acc"]) == (4, 3)  # type: ignore[index]


async def behind(database: Database) -> list[str]:
    """Boards that the reaper announces."""
    await reap(database, OVERDUE)
    rows = await database.pool.fetch("SELECT board FROM boards WHERE ranked_revision < revision")
    return [row["board"] for row in rows]


async def test_boards_that_the_version_before_ranked_are_ranked_again_once(
    database: Database,
) -> None:
    await add_listed_entry(database, "A model", {"cvs_acc": 0.5})
    await rank(database)
    assert await behind(database) == []
    await database.pool.execute("UPDATE snapshots SET ranking = NULL")
    assert await behind(database) == ["community"]
    await rank(database)
    assert await newest_ranking(database) == ["competition"] * 2
    assert len(await snapshots(database)) == 4
    assert await behind(database) == []
    assert len(await ranks(database)) == 1, "the same ranks go on"


async def test_boards_of_another_rule_of_what_is_withheld_are_ranked_again_once(
    database: Database,
) -> None:
    """As after an upgrade: the version before withheld nothing, and recorded no rule."""
    await load_demo_ground_truth(database)
    entry_id = await add_listed_entry(database, "Few answers", {"cvs_acc": 0.5})
    await database.pool.execute(FEW_ANSWERS, entry_id)
    await rank(database)
    (row,) = await unranked_rows(database)
    assert (row["rank"], row["values"]["nap_acc"], row["withheld"]) == (
        None, None, {"cvs_acc": "too_few_answers"},
    )  # fmt: skip
    await database.pool.execute("UPDATE snapshots SET disclosure = NULL")
    assert await behind(database) == ["community"]
    await rank(database)
    assert len(await snapshots(database)) == 4
    assert await behind(database) == []


async def test_standings_of_the_version_before_are_made_anew(database: Database) -> None:
    stored = await accept_submission(database, "Evaluated")
    await database.pool.execute(
        "UPDATE entries SET hypothetical = true, name_key = E'\\x1f' || id WHERE id = $1",
        stored.entry_id,
    )
    await score(database, stored, 0.5)
    await database.pool.execute(FEW_ANSWERS, stored.entry_id)
    await rank(database)
    await database.pool.execute("UPDATE hypothetical_ranks SET content = content - 'steps'")
    await behind(database)
    assert await database.pool.fetchval("SELECT count(*) FROM hypothetical_due") == 1
    await rank(database)
    standings = await database.pool.fetch("SELECT content::text FROM hypothetical_ranks")
    for content in (json.loads(row[0]) for row in standings):
        assert (content["rank"], content["values"]["cvs_acc"]) == (None, None)
        assert content["withheld"] == {"cvs_acc": "too_few_answers"}
    await behind(database)
    assert await database.pool.fetchval("SELECT count(*) FROM hypothetical_due") == 0


FEW_ANSWERS = (
    "UPDATE scores SET answered = 29, expected = 29, metric_version = '2',"
    " ground_truth_version = (SELECT version FROM ground_truths LIMIT 1),"
    " file_sha256 = repeat('a', 64) WHERE entry_id = $1"
)


async def unranked_rows(database: Database) -> list[dict[str, Any]]:
    content = await database.pool.fetchval(
        "SELECT unranked FROM snapshots WHERE scoring = 'compat' ORDER BY id DESC LIMIT 1"
    )
    rows: list[dict[str, Any]] = json.loads(content)
    return rows


async def test_boards_rank_within_themselves(database: Database) -> None:
    await add_listed_entry(database, "Same name", {"cvs_acc": 0.5})
    await add_listed_entry(database, "Same name", {"cvs_acc": 0.9}, board="official")
    await rank(database, changed("official"))
    assert {board for board, *_ in await snapshots(database)} == {"official"}


async def ranks(database: Database, scoring: str = "compat") -> list[tuple[str, int, bool, bool]]:
    """Model, rank, whether it is the first one, whether it lasts; in order of time."""
    rows = await database.pool.fetch(
        "SELECT model_name, rank, entered, until IS NULL AS lasts FROM rank_history"
        " JOIN entries ON entries.id = entry_id WHERE scoring = $1"
        " ORDER BY since_snapshot, rank",
        scoring,
    )
    return [(row["model_name"], row["rank"], row["entered"], row["lasts"]) for row in rows]


async def test_a_rank_is_written_once_and_lasts_until_it_changes(database: Database) -> None:
    await add_listed_entry(database, "Best", {"cvs_acc": 0.9})
    last = await add_listed_entry(database, "Last", {"cvs_acc": 0.1})
    await rank(database)
    await add_listed_entry(database, "Middle", {"cvs_acc": 0.5})
    await rank(database)
    assert await ranks(database) == [
        ("Best", 1, True, True),
        ("Last", 2, True, False),
        ("Middle", 2, True, True),
        ("Last", 3, False, True),
    ]
    await database.pool.execute("UPDATE entries SET removed_at = now() WHERE id = $1", last)
    await database.pool.execute("UPDATE boards SET revision = revision + 1")
    await rank(database)
    assert [row for row in await ranks(database) if row[0] == "Last"] == [
        ("Last", 2, True, False),
        ("Last", 3, False, False),
    ]
    open_ends = await database.pool.fetch(
        "SELECT until_snapshot FROM rank_history WHERE entry_id = $1 AND scoring = 'compat'"
        " ORDER BY since_snapshot",
        last,
    )
    newest = await database.pool.fetchval("SELECT max(id) FROM snapshots WHERE scoring = 'compat'")
    assert [row["until_snapshot"] for row in open_ends][-1] == newest


@deep
async def test_the_ranks_of_a_large_board_are_all_written(database: Database) -> None:
    """More entries than one statement writes; a newcomer at the top moves each of them."""
    count = 5_200
    await database.pool.execute(
        "WITH made AS (INSERT INTO entries (id, board, model_name, name_key, organization,"
        " submitted_on, listed) SELECT gen_random_uuid(), 'community', n::text, n::text, 'Us',"
        " '2026-01-02', true FROM generate_series(1, $1::integer) AS n RETURNING id, name_key)"
        " INSERT INTO scores (entry_id, metric, compat)"
        " SELECT id, 'cvs_acc', name_key::float8 / 10000 FROM made",
        count,
    )
    await database.pool.execute("UPDATE boards SET revision = revision + 1")
    begun = time.monotonic()
    await rank(database)
    whole = time.monotonic() - begun
    await add_listed_entry(database, "On top", {"cvs_acc": 0.9})
    async with asyncio.timeout(15 * whole):  # joined without an index it took 30 times as long
        await rank(database)
    shown = {row["entry_id"]: row["rank"] for row in (await snapshots(database))[-2][3]}
    standing = await database.pool.fetch(
        "SELECT entry_id::text, rank FROM rank_history WHERE scoring = 'compat' AND until IS NULL"
    )
    assert {row["entry_id"]: row["rank"] for row in standing} == shown
    assert len(shown) == count + 1
    moved = await database.pool.fetchval(
        "SELECT count(*) FROM rank_history WHERE scoring = 'compat' AND until IS NOT NULL"
    )
    assert moved == count


async def test_the_history_told_by_old_snapshots_is_the_one_that_was_written(
    database: Database,
) -> None:
    """The migration's backfill gives, from snapshots alone, what the ranker wrote meanwhile."""
    leaves = None
    for turn, (name, value) in enumerate([("A", 0.5), ("B", 0.6), ("C", 0.4), ("D", 0.7)]):
        added = await add_listed_entry(database, name, {"cvs_acc": value, "nap_acc": 1 - value})
        if turn == 1:
            leaves = added
        await rank(database)
    for removed in ("now()", "NULL"):  # B leaves and comes back
        await database.pool.execute(
            f"UPDATE entries SET removed_at = {removed} WHERE id = $1",  # noqa: S608 - ours
            leaves,
        )
        await database.pool.execute("UPDATE boards SET revision = revision + 1")
        await rank(database)
    everything = "SELECT * FROM rank_history ORDER BY entry_id, scoring, since_snapshot"
    written = await database.pool.fetch(everything)
    assert len(written) > 8
    backfill = migration("0009_rank_history").partition("WITH numbered")
    await database.pool.execute("DELETE FROM rank_history")
    await database.pool.execute(backfill[1] + backfill[2])
    assert await database.pool.fetch(everything) == written


def migration(name: str) -> str:
    return (files("shared.storage") / "migrations" / f"{name}.sql").read_text()
