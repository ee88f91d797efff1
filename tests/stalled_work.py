"""Work whose messages were lost or whose owner died, and each owner's look for such work."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from uuid import UUID, uuid4

import orjson

from medvid.benchmark.caption_pairs import JudgingPlan
from medvid.benchmark.versions import METRIC_VERSION
from medvid.judging.plans import store
from services.gateway.webhooks.delivery import Deliveries
from services.judge.rereading import ReplyReader
from services.judge.succession import Successions
from services.judge.upkeep import OVERDUE as JUDGE
from services.ranker.store import OVERDUE as RANKER
from services.scorer.store import OVERDUE as SCORER
from services.scorer.store import request_similarities
from shared.storage.database import Database
from tests.batching import add_provider_batch, batching, leftovers
from tests.batching import states as provider_states
from tests.fakes.grader import FakeGrader
from tests.judging import Replica, replica
from tests.reaping import reap
from tests.rows import Stored, accept_submission, load_demo_ground_truth

STILL: Final = 30.0
"""Seconds after which work counts as stalled."""


async def lose_all_messages(database: Database) -> None:
    await database.pool.execute("DELETE FROM outbox")
    await database.pool.execute("DELETE FROM queue_messages")
    for table in (
        "submissions", "similarities_due", "judge_runs", "rescore_jobs", "rescore_items",
    ):  # fmt: skip
        await database.pool.execute(
            f"UPDATE {table} SET announced_at = announced_at - interval '1 hour'"  # noqa: S608
        )
    await database.pool.execute(
        "UPDATE judge_runs SET changed_at = changed_at - interval '1 hour',"
        " progress_at = progress_at - interval '1 hour'"
    )
    await database.pool.execute("UPDATE judge_batches SET sent_at = sent_at - interval '1 hour'")


async def scored(database: Database) -> Stored:
    stored = await accept_submission(database)
    await database.pool.execute(
        "UPDATE submissions SET state = 'scored' WHERE id = $1", stored.submission_id
    )
    await database.pool.execute("UPDATE entries SET listed = true WHERE id = $1", stored.entry_id)
    await database.pool.execute(
        "UPDATE boards SET revision = revision + 1 WHERE board = 'community'"
    )
    return stored


async def run(database: Database, state: str, reason: str | None = None) -> UUID:
    """A run of the judge that is used below, in this state."""
    stored = await accept_submission(database)
    version = FakeGrader().version
    await database.pool.execute("INSERT INTO judge_versions VALUES ($1, '{}', false)", version.hash)
    run_id = uuid4()
    await database.pool.execute(
        "INSERT INTO judge_runs (id, submission_id, requested_by, judge_version, plan, state,"
        " reason, items) VALUES ($1, $2, 'owner', $3, 'plan', $4, $5, 1)",
        run_id, stored.submission_id, version.hash, state, reason,
    )  # fmt: skip
    return run_id


async def batch(database: Database, state: str) -> None:
    run_id = await run(database, "running")
    await database.pool.execute("INSERT INTO judge_pairs VALUES ($1, 'a', 'b')", bytes(32))
    batch_id = await database.pool.fetchval(
        "INSERT INTO judge_batches (run_id, state, sent_at) VALUES ($1, $2, now()) RETURNING id",
        run_id,
        state,
    )
    await database.pool.execute(
        "INSERT INTO judge_run_pairs (run_id, ordinal, repeat, pair, metrics, uses, batch_id)"
        " VALUES ($1, 0, 0, $2, '{dvc_llm}', 1, $3)",
        run_id,
        bytes(32),
        batch_id,
    )


async def at_provider(database: Database, state: str) -> None:
    """A provider's batch in this state, whose replica has died."""
    await batch(database, "sent")
    run_id = await database.pool.fetchval("SELECT id FROM judge_runs")
    batch_id = await add_provider_batch(database, run_id, state)
    if state == "deleting":
        return
    await database.pool.execute(
        "UPDATE judge_batches SET state = 'at_provider', provider_batch = $1", batch_id
    )
    await database.pool.execute(
        "INSERT INTO judge_claims SELECT $1, sha256, 0, $2, 'infinity' FROM judge_pairs",
        FakeGrader().version.hash, batch_id,
    )  # fmt: skip
    await database.pool.execute(
        "UPDATE judge_provider_batches SET holder = gen_random_uuid(),"
        " held_until = now() - interval '1 s'"
    )


async def batches_are_taken(database: Database) -> None:
    """Nothing of them is left at the provider, nor waits for it."""
    async with batching(database) as one:
        version = one.steps.planner.writer.version
        await database.pool.execute(
            "INSERT INTO judge_versions VALUES ($1, $2, false)",
            version.hash, orjson.dumps(version.public()).decode(),
        )  # fmt: skip
        for table in ("judge_runs", "judge_provider_batches", "judge_claims"):
            await database.pool.execute(
                f"UPDATE {table} SET judge_version = $1",  # noqa: S608
                version.hash,
            )
        endpoint = one.steps.rows.endpoint
        await database.pool.execute("UPDATE judge_provider_batches SET endpoint = $1", endpoint)
        await one.steps.look()
    assert {state for state, _ in await provider_states(database)} == {"done"}
    assert await leftovers(database) == {"judge_claims": 0, "judge_spending_leases": 0}
    left = "SELECT count(*) FROM judge_batches WHERE state = 'at_provider'"
    assert await database.pool.fetchval(left) == 0


