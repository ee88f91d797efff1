"""Every state that is not final has an owner that moves it on, when all messages were lost.

The states are read from the database's own constraints, and so are the tables that hold work: one
that is new fails here until it is written down who looks after it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import orjson
import pytest

from shared.messaging.bus import Delivery
from shared.messaging.local import LocalBus
from shared.messaging.relay import Relay
from shared.messaging.topology import RANKER_BOARDS
from shared.storage.database import Database
from tests.contract.buses import Probe
from tests.rows import accept_submission
from tests.stalled_work import (
    accept,
    at_provider,
    batch,
    batches_are_taken,
    be_hypothetical,
    be_scored,
    call_nobody,
    judge_is_looked_after,
    judge_looks,
    judge_rereads,
    judge_sends,
    judge_succeeds,
    lose_all_messages,
    ranker_looks,
    reread,
    rescore,
    run,
    scorer_looks,
    sender_looks,
    succession,
    wait_for_similarities,
)

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
    "queue_messages": "a lease that runs out is handed out again: test_bus_deliveries, and below",
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
