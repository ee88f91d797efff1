"""What is too old goes, in small batches; what a board's numbers are made of never does."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from services.scorer.consume import build_consumer
from services.scorer.evaluation import Evaluator, warm_up
from shared.contracts.messages import Envelope, SubmissionAccepted
from shared.messaging.bus import Delivery, Done
from shared.messaging.topology import SCORER_SUBMISSIONS
from shared.runtime import retention
from shared.runtime.errors import Unavailable
from shared.runtime.retention import RULES, Pruner, RetentionSettings
from shared.runtime.workers import WorkerPool
from shared.storage.database import Database
from tests.fakes.grader import FakeGrader
from tests.judging import FEW, judging, reaches, replica, request_run, resume_run
from tests.rows import Stored, accept_submission


def pruner(database: Database, days: float = 10, **kept: float) -> Pruner:
    given = (
        dict.fromkeys((rule.setting for rule in RULES), days) | {"pack_text_days": 36_500} | kept
    )
    return Pruner(database, RetentionSettings.model_validate(given))


async def due(database: Database, **kept: float) -> dict[str, int]:
    return {rule.name: rows async for rule, _, rows in pruner(database, **kept).due()}


async def rows(database: Database, table: str) -> int:
    return int(await database.pool.fetchval(f"SELECT count(*) FROM {table}"))  # noqa: S608 - ours


async def age(database: Database, *columns: str, days: int = 11) -> None:
    """Make everything older than it is."""
    for column in columns:
        table, _, name = column.partition(".")
        await database.pool.execute(
            f"UPDATE {table} SET {name} = {name} - interval '{days} days'"  # noqa: S608 - ours
        )


async def finish(database: Database, stored: Stored, state: str) -> None:
    """Move a submission on to an end."""
    path = {
        "failed": "UPDATE submissions SET state = 'failed', failure_code = 'x',"
        " failure_reason = 'x' WHERE id = $1",
        "scored": "UPDATE submissions SET state = 'scored' WHERE id = $1",
        "ranked": "UPDATE submissions SET state = 'ranked' WHERE id = $1",
    }
    steps = ("scored", "ranked") if state == "ranked" else (state,)
    for step in steps:
        await database.pool.execute(path[step], stored.submission_id)


async def fill(database: Database) -> dict[str, Stored]:
    """One submission of each kind, and a row of everything else."""
    made = {}
    kinds = ("waiting", "failed", "ranked", "evaluated", "removed", "removed lately", "judged now")
    for name in kinds:
        made[name] = await accept_submission(database, name)
        if name != "waiting":
            await finish(database, made[name], "failed" if name == "failed" else "ranked")
    await database.pool.execute(
        "UPDATE entries SET hypothetical = true, name_key = E'\\x1f' || id WHERE id = $1",
        made["evaluated"].entry_id,
    )
    remove = "UPDATE entries SET removed_at = now() WHERE id = $1"
    for name in ("failed", "removed", "judged now"):
        await database.pool.execute(remove, made[name].entry_id)
    await database.pool.execute(
        "INSERT INTO judge_runs (id, submission_id, requested_by) VALUES ($1, $2, 'owner')",
        uuid4(),
        made["judged now"].submission_id,
    )
    await database.pool.execute("UPDATE outbox SET published_at = now() WHERE position > 1")
    await database.pool.execute("INSERT INTO inbox VALUES ('x', $1)", uuid4())
    await database.pool.execute(
        "INSERT INTO idempotency_keys VALUES ($1, $1, $1, $2)",
        bytes(32),
        made["ranked"].submission_id,
    )
    await database.pool.execute(
        "INSERT INTO dead_letters (queue, message_id, reason, detail, attempts, body, replayed_at)"
        " SELECT 'q', gen_random_uuid(), 'x', 'x', 1, '', v.at"
        " FROM (VALUES (now()), (NULL)) AS v (at)"
    )
    await database.pool.execute("INSERT INTO judge_versions VALUES ('12345678', '{}', true)")
    await database.pool.execute("INSERT INTO judge_pairs VALUES ($1, 'a', 'b')", bytes(32))
    await database.pool.execute(
        "INSERT INTO judge_verdicts (judge_version, pair, repeat, scores, raw_reply, attempts)"
        " VALUES ('12345678', $1, 0, '{1,2,3,4,5}', 'R2: 1', 1)",
        bytes(32),
    )
    await database.pool.execute(
        "INSERT INTO scores (entry_id, metric) SELECT id, 'cvs_acc' FROM entries;"
        "INSERT INTO replicates (entry_id, metric, scoring, ground_truth_version, replicates,"
        " statistics_version, metric_version, interval, by_source)"
        " SELECT entries.id, 'cvs_acc', 'compat', ground_truth_version,"
        " decode(repeat('00', 8000), 'hex'), '1', '1', '{}', '{}'"
        " FROM entries JOIN submissions ON submissions.id = submission_id"
    )
    await age(
        database,
        *("submissions.changed_at", "entries.removed_at", "outbox.published_at", "inbox.at"),
        *("idempotency_keys.created_at", "dead_letters.replayed_at", "judge_verdicts.judged_at"),
        "submission_events.at",
    )
    # Taken off the board today, after it stood there for long.
    await database.pool.execute(remove, made["removed lately"].entry_id)
    return made


async def test_what_is_too_old_goes_and_nothing_else(database: Database) -> None:
    made = await fill(database)
    events = await rows(database, "submission_events")
    kept = {"inbox": 0, "outbox": 1, "payloads": 4, "idempotency_keys": 0, "dead_letters": 1}
    expected = await due(database)
    gone = await pruner(database).prune()
    assert gone == expected
    assert {table: await rows(database, table) for table in kept} == kept
    holders = {row["submission_id"] for row in await database.pool.fetch("SELECT * FROM payloads")}
    assert holders == {
        made[name].submission_id for name in ("waiting", "ranked", "removed lately", "judged now")
    }
    left = await database.pool.fetch("SELECT entry_id FROM replicates")
    assert {row["entry_id"] for row in left} == {
        made[name].entry_id for name in ("waiting", "ranked", "removed lately")
    }
    verdict = await database.pool.fetchrow("SELECT scores, raw_reply FROM judge_verdicts")
    assert dict(verdict or {}) == {"scores": [1, 2, 3, 4, 5], "raw_reply": None}
    assert 0 < await rows(database, "submission_events") < events
    assert set((await pruner(database).prune()).values()) == {0}


async def test_a_dry_run_changes_nothing_and_zero_days_keep_for_ever(database: Database) -> None:
    await fill(database)
    before = {table: await rows(database, table) for table in ("outbox", "inbox", "payloads")}
    assert sum((await due(database)).values()) > 0
    forever = dict.fromkeys((rule.setting for rule in RULES), 0.0)
    assert set((await due(database, **forever)).values()) == {0}
    assert await pruner(database, **forever).prune() == {}
    assert {table: await rows(database, table) for table in before} == before


async def test_snapshots_are_thinned_and_the_newest_stays(database: Database) -> None:
    ages = (800, 790, 789.9, 400, 399, 100, 99.9, 99.8, 40, 5, 4)
    for revision, days in enumerate(ages):
        await database.pool.execute(
            "INSERT INTO snapshots (board, scoring, revision, content, content_sha256, entries,"
            " created_at) VALUES ('official', 'compat', $1, '[]', repeat('a', 64), 0,"
            " date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
            " + interval '12 h' - make_interval(secs => 86400 * $2::float8))",
            revision,
            days,
        )
    content = {
        row["revision"]: row["created_at"]
        for row in await database.pool.fetch("SELECT revision, created_at FROM snapshots")
    }
    await pruner(database, days=30).prune()
    left = {row["revision"] for row in await database.pool.fetch("SELECT revision FROM snapshots")}
    assert len(ages) - 1 in left
    for revision, at in content.items():
        days = ages[revision]
        bucket = "%Y-%m" if days > 366 else "%Y-%m-%d"
        same = {r for r, other in content.items() if other.strftime(bucket) == at.strftime(bucket)}
        if days < 4 or revision == max(same):
            assert revision in left, f"the last of its time, {days} days old, must stay"
    assert len(left) < len(ages)
    old = await database.pool.execute("UPDATE snapshots SET created_at = '2001-01-01'")
    assert old
    faulty, right = await database.pool.fetchrow(
        "INSERT INTO notes (kind, state, board, snapshot_id, corrected_by, text, published_at)"
        " SELECT 'erratum', 'published', 'official', min(id), min(id) FILTER (WHERE id > first),"
        " 'a label was wrong', now() FROM snapshots, (SELECT min(id) AS first FROM snapshots) AS s"
        " RETURNING snapshot_id, corrected_by"
    )
    await pruner(database, days=30).prune()
    kept = {row["id"] for row in await database.pool.fetch("SELECT id FROM snapshots")}
    assert len(kept) == 3, "the newest, and those of the erratum"
    assert {faulty, right} < kept


async def test_batches_are_small_and_one_process_prunes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 10)
    monkeypatch.setattr(retention, "_PAUSE_SECONDS", 0)
    await database.pool.execute(
        "INSERT INTO inbox SELECT 'x', gen_random_uuid(), now() - interval '1 year'"
        " FROM generate_series(1, 95)"
    )
    assert (await pruner(database).prune(batches=3))["inbox"] == 30
    gone = await asyncio.gather(*(pruner(database).prune() for _ in range(4)))
    assert sum(one["inbox"] for one in gone) == 65
    assert await rows(database, "inbox") == 0
    async with database.transaction() as rival:
        await rival.connection.execute("INSERT INTO inbox VALUES ('x', $1, '2001-01-01')", uuid4())
        assert await rival.connection.fetchval(retention._SQL["alone"], "inbox")  # noqa: SLF001 - as a rival
        assert (await pruner(database).prune())["inbox"] == 0


async def test_what_an_objection_is_settled_by_is_kept(database: Database) -> None:
    """Of the entry as it is, and of the version before, of which it may have been filed."""
    made = await fill(database)
    before, after = made["removed"].entry_id, made["removed lately"].entry_id
    await database.pool.execute("UPDATE entries SET replaces = $1 WHERE id = $2", before, after)
    note = await database.pool.fetchval(
        "INSERT INTO notes (kind, state, entry_id, account, text)"
        " VALUES ('objection', 'open', $1, 'key:x', 'It is not so.') RETURNING id",
        after,
    )
    await age(database, "entries.removed_at")
    await pruner(database).prune()
    move = "UPDATE notes SET state = $2, published_at = now(), resolved_at = now() WHERE id = $1"
    await database.pool.execute(move, note, "published")
    await pruner(database).prune()
    for owner in (
        "payloads p ON p.submission_id = e.submission_id",
        "replicates p ON entry_id = e.id",
    ):
        held = await database.pool.fetch(f"SELECT e.id FROM entries e JOIN {owner}")  # noqa: S608 - ours
        assert {before, after} <= {row["id"] for row in held}
    await database.pool.execute(move, note, "resolved")
    gone = await pruner(database).prune()
    assert (gone["payloads"], gone["replicates"]) == (2, 2)


async def test_a_table_that_cannot_be_pruned_keeps_no_other_from_it(database: Database) -> None:
    await fill(database)
    await database.pool.execute("ALTER TABLE inbox RENAME TO elsewhere")
    try:
        with pytest.raises(Unavailable, match="inbox: UndefinedTableError"):
            await pruner(database).prune()
    finally:
        await database.pool.execute("ALTER TABLE elsewhere RENAME TO inbox")
    assert sum((await due(database)).values()) == await rows(database, "inbox") == 1


async def test_a_ranked_entry_can_be_scored_again_to_the_same_numbers(database: Database) -> None:
    """Whatever was pruned: upload and ground truth are there, and give the same scores."""
    stored = await accept_submission(database, "Ranked")
    pool = WorkerPool(1, name="scorer", initializer=warm_up)
    try:
        evaluator = Evaluator(database, pool, seconds=60)
        consumer = build_consumer(database, evaluator, wants_similarities=False)
        message = SubmissionAccepted(submission_id=stored.submission_id)

        async def score() -> dict[str, object]:
            body = Envelope.wrap(message).to_bytes()
            assert await consumer.handle(Delivery(SCORER_SUBMISSIONS, body, 1)) == Done()
            found = await database.pool.fetch("SELECT * FROM scores ORDER BY metric")
            return {row["metric"]: dict(row) for row in found}

        before = await score()
        await finish(database, stored, "ranked")
        await age(database, "submissions.changed_at", "submissions.created_at", days=5000)
        assert await due(database, keep_payload_days=1) == dict.fromkeys(
            (rule.name for rule in RULES), 0
        ) | {"submission_events": 0}
        await pruner(database, days=0.000001).prune()
        await back_to_accepted(database, stored.submission_id)
        assert await score() == before
        assert len(before) == 7
    finally:
        await pool.close()


async def test_a_submission_revived_after_its_upload_went_fails_with_that_reason(
    database: Database,
) -> None:
    stored = await accept_submission(database)
    await database.pool.execute("DELETE FROM payloads")
    pool = WorkerPool(1, name="scorer")
    try:
        consumer = build_consumer(database, Evaluator(database, pool, seconds=60))
        body = Envelope.wrap(SubmissionAccepted(submission_id=stored.submission_id)).to_bytes()
        assert await consumer.handle(Delivery(SCORER_SUBMISSIONS, body, 1)) == Done()
    finally:
        await pool.close()
    row = await database.pool.fetchrow("SELECT state, failure_code FROM submissions")
    assert dict(row or {}) == {"state": "failed", "failure_code": "upload_gone"}


async def back_to_accepted(database: Database, submission_id: UUID) -> None:
    """As nobody may: only so can the same handler score it once more."""
    async with database.transaction() as transaction:
        await transaction.connection.execute("SET LOCAL session_replication_role = replica")
        await transaction.connection.execute(
            "UPDATE submissions SET state = 'accepted' WHERE id = $1", submission_id
        )
        await transaction.connection.execute("DELETE FROM scores")


def test_every_rule_has_a_setting_and_its_sql() -> None:
    names = {rule.name for rule in RULES}
    sql = retention._SQL  # noqa: SLF001 - what the module itself reads
    assert names == {name.removesuffix("_prune") for name in sql if name.endswith("_prune")}
    assert {rule.setting for rule in RULES} == {
        name for name in RetentionSettings.model_fields if name.startswith(("keep_", "pack_"))
    }


async def test_a_run_that_failed_long_ago_is_planned_anew_while_it_is_pruned(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pairs are half gone when somebody asks for it again, and it judges all of them."""
    monkeypatch.setattr(retention, "_BATCH", 5)
    stored = await accept_submission(database, "A model", FEW)
    async with judging(database, [replica(database, FakeGrader())]):
        run_id = await request_run(database, stored.submission_id)
        await reaches(database, run_id, "completed")
        pairs = await rows(database, "judge_run_pairs")
        verdicts = await rows(database, "judge_verdicts")
        async with database.transaction() as transaction:
            await transaction.connection.execute("SET LOCAL session_replication_role = replica")
            await transaction.connection.execute(
                "UPDATE judge_runs SET state = 'failed', reason = 'x', changed_at = '2001-01-01';"
                "UPDATE entries SET removed_at = '2001-01-01'"
            )
            await transaction.connection.execute("DELETE FROM judge_results")
        for rule in ("run_pairs", "captions"):
            assert (await pruner(database, days=1000).prune(batches=1))[rule] == 5
        assert await rows(database, "judge_pairs") < verdicts  # which stay without their captions
        assert 0 < await rows(database, "judge_run_pairs") < pairs
        await resume_run(database, run_id)
        await reaches(database, run_id, "completed")
    assert await rows(database, "judge_run_pairs") == pairs
    assert await rows(database, "judge_pairs") == verdicts == await rows(database, "judge_verdicts")
