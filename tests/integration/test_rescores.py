"""Re-score jobs on a real database: what is stalled moves on, what is applied moves together."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from medvid.benchmark.versions import JUDGED_VERSION, METRIC_VERSION, SIMILARITY_VERSION
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.admin.rescore_models import Wanted
from services.gateway.admin.rescoring import Rescoring
from services.ranker.rescoring import preview
from services.ranker.store import OVERDUE as RANKED
from services.scorer.store import OVERDUE as SCORED
from shared.runtime.errors import Conflict
from shared.storage.database import Database
from tests.reaping import reap
from tests.rows import accept_submission

ACT = AdminAction.of("administrator", "a test asked for it", "req-1")
OTHER = "f" * 64


async def scored_entry(database: Database, name: str) -> tuple[UUID, UUID]:
    """A listed entry with one computed and one judged score; gives entry and submission."""
    stored = await accept_submission(database, name)
    pool = database.pool
    await pool.execute("UPDATE entries SET listed = true WHERE id = $1", stored.entry_id)
    await pool.execute(
        "UPDATE submissions SET state = 'scored' WHERE id = $1", stored.submission_id
    )
    await pool.execute(
        "INSERT INTO judge_versions (hash, facts, is_stub) VALUES ('aaaaaaaa', '{}', false)"
        " ON CONFLICT DO NOTHING"
    )
    for metric, judge in (("cvs_acc", None), ("vs_llm", "aaaaaaaa")):
        await pool.execute(
            "INSERT INTO scores (entry_id, metric, compat, strict, answered, expected,"
            " ground_truth_version, metric_version, file_sha256, judge_version)"
            " SELECT $1, $2, 0.5, 0.5, 1, 1, ground_truth_version, '1', file_sha256, $3"
            " FROM submissions WHERE id = $4",
            stored.entry_id, metric, judge, stored.submission_id,
        )  # fmt: skip
    await pool.execute("DELETE FROM outbox")
    return stored.entry_id, stored.submission_id


async def start(database: Database) -> UUID:
    await database.pool.execute(
        "INSERT INTO ground_truths (version, content, samples, active) VALUES ($1, '', 1, false)",
        OTHER,
    )
    job = await Rescoring(database).start(ACT, version=OTHER, board=None, entry_ids=None)
    return job.id


async def settle(database: Database, entry: UUID, value: float = 0.75, code: str = "1") -> None:
    """Give an entry its shadow score as the scorer would."""
    await database.pool.execute(
        "UPDATE rescore_items SET state = 'scored', metric_version = $2 WHERE entry_id = $1",
        entry, code,
    )  # fmt: skip
    await database.pool.execute(
        "INSERT INTO shadow_scores SELECT job_id, entry_id, 'cvs_acc', $2, $2, 1, 1, '{}'"
        " FROM rescore_items WHERE entry_id = $1",
        entry, value,
    )  # fmt: skip


async def settle_replicates(database: Database, byte: bytes) -> None:
    """Give every shadow score its replicates as the scorer would."""
    await database.pool.execute(
        "INSERT INTO shadow_replicates"
        " SELECT job_id, entry_id, metric, scoring, '1', $1, '{}', '{}'"
        " FROM shadow_scores CROSS JOIN (VALUES ('compat'), ('strict')) AS s (scoring)",
        byte * 8000,
    )


async def types(database: Database) -> list[str]:
    rows = await database.pool.fetch("SELECT type FROM outbox ORDER BY position")
    await database.pool.execute("DELETE FROM outbox")
    return [row["type"] for row in rows]


async def reaped(database: Database, seconds: float) -> list[str]:
    """Let the scorer's reaper look once; returns the types of what it sent."""
    await reap(database, SCORED, seconds)
    return await types(database)


async def state(database: Database) -> str:
    found: str = await database.pool.fetchval("SELECT state FROM rescore_jobs")
    return found


