"""Work that nobody was told about is announced again, in every state that is not final."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import orjson

from services.ranker.store import OVERDUE as BOARDS
from services.scorer.store import OVERDUE as SUBMISSIONS
from shared.messaging.bus import Outgoing
from shared.messaging.local import LocalBus
from shared.messaging.topology import SCORER_SUBMISSIONS
from shared.storage.database import Database
from tests.patience import HANG_SECONDS
from tests.reaping import reap
from tests.rows import accept_submission, add_listed_entry, load_demo_ground_truth


async def lose_all_messages(database: Database) -> None:
    await database.pool.execute("DELETE FROM outbox")


async def announced(database: Database) -> list[dict[str, object]]:
    rows = await database.pool.fetch("SELECT type, body FROM outbox ORDER BY position")
    return [orjson.loads(row["body"])["data"] for row in rows]


async def test_a_submission_whose_message_was_lost_is_announced_once(database: Database) -> None:
    stored = await accept_submission(database)
    await lose_all_messages(database)
    await database.pool.execute("UPDATE submissions SET announced_at = now() - interval '1 hour'")
    await reap(database, SUBMISSIONS)
    await reap(database, SUBMISSIONS)
    assert await announced(database) == [{"submission_id": str(stored.submission_id)}]


async def test_a_young_or_finished_submission_is_left_alone(database: Database) -> None:
    await accept_submission(database, "Young")
    done = await accept_submission(database, "Done")
    await database.pool.execute(
        "UPDATE submissions SET state = 'scored', announced_at = now() - interval '1 hour'"
        " WHERE id = $1",
        done.submission_id,
    )
    await lose_all_messages(database)
    await reap(database, SUBMISSIONS)
    assert not await announced(database)


async def test_what_may_wait_in_a_busy_queue_gets_more_time(database: Database) -> None:
    stored = await accept_submission(database)
    bus = LocalBus(database)
    await bus.publish([Outgoing(stored.message_id, SCORER_SUBMISSIONS.types[0], b"{}")])
    await lose_all_messages(database)
    for age, expected in (("1 minute", 0), ("1 hour", 1)):
        await database.pool.execute(
            f"UPDATE submissions SET announced_at = now() - interval '{age}'"  # noqa: S608
        )
        await reap(database, SUBMISSIONS, bus=bus)
        assert len(await announced(database)) == expected


async def test_a_state_whose_rows_are_locked_holds_up_no_other(database: Database) -> None:
    await accept_submission(database)
    await lose_all_messages(database)
    await database.pool.execute("UPDATE submissions SET announced_at = now() - interval '1 hour'")
    job_id = uuid4()
    await database.pool.execute(
        "INSERT INTO rescore_jobs (id, ground_truth_version, state, requested_by, why)"
        " VALUES ($1, $2, 'scoring', 'administrator', 'new code')",
        job_id,
        await load_demo_ground_truth(database),
    )
    async with database.pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM rescore_jobs WHERE id = $1 FOR UPDATE", job_id)
        looking = asyncio.create_task(reap(database, SUBMISSIONS))
        async with asyncio.timeout(HANG_SECONDS):
            while not await announced(database):
                await asyncio.sleep(0.02)
        assert not looking.done()
    await looking
    types = await database.pool.fetch("SELECT type FROM outbox ORDER BY position")
    assert [row["type"] for row in types] == ["submission.accepted", "rescoring.completed"]


async def test_a_board_that_is_behind_is_announced(database: Database) -> None:
    await add_listed_entry(database, "A model", {"cvs_acc": 0.5})
    await lose_all_messages(database)
    await reap(database, BOARDS)
    assert await announced(database) == [{"board": "community"}]
    await database.pool.execute("UPDATE boards SET ranked_revision = revision")
    await lose_all_messages(database)
    await reap(database, BOARDS)
    assert not await announced(database)
