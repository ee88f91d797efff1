"""Every state that is not final has an owner that moves it on, when all messages were lost.

The states are read from the database's own constraints, and so are the tables that hold work: one
that is new fails here until it is written down who looks after it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final
from uuid import UUID, uuid4

import orjson
import pytest

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
from shared.messaging.bus import Delivery
from shared.messaging.local import LocalBus
from shared.messaging.relay import Relay
from shared.messaging.topology import RANKER_BOARDS
from shared.storage.database import Database
from tests.batching import add_provider_batch, batching, leftovers
from tests.batching import states as provider_states
from tests.contract.buses import Probe
from tests.fakes.grader import FakeGrader
from tests.judging import Replica, replica
from tests.reaping import reap
from tests.rows import Stored, accept_submission, load_demo_ground_truth

STILL: Final = 30.0

FINAL: Final = {
    "submissions": {"ranked", "failed", "withdrawn", "replaced"},
    "judge_runs": {"completed", "failed"},
    "judge_pool_endpoints": {"serving"},
    "judge_batches": {"done"},
    "judge_provider_batches": {"done"},
    "webhook_deliveries": {"delivered", "dead"},
    "rescore_jobs": {"applied", "discarded"},
    "rescore_items": {"scored", "failed"},
    "notes": {"published", "resolved", "refused", "withdrawn"},
}
"""Where nothing more has to happen."""

A_PERSON_DECIDES: Final = {
    "rescore_jobs": {"ready"},
    "judge_pool_endpoints": {"drained", "other_model"},
    "notes": {"open"},
}
"""Where an administrator looks, and applies or discards, uses an endpoint again, or publishes."""


@dataclass(frozen=True, slots=True)
class Case:
    """How work comes to stand still, who looks after it, and what is announced then."""

    stand_still: Callable[[Database], Awaitable[None]]
    look: Callable[[Database], Awaitable[None]]
    announced: str | None
    """None where it is taken by looking, without a message."""


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


STATES: Final[dict[tuple[str, str], Case]] = {
    ("submissions", "accepted"): Case(accept, scorer_looks, "submission.accepted"),
    ("submissions", "scored"): Case(be_scored, ranker_looks, "board.changed"),
    ("judge_runs", "queued"): Case(
        lambda database: _none(run(database, "queued")), judge_looks, "judging.requested"
    ),
    ("judge_runs", "running"): Case(
        lambda database: batch(database, "sent"), judge_looks, "judging.batch"
    ),
    ("judge_runs", "paused"): Case(
        lambda database: _none(run(database, "paused", "provider_down")),
        judge_is_looked_after,
        "judging.requested",
    ),
    ("judge_batches", "planned"): Case(
        lambda database: batch(database, "planned"), judge_sends, "judging.batch"
    ),
    ("judge_batches", "sent"): Case(
        lambda database: batch(database, "sent"), judge_looks, "judging.batch"
    ),
    ("judge_batches", "for_provider"): Case(
        lambda database: batch(database, "for_provider"), batches_are_taken, None
    ),
    ("judge_batches", "at_provider"): Case(
        lambda database: at_provider(database, "in_progress"), batches_are_taken, None
    ),
    **{
        ("judge_provider_batches", state): Case(
            partial(at_provider, state=state), batches_are_taken, None
        )
        for state in (
            "planned",
            "uploaded",
            "submitting",
            "in_progress",
            "collecting",
            "deleting",
        )
    },
    ("rescore_items", "open"): Case(
        lambda database: rescore(database, "scoring", "open"),
        scorer_looks,
        "rescoring.requested",
    ),
    ("rescore_jobs", "scoring"): Case(
        lambda database: rescore(database, "scoring", "scored"),
        scorer_looks,
        "rescoring.completed",
    ),
    ("rescore_jobs", "reading"): Case(
        lambda database: reread(database, "open"), judge_rereads, "rescoring.completed"
    ),
    ("rescore_jobs", "judging"): Case(succession, judge_succeeds, "judging.requested"),
    ("rescore_jobs", "scored"): Case(
        lambda database: rescore(database, "scored", "scored"),
        ranker_looks,
        "rescoring.completed",
    ),
    ("webhook_deliveries", "waiting"): Case(call_nobody, sender_looks, None),
}

WORK: Final[dict[str, Case]] = {
    "boards": Case(be_scored, ranker_looks, "board.changed"),
    "similarities_due": Case(wait_for_similarities, scorer_looks, "similarity.requested"),
    "hypothetical_due": Case(be_hypothetical, ranker_looks, "board.changed"),
}
"""Tables without a state whose rows wait for somebody."""

ELSEWHERE: Final = {
    "outbox": "published by any relay: test_relay, and below",
    "queue_messages": "a lease that runs out is handed out again: test_bus, and below",
    "judge_claims": "a claim that runs out is anybody's: test_judge",
    "judge_spending_leases": "a lease that runs out counts no more: test_judge_budgets",
    "judge_pool_endpoints": "no work: every judge reads it each 2 s: test_judge_pool",
    "judge_provider_findings": "a question that is not answered in time is asked again: test_judge",
}
"""Rows that wait, where somebody else's tests show that they are not forgotten."""