async def test_stalled_work_is_announced_again_in_every_state(database: Database) -> None:
    one, _ = await scored_entry(database, "A")
    other, _ = await scored_entry(database, "B")
    job = await start(database)
    assert await types(database) == ["rescoring.requested"] * 2
    assert await reaped(database, 3600) == []
    assert await reaped(database, 0) == ["rescoring.requested"] * 2

    # Two versions of the code: what is not ours is scored again.
    await settle(database, one, code=METRIC_VERSION)
    await settle(database, other, code="older")
    await reap(database, SCORED, 3600)
    body = await database.pool.fetchval("SELECT body FROM outbox")
    assert orjson.loads(body)["data"]["entry_id"] == str(other)
    assert await types(database) == ["rescoring.requested"]
    await database.pool.execute("UPDATE rescore_items SET state = 'scored', metric_version = '1'")
    assert await reaped(database, 3600) == ["rescoring.completed"]
    assert await state(database) == "scored"

    await reap(database, RANKED, 3600)
    assert await types(database) == []
    await reap(database, RANKED, 0)
    assert await types(database) == ["rescoring.completed"]
    for _ in range(2):  # the second finds nothing to do
        async with database.transaction() as transaction:
            await preview(transaction, job)
    found = await Rescoring(database).find(job)
    assert (found.state, found.preview, found.metric_version) == ("ready", 1, "1")


async def ready(database: Database) -> tuple[UUID, UUID, UUID]:
    entry, submission = await scored_entry(database, "A")
    job = await start(database)
    await settle(database, entry)
    await reap(database, SCORED, 3600)
    async with database.transaction() as transaction:
        await preview(transaction, job)
    await types(database)
    return job, entry, submission


async def scores(database: Database) -> dict[str, tuple[Any, ...]]:
    rows = await database.pool.fetch("SELECT * FROM scores ORDER BY metric")
    return {row["metric"]: (row["compat"], row["ground_truth_version"]) for row in rows}


async def test_applying_moves_everything_together(database: Database) -> None:
    job, entry, submission = await ready(database)
    pool = database.pool
    await pool.execute("UPDATE judge_service SET judge_version = 'aaaaaaaa'")
    await pool.execute(
        "INSERT INTO similarities (entry_id, metric, value, pairs, distinct_pairs,"
        " ground_truth_version, similarity_version, file_sha256)"
        " SELECT $1, 'vs_similarity', 0.5, 1, 1, ground_truth_version, '1', file_sha256"
        " FROM submissions",
        entry,
    )
    detail = await Rescoring(database).preview(job)
    assert detail is not None
    assert detail["judged_otherwise"] == [str(entry)]
    before = await scores(database)
    assert await Rescoring(database).apply(job, ACT, Wanted(preview=1, judge_again=True))
    after = await scores(database)
    assert after["cvs_acc"] == (0.75, OTHER)
    assert after["vs_llm"] == before["vs_llm"], "paid for, and judged anew only if asked"
    assert await pool.fetchval("SELECT ground_truth_version FROM submissions") == OTHER
    assert await pool.fetchval("SELECT submission_id FROM similarities_due") == submission
    assert await pool.fetchval("SELECT requested_by FROM judge_runs") == "administrator"
    assert await types(database) == ["judging.requested", "board.changed", "board.changed"]
    assert not await Rescoring(database).apply(job, ACT, Wanted(preview=1))
    assert await types(database) == []


@pytest.mark.parametrize("code", ["1", "today's"])
async def test_judged_scores_of_older_code_are_due_on_the_same_ground_truth(
    database: Database, code: str
) -> None:
    entry, submission = await scored_entry(database, "A")
    pool = database.pool
    version = await pool.fetchval("SELECT version FROM ground_truths WHERE active")
    await pool.execute("UPDATE judge_service SET judge_version = 'aaaaaaaa'")
    judged, measured = ("1", "1") if code == "1" else (JUDGED_VERSION, SIMILARITY_VERSION)
    await pool.execute(
        "UPDATE scores SET metric_version = $1 WHERE judge_version IS NOT NULL", judged
    )
    await pool.execute(
        "INSERT INTO replicates (entry_id, metric, scoring, ground_truth_version, metric_version,"
        " judge_version, statistics_version, replicates, interval, by_source)"
        " SELECT entry_id, metric, 'compat', ground_truth_version, metric_version, judge_version,"
        " '1', $1, '{}', '{}' FROM scores WHERE judge_version IS NOT NULL",
        bytes(8000),
    )
    await pool.execute(
        "INSERT INTO similarities (entry_id, metric, value, pairs, distinct_pairs,"
        " ground_truth_version, similarity_version, file_sha256)"
        " SELECT $1, 'vs_similarity', 0.5, 1, 1, ground_truth_version, $2, file_sha256"
        " FROM submissions",
        entry, measured,
    )  # fmt: skip
    job = (await Rescoring(database).start(ACT, version=version, board=None, entry_ids=None)).id
    await settle(database, entry, code=METRIC_VERSION)
    await reap(database, SCORED, 3600)
    async with database.transaction() as transaction:
        await preview(transaction, job)
    detail = await Rescoring(database).preview(job)
    assert detail is not None
    due = code == "1"
    assert detail["judged_otherwise"] == ([str(entry)] if due else [])
    assert await Rescoring(database).apply(job, ACT, Wanted(preview=1, judge_again=True))
    assert await pool.fetchval("SELECT count(*) FROM judge_runs") == due
    assert await pool.fetchval("SELECT submission_id FROM similarities_due") == (
        submission if due else None
    )