def judge(database: Database) -> Replica:
    return replica(database, FakeGrader())


async def scorer_looks(database: Database) -> None:
    await reap(database, SCORER, STILL)


async def ranker_looks(database: Database) -> None:
    await reap(database, RANKER, STILL)


async def judge_looks(database: Database) -> None:
    await reap(database, JUDGE, STILL)


async def judge_is_looked_after(database: Database) -> None:
    await judge(database).upkeep.look()


async def judge_sends(database: Database) -> None:
    await judge(database).upkeep.send_due_batches()


async def wait_for_similarities(database: Database) -> None:
    stored = await scored(database)
    async with database.transaction() as transaction:
        await request_similarities(transaction, stored.submission_id)


async def be_hypothetical(database: Database) -> None:
    await database.pool.execute(
        "INSERT INTO hypothetical_due (entry_id, board) VALUES ($1, 'official')", uuid4()
    )


async def reread(database: Database, item: str) -> None:
    """A job whose replies wait to be read, or are read by a judge that then died."""
    run_id = await run(database, "completed")
    await load_demo_ground_truth(database)
    old, new = FakeGrader().version, replace(FakeGrader().version, parser="2")
    facts = orjson.dumps(new.public()).decode()
    await database.pool.execute(
        "INSERT INTO judge_versions VALUES ($1, $2, false)", new.hash, facts
    )
    plan = store(JudgingPlan((), {}, {})).packed
    await database.pool.execute("UPDATE judge_runs SET plan = $1", plan)
    job_id = uuid4()
    await database.pool.execute(
        "INSERT INTO rescore_jobs (id, kind, state, ground_truth_version, judge_version,"
        " from_judge_version, requested_by, why)"
        " SELECT $1, 'reread', 'reading', version, $2, $3, 'administrator', 'parser 2'"
        "   FROM ground_truths WHERE active",
        job_id, new.hash, old.hash,
    )  # fmt: skip
    await database.pool.execute(
        "INSERT INTO rescore_items (job_id, entry_id, submission_id, run_id, state, metric_version)"
        " SELECT $1, e.id, e.submission_id, $2, $3, $4 FROM entries e",
        job_id, run_id, item, METRIC_VERSION if item == "scored" else None,
    )  # fmt: skip


async def succession(database: Database) -> None:
    """A job of which an entry has no run: its submission was being judged when it began."""
    await run(database, "completed")
    await load_demo_ground_truth(database)
    version, job_id = FakeGrader().version, uuid4()
    await database.pool.execute("UPDATE judge_service SET judge_version = $1", version.hash)
    await database.pool.execute(
        "INSERT INTO rescore_jobs (id, kind, state, ground_truth_version, judge_version,"
        " requested_by, why)"
        " SELECT $1, 'succession', 'judging', version, $2, 'administrator', 'another judge'"
        "   FROM ground_truths WHERE active",
        job_id, version.hash,
    )  # fmt: skip
    await database.pool.execute(
        "INSERT INTO rescore_items (job_id, entry_id, submission_id)"
        " SELECT $1, e.id, e.submission_id FROM entries e",
        job_id,
    )


async def judge_succeeds(database: Database) -> None:
    await Successions(database).look()


async def judge_rereads(database: Database) -> None:
    await ReplyReader(database).look()
    assert (
        await database.pool.fetchval("SELECT count(*) FROM rescore_items WHERE state = 'open'") == 0
    )


async def rescore(database: Database, job: str, item: str) -> None:
    stored = await scored(database)
    version = await load_demo_ground_truth(database)
    job_id = uuid4()
    await database.pool.execute(
        "INSERT INTO rescore_jobs (id, ground_truth_version, state, requested_by, why)"
        " VALUES ($1, $2, $3, 'administrator', 'new code')",
        job_id, version, job,
    )  # fmt: skip
    await database.pool.execute(
        "INSERT INTO rescore_items (job_id, entry_id, submission_id, state, metric_version)"
        " VALUES ($1, $2, $3, $4, $5)",
        job_id, stored.entry_id, stored.submission_id, item,
        METRIC_VERSION if item == "scored" else None,
    )  # fmt: skip


async def call_nobody(database: Database) -> None:
    """A webhook whose sender died in the middle."""
    stored = await accept_submission(database)
    await database.pool.execute(
        "INSERT INTO webhooks (submission_id, url, secret) VALUES ($1, 'https://x.test/', $2)",
        stored.submission_id,
        bytes(32),
    )
    await database.pool.execute(
        "INSERT INTO webhook_deliveries (submission_id, kind, data, attempts, leased_until)"
        " VALUES ($1, 'submission.accepted', '{}', 1, now() - interval '1 s')",
        stored.submission_id,
    )


async def sender_looks(database: Database) -> None:
    taken = await Deliveries(database, lease_seconds=30).take_due(10)
    assert [delivery.attempt for delivery in taken] == [2]


async def accept(database: Database) -> None:
    await accept_submission(database)


async def be_scored(database: Database) -> None:
    await scored(database)