_WAITING: Final = re.compile(
    r"^(state|announced_at|due_at|published_at|leased_until|until|expires_at|next_\w+|\w+_due)$"
)
_NO_WORK: Final = {
    "rank_history": "'until' is when a rank ended",
    "admin_sessions": "a session that has expired is none",
    "sign_ins": "the same",
    "device_codes": "a code that has expired is none",
    "submission_history": "what was",
    **dict.fromkeys(("notes", "all_notes", "public_notes"), "a person looks at what is open"),
}


async def _none(made: Awaitable[object]) -> None:
    await made


async def states_of_all_tables(database: Database) -> dict[str, set[str]]:
    """Read from the CHECK constraints which states there are."""
    found: dict[str, set[str]] = {}
    for row in await database.pool.fetch(
        "SELECT conrelid::regclass::text AS name, pg_get_constraintdef(oid) AS definition"
        " FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
    ):
        match = re.fullmatch(r"CHECK \(\(state = ANY \(ARRAY\[(.*)\]\)\)\)", row["definition"])
        if match:
            found[row["name"]] = set(re.findall(r"'(\w+)'::text", match[1]))
    return found


async def test_every_state_is_final_or_has_somebody_who_looks_after_it(database: Database) -> None:
    found = await states_of_all_tables(database)
    assert found.keys() >= FINAL.keys()
    for table, states in found.items():
        looked_after = {state for name, state in STATES if name == table}
        final = FINAL.get(table, set()) | A_PERSON_DECIDES.get(table, set())
        assert states == final | looked_after, (
            f"{table}: say of every state whether it is final, or who moves it on when its "
            "messages are lost, in tests/integration/test_nothing_stands_still.py"
        )
        assert not final & looked_after


async def test_every_table_whose_rows_wait_has_somebody_who_looks_after_it(
    database: Database,
) -> None:
    columns = await database.pool.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public'"
    )
    waiting = {row["table_name"] for row in columns if _WAITING.match(row["column_name"])}
    known = {table for table, _ in STATES} | WORK.keys() | ELSEWHERE.keys() | _NO_WORK.keys()
    assert waiting <= known, "say who looks after these rows, in this file"


@pytest.mark.parametrize(
    "case", [*STATES.values(), *WORK.values()], ids=[*map("-".join, STATES), *WORK]
)
async def test_stalled_work_is_announced_again(database: Database, case: Case) -> None:
    await case.stand_still(database)
    await lose_all_messages(database)
    await case.look(database)
    rows = await database.pool.fetch("SELECT type, body FROM outbox")
    announced = [row["type"] for row in rows]
    assert case.announced is None or case.announced in announced
    assert all(orjson.loads(row["body"])["data"] for row in rows)


@pytest.mark.parametrize(
    "case",
    [case for key, case in STATES.items() if key[1] in ("accepted", "queued", "sent")],
    ids=["-".join(key) for key in STATES if key[1] in ("accepted", "queued", "sent")],
)
async def test_what_was_announced_just_now_is_not_announced_twice(
    database: Database, case: Case
) -> None:
    await case.stand_still(database)
    await lose_all_messages(database)
    await case.look(database)
    first = await database.pool.fetchval("SELECT count(*) FROM outbox")
    await case.look(database)
    assert await database.pool.fetchval("SELECT count(*) FROM outbox") == first


async def test_what_is_final_is_left_alone(database: Database) -> None:
    failed = await accept_submission(database, "Failed")
    await database.pool.execute(
        "UPDATE submissions SET state = 'failed', failure_code = 'x', failure_reason = 'x'"
        " WHERE id = $1",
        failed.submission_id,
    )
    await lose_all_messages(database)
    for look in (scorer_looks, ranker_looks, judge_is_looked_after, judge_sends):
        await look(database)
    assert await database.pool.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_message_survives_the_death_of_its_relay_and_of_its_consumer(
    database: Database,
) -> None:
    await be_scored(database)
    await ranker_looks(database)
    bus = LocalBus(database)
    try:
        await Relay(database, bus, poll_seconds=60).publish_batch()
        await database.pool.execute(
            "UPDATE queue_messages SET lease = gen_random_uuid(),"
            " leased_until = now() - interval '1 s', deliveries = 1"
        )
        probe = Probe()
        await bus.consume(RANKER_BOARDS, probe, concurrency=1)
        await probe.got(1)
        delivery: Delivery = probe.deliveries[0]
        assert not delivery.exhausted
    finally:
        await bus.close()