async def test_replicates_come_into_force_with_their_scores(database: Database) -> None:
    entry, _ = await scored_entry(database, "A")
    pool = database.pool
    version = await pool.fetchval("SELECT version FROM ground_truths WHERE active")
    await pool.execute("UPDATE judge_service SET judge_version = 'aaaaaaaa'")
    await pool.execute("UPDATE scores SET metric_version = $1", JUDGED_VERSION)
    current = "SELECT metric, scoring, replicates FROM current_replicates ORDER BY 1, 2"
    for byte in (b"a", b"b"):
        # The first fills in what the version before left out; the second replaces it.
        job = (await Rescoring(database).start(ACT, version=version, board=None, entry_ids=None)).id
        await settle(database, entry, code=METRIC_VERSION)
        await settle_replicates(database, byte)
        await reap(database, SCORED, 3600)
        async with database.transaction() as transaction:
            await preview(transaction, job)
        assert await Rescoring(database).apply(job, ACT, Wanted(preview=1, judge_again=True))
        expected = [("cvs_acc", scoring, byte * 8000) for scoring in ("compat", "strict")]
        assert [tuple(row) for row in await pool.fetch(current)] == expected
        assert await pool.fetchval("SELECT count(*) FROM shadow_replicates") == 0
        # The judged value has none: it is judged again, from verdicts that are kept.
        assert await pool.fetchval("SELECT count(*) FROM judge_runs") == 1
        await pool.execute("DELETE FROM rescore_jobs")  # which `settle` would settle again
    await pool.execute("UPDATE scores SET metric_version = 'another' WHERE metric = 'cvs_acc'")
    assert await pool.fetch(current) == [], "of other values than these"


async def test_a_removed_entry_is_left_alone(database: Database) -> None:
    job, _, _ = await ready(database)
    before = await scores(database)
    await database.pool.execute("UPDATE entries SET removed_at = now()")
    assert await Rescoring(database).apply(job, ACT, Wanted(preview=1))
    assert await scores(database) == before


async def test_an_apply_that_fails_changes_nothing(database: Database) -> None:
    """As a kill at its commit would: scores, job and audit log stay as they were."""
    job, _, _ = await ready(database)
    before = await scores(database)
    await database.pool.execute(
        "ALTER TABLE audit_log ADD CONSTRAINT broken CHECK (action <> 'apply_rescore')"
    )
    with pytest.raises(asyncpg.CheckViolationError):
        await Rescoring(database).apply(job, ACT, Wanted(preview=1))
    assert await scores(database) == before
    assert await state(database) == "ready"
    assert await types(database) == []


async def test_rivals_apply_once(database: Database) -> None:
    job, _, _ = await ready(database)
    rescoring = Rescoring(database)
    done = await asyncio.gather(*(rescoring.apply(job, ACT, Wanted(preview=1)) for _ in range(5)))
    assert sorted(done) == [False] * 4 + [True]
    assert (
        await database.pool.fetchval(
            "SELECT count(*) FROM audit_log WHERE action = 'apply_rescore'"
        )
        == 1
    )


@pytest.mark.parametrize("step", ["UPDATE rescore_jobs SET state = 'ready'",
                                  "UPDATE rescore_jobs SET state = 'applied'"])  # fmt: skip
async def test_no_state_is_skipped(database: Database, step: str) -> None:
    await scored_entry(database, "A")
    job = await start(database)
    with pytest.raises(asyncpg.CheckViolationError):
        await database.pool.execute(step)
    with pytest.raises(Conflict, match="not finished"):
        await Rescoring(database).start(ACT, version=OTHER, board=None, entry_ids=None)
    assert (await Rescoring(database).find(job)).state == "scoring"
