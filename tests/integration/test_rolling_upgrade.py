"""The version before and this one side by side: on one schema, one bus, one submission.

Old services are played by their own statements, recorded in tests/released.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID, uuid4

import orjson
import pytest

from medvid.benchmark.tasks import RULE_METRIC_KEYS, Scoring
from medvid.judging.plans import StoredPlan
from services.gateway.boards.current import Boards
from services.gateway.boards.models import leaderboard
from services.gateway.boards.store import SnapshotStore
from services.gateway.pages.rendering import Pages
from services.judge.upkeep import OVERDUE as JUDGE_OVERDUE
from services.ranker.consume import build_consumer as build_ranker
from services.ranker.store import OVERDUE
from services.scorer.consume import build_consumer as build_scorer
from services.scorer.evaluation import Evaluator, warm_up
from shared.contracts.messages import (
    BoardChanged,
    Envelope,
    Message,
    ScoringCompleted,
    SubmissionAccepted,
)
from shared.messaging.bus import Delivery, Done
from shared.messaging.consumer import Consumer
from shared.messaging.local import LocalBus
from shared.messaging.rabbit.topology import EXCHANGE, blueprints
from shared.messaging.relay import Relay
from shared.messaging.topology import QUEUES, RANKER_BOARDS, SCORER_SUBMISSIONS, Queue
from shared.runtime.workers import WorkerPool
from shared.storage.database import Connection, Database
from tests import released
from tests.contract.test_messages import EXPECTED, GOLDEN
from tests.depth import deep
from tests.fakes.grader import FakeGrader
from tests.judging import ThreadPlanner, reaches, replica
from tests.judging import judging as judge_replicas
from tests.patience import HANG_SECONDS
from tests.reaping import reap
from tests.rows import DEMO, accept_submission, add_listed_entry, load_demo_ground_truth

OLD: Final = "0.1.0"
GATEWAY: Final = released.sql(OLD, "services.gateway")
SCORER: Final = released.sql(OLD, "services.scorer")
RANKER: Final = released.sql(OLD, "services.ranker")
JUDGE: Final = released.sql(OLD, "services.judge")
STORAGE: Final = released.sql(OLD, "shared.storage")
BUS: Final = released.sql(OLD, "shared.messaging")


# ------------------------------------------------------------------ statements
@pytest.mark.parametrize("version", released.VERSIONS)
async def test_every_statement_of_the_version_before_is_understood(
    database: Database, version: str
) -> None:
    statements = released.all_sql(version)
    assert len(statements) > 100
    refused = {}
    async with database.pool.acquire() as connection:
        for name, statement in statements.items():
            try:
                await connection.prepare(statement)
            except Exception as error:  # noqa: BLE001 - all of them are to be told at once
                refused[name] = str(error)
    assert not refused


# ------------------------------------------------------------------ the old services, step by step
async def old_emit(connection: Connection, message: Message) -> UUID:
    """As the old version wrote messages: without any field that it did not know."""
    envelope = Envelope.wrap(message)
    known = ("id", "type", "version", "occurred_at", "correlation_id", "data")
    body = json.dumps({key: json.loads(envelope.to_bytes())[key] for key in known}).encode()
    await connection.execute(STORAGE["outbox_add"], envelope.id, envelope.type, body)
    return envelope.id


@asynccontextmanager
async def old_once(database: Database, consumer: str) -> AsyncIterator[Connection]:
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute(STORAGE["inbox_add"], consumer, uuid4())
        yield connection


async def old_gateway_accepts(database: Database, name: str) -> tuple[UUID, UUID]:
    version = await load_demo_ground_truth(database)
    payload = (DEMO / "predictions.json.gz").read_bytes()
    submission_id, entry_id = uuid4(), uuid4()
    async with database.pool.acquire() as connection, connection.transaction():
        digest = hashlib.sha256(payload).hexdigest()
        await connection.execute(
            GATEWAY["submission_add"], submission_id, version, digest, len(payload), "{}", None,
            bytes(32),
        )  # fmt: skip
        key = uuid4().bytes * 2
        await connection.execute(GATEWAY["idempotency_add"], key, key, key, submission_id)
        await connection.execute(
            GATEWAY["entry_add"], entry_id, name, name.lower(), "Us", None, None, None, None,
            submission_id,
        )  # fmt: skip
        await connection.execute(GATEWAY["payload_add"], submission_id, payload)
        await old_emit(connection, SubmissionAccepted(submission_id=submission_id))
    return submission_id, entry_id


async def old_scorer_scores(database: Database, submission_id: UUID) -> None:
    work = await database.pool.fetchrow(SCORER["waiting_submission"], submission_id)
    assert work is not None
    async with old_once(database, "scorer") as connection:
        assert await connection.execute(SCORER["submission_scored"], submission_id) == "UPDATE 1"
        rows = [
            (work["entry_id"], metric, 0.5, 0.25, 3, 4, "{}", work["ground_truth_version"], "1",
             work["file_sha256"])
            for metric in RULE_METRIC_KEYS
        ]  # fmt: skip
        await connection.executemany(SCORER["add_score"], rows)
        await connection.execute(SCORER["list_entry"], work["entry_id"])
        await connection.execute(SCORER["board_changed"], work["board"])
        await old_emit(
            connection,
            ScoringCompleted(
                submission_id=submission_id, entry_id=work["entry_id"], board=work["board"]
            ),
        )


async def old_ranker_ranks(database: Database, board: str) -> None:
    async with old_once(database, "ranker") as connection:
        revisions = await connection.fetchrow(RANKER["lock_board"], board)
        assert revisions is not None
        entries = await connection.fetch(RANKER["listed_entries"], board)
        for scoring in ("compat", "strict"):
            content = orjson.dumps([_row(entry, rank) for rank, entry in enumerate(entries, 1)])
            await connection.execute(
                RANKER["add_snapshot"], board, scoring, revisions["revision"], content,
                hashlib.sha256(content).hexdigest(), len(entries),
            )  # fmt: skip
        await connection.execute(RANKER["board_ranked"], board, revisions["revision"])
        await connection.execute(RANKER["submissions_ranked"], board)


def _row(entry: Any, rank: int) -> dict[str, Any]:
    """A row of a snapshot as the old ranker wrote it."""
    values = dict(zip(entry["metrics"], entry["compat"], strict=True))
    keys = ("model_name", "organization", "team", "authors", "model_url", "track", "badges")
    return {
        "rank": rank,
        "entry_id": str(entry["id"]),
        "submission_id": str(entry["submission_id"]) if entry["submission_id"] else None,
        **{key: entry[key] for key in keys},
        "submitted_on": entry["submitted_on"].isoformat(),
        "verified_on": None,
        "mean_rank": float(rank),
        "values": values,
        "ranks": dict.fromkeys(values, rank),
    }


# ------------------------------------------------------------------ the new services
async def handle(consumer: Consumer, queue: Queue, message: Message) -> None:
    delivery = Delivery(queue, Envelope.wrap(message).to_bytes(), 1)
    assert await consumer.handle(delivery) == Done()


async def new_ranker_ranks(database: Database, board: str) -> None:
    consumer = build_ranker(database)
    await handle(consumer, RANKER_BOARDS, BoardChanged.model_validate({"board": board}))


async def new_scorer_scores(database: Database, submission_id: UUID) -> None:
    pool = WorkerPool(1, name="scorer", initializer=warm_up)
    try:
        consumer = build_scorer(database, Evaluator(database, pool, seconds=60))
        await handle(consumer, SCORER_SUBMISSIONS, SubmissionAccepted(submission_id=submission_id))
    finally:
        await pool.close()


async def state(database: Database, submission_id: UUID) -> str:
    return str(
        await database.pool.fetchval("SELECT state FROM submissions WHERE id = $1", submission_id)
    )


async def shown(database: Database) -> list[str]:
    """Names on the community board as the new gateway serves it."""
    boards = Boards(SnapshotStore(database), Pages().board, poll_seconds=60)
    await boards.refresh()
    return [entry.model_name for entry in boards.get("community", "compat").board.entries]


async def dead(database: Database) -> list[str]:
    rows = await database.pool.fetch("SELECT detail FROM dead_letters")
    return [row["detail"] for row in rows]


# ------------------------------------------------------------------ together
async def test_what_the_old_gateway_accepts_the_new_services_finish(database: Database) -> None:
    submission_id, _ = await old_gateway_accepts(database, "Old door")
    await new_scorer_scores(database, submission_id)
    await new_ranker_ranks(database, "community")
    assert await state(database, submission_id) == "ranked"
    assert await shown(database) == ["Old door"]
    assert not await dead(database)


async def test_what_the_new_gateway_accepts_the_old_services_finish(database: Database) -> None:
    stored = await accept_submission(database, "New door")
    await old_scorer_scores(database, stored.submission_id)
    await old_ranker_ranks(database, "community")
    assert await state(database, stored.submission_id) == "ranked"
    assert await shown(database) == ["New door"]


async def test_old_and_new_rankers_take_turns_on_one_board(database: Database) -> None:
    ranked = []
    for number, rank in enumerate([old_ranker_ranks, new_ranker_ranks] * 2):
        submission_id, _ = await old_gateway_accepts(database, f"Model {number}")
        await old_scorer_scores(database, submission_id)
        await rank(database, "community")
        ranked.append(submission_id)
        assert await state(database, submission_id) == "ranked"
        assert sorted(await shown(database)) == [f"Model {n}" for n in range(number + 1)]
    behind = await database.pool.fetchval("SELECT behind_since FROM boards WHERE board='community'")
    assert behind is None
    # Ranks are followed from where the new ranker took over, each entry once.
    doubled = await database.pool.fetch(
        "SELECT entry_id FROM rank_history WHERE until IS NULL"
        " GROUP BY entry_id, board, scoring HAVING count(*) > 1"
    )
    assert not doubled


@deep
async def test_what_an_old_ranker_wrote_is_ranked_again_by_the_new_one(database: Database) -> None:
    """It ranks by its own rule, however late it takes its turn; the reaper notices."""
    await add_listed_entry(database, "Imported", {"cvs_acc": 0.5})
    for _ in range(2):
        await old_ranker_ranks(database, "community")
        assert await placed(database, "strict") == [("Imported", 1)]
        await reap(database, OVERDUE)
        await new_ranker_ranks(database, "community")
        assert await placed(database, "strict") == [("Imported", None)]
        assert await placed(database, "compat") == [("Imported", 1)]
        await database.pool.execute("UPDATE boards SET revision = revision + 1")
    newest = await database.pool.fetchval("SELECT max(revision) FROM snapshots")
    await old_ranker_ranks(database, "community")
    await reap(database, OVERDUE)
    assert await database.pool.fetchval("SELECT revision FROM boards WHERE board='community'") > (
        newest + 1
    )


async def test_the_old_ranker_notices_that_an_unranked_entry_left(database: Database) -> None:
    """It compares ranked rows alone; of these none has changed."""
    entry_id = await add_listed_entry(database, "Imported", {"cvs_acc": 0.5})
    await new_ranker_ranks(database, "community")
    assert await placed(database, "strict") == [("Imported", None)]
    await database.pool.execute("UPDATE entries SET removed_at = now() WHERE id = $1", entry_id)
    await database.pool.execute("UPDATE boards SET revision = revision + 1")
    await old_ranker_ranks(database, "community")
    assert await placed(database, "strict") == []


async def test_the_old_gateway_reads_what_the_new_ranker_writes(database: Database) -> None:
    await add_listed_entry(database, "Imported", {"cvs_acc": 0.5})
    await new_ranker_ranks(database, "community")
    found = {}
    for newest in await database.pool.fetch(GATEWAY["snapshots_newest"]):
        row = await database.pool.fetchrow(GATEWAY["snapshot_content"], newest["id"])
        assert row is not None
        # As that version validates a row: a rank is a number.
        found[row["scoring"]] = [
            (each["model_name"], int(each["rank"]), float(each["mean_rank"]))
            for each in orjson.loads(row["content"])
        ]
    assert found == {"compat": [("Imported", 1, 1.0)], "strict": []}


async def test_snapshots_of_the_version_before_are_served_as_they_were_recorded(
    database: Database,
) -> None:
    await add_listed_entry(database, "Imported", {"cvs_acc": 0.5})
    await old_ranker_ranks(database, "community")
    old = await database.pool.fetchval("SELECT id FROM snapshots WHERE scoring = 'strict'")
    await reap(database, OVERDUE)
    await new_ranker_ranks(database, "community")
    found = await SnapshotStore(database).find_snapshot(old)
    assert found is not None
    shown = leaderboard(found)
    assert (shown.ranking, [entry.rank for entry in shown.entries]) == ("competition", [1])


async def placed(database: Database, scoring: Scoring) -> list[tuple[str, int | None]]:
    """Names and ranks on the community board as the new gateway serves it."""
    boards = Boards(SnapshotStore(database), Pages().board, poll_seconds=60)
    await boards.refresh()
    entries = boards.get("community", scoring).board.entries
    return [(entry.model_name, entry.rank) for entry in entries]


async def test_a_run_that_the_old_judge_began_the_new_one_finishes(database: Database) -> None:
    submission_id, _ = await old_gateway_accepts(database, "Judged by both")
    await old_scorer_scores(database, submission_id)
    await old_ranker_ranks(database, "community")
    version = FakeGrader().version
    facts = orjson.dumps(version.public()).decode()
    run_id = uuid4()
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute(JUDGE["version_add"], version.hash, facts, False)
        await connection.execute(JUDGE["service_set"], version.hash, 1)
        old_ask = released.sql(OLD, "services.gateway", "judging")["run_add"]
        await connection.execute(old_ask, run_id, submission_id, "owner")
    queued = await database.pool.fetchrow(JUDGE["run_queued"], run_id)
    assert queued is not None
    payload = await database.pool.fetchval(JUDGE["payload"], submission_id)
    plan = await ThreadPlanner(database).plan(payload, queued["ground_truth_version"])
    await old_judge_begins(database, run_id, version.hash, plan)
    batch_id = await database.pool.fetchval("SELECT min(id) FROM judge_batches")
    await old_judge_settles(database, run_id, version.hash, batch_id)

    new = replica(database, FakeGrader())
    async with judge_replicas(database, [new]):
        await database.pool.execute(
            "UPDATE judge_batches SET sent_at = now() - interval '1 hour' WHERE state = 'sent'"
        )
        await reap(database, JUDGE_OVERDUE, 60)
        row = await reaches(database, run_id, "completed")
    assert row["items_unscored"] == 0
    judged = await database.pool.fetch("SELECT FROM scores WHERE judge_version = $1", version.hash)
    assert len(judged) == 3
    assert not await dead(database)


async def old_judge_begins(
    database: Database, run_id: UUID, version: str, plan: StoredPlan
) -> None:
    texts = sorted(plan.texts, key=lambda text: text.sha256)
    async with old_once(database, "judge") as connection:
        await connection.fetchval(JUDGE["run_plan_alone"], run_id)
        locked = await connection.fetchrow(JUDGE["run_lock"], run_id)
        assert locked is not None
        assert locked["state"] == "queued"
        await connection.execute(JUDGE["batches_drop"], run_id)
        await connection.execute(
            JUDGE["pairs_add"],
            [text.sha256 for text in texts],
            [text.prediction for text in texts],
            [text.reference for text in texts],
        )
        await connection.execute(
            JUDGE["run_pairs_add"], run_id,
            [text.ordinal for text in texts],
            [text.sha256 for text in texts],
            [",".join(text.metrics) for text in texts],
            [text.uses for text in texts],
            1,
        )  # fmt: skip
        await connection.execute(JUDGE["run_pairs_open"], run_id, version)
        await connection.execute(JUDGE["batches_add"], run_id, 4)
        await connection.fetchval(JUDGE["run_begin"], run_id, version, plan.packed, "{}")
        await connection.fetch(JUDGE["batches_send"], run_id, 8, 1)


async def old_judge_settles(database: Database, run_id: UUID, version: str, batch_id: int) -> None:
    batch = await database.pool.fetchrow(JUDGE["batch_open"], batch_id)
    assert batch is not None
    items = await database.pool.fetch(JUDGE["batch_items"], batch_id)
    holder = uuid4()
    pairs = [item["pair"] for item in items], [item["repeat"] for item in items]
    claimed = await database.pool.fetch(JUDGE["claims_take"], version, *pairs, holder, 60.0)
    assert len(claimed) == len(items)
    for item in items:
        await database.pool.execute(
            JUDGE["verdict_save"], version, item["pair"], item["repeat"], [1, 2, 3, 4, 5], None,
            None, b"R2: 1", "fake-1", 10, 5, 1.5, 1, 7, holder,
        )  # fmt: skip
    async with old_once(database, "judge") as connection:
        await connection.fetchval(JUDGE["run_settle_together"], run_id)
        places = [item["ordinal"] for item in items], [item["repeat"] for item in items]
        done = await connection.fetch(JUDGE["items_terminal"], batch_id, *places)
        await connection.execute(JUDGE["batch_settle"], batch_id, 0.0)
        await connection.fetchval(JUDGE["run_progress"], run_id, len(done), 0)


async def test_old_and_new_relays_and_buses_share_the_work(database: Database) -> None:
    """Standalone: the old process's leases and settlements are understood by the new one."""
    submission_id, _ = await old_gateway_accepts(database, "Old")
    async with database.pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(STORAGE["outbox_take"], 10)
        for row in rows:
            await connection.execute(
                BUS["enqueue"], SCORER_SUBMISSIONS.name, row["message_id"], row["type"], row["body"]
            )
        positions = [row["position"] for row in rows]
        await connection.execute(STORAGE["outbox_published"], positions)
    claimed = await database.pool.fetch(BUS["claim"], SCORER_SUBMISSIONS.name, 1, uuid4(), 0.05)
    assert len(claimed) == 1, "and then the old process dies"
    await accept_submission(database, "New")
    bus = LocalBus(database)
    await Relay(database, bus, poll_seconds=60).publish_batch()
    seen: list[bytes] = []
    try:
        async with asyncio.timeout(HANG_SECONDS):

            async def note(delivery: Delivery) -> Done:
                seen.append(delivery.body)
                return Done()

            await bus.consume(SCORER_SUBMISSIONS, note, concurrency=2)
            while len(seen) < 2:
                await asyncio.sleep(0.01)
    finally:
        await bus.close()
    ids = {str(Envelope.parse(body).data["submission_id"]) for body in seen}
    assert str(submission_id) in ids
    assert len(ids) == 2


# ------------------------------------------------------------------ messages and queues
RELEASED_MESSAGES: Final = [
    (version, name) for version in released.VERSIONS for name in released.messages(version)
]


@pytest.mark.parametrize(("version", "name"), RELEASED_MESSAGES)
def test_golden_messages_of_a_release_are_never_edited(version: str, name: str) -> None:
    digest = hashlib.sha256((GOLDEN / name).read_bytes()).hexdigest()
    assert digest == released.messages(version)[name]


@pytest.mark.parametrize("name", [name.removesuffix(".json") for _, name in RELEASED_MESSAGES])
def test_old_readers_understand_what_is_written_now(name: str) -> None:
    """The first version refuses fields that it does not know: there must be none."""
    golden = json.loads((GOLDEN / f"{name}.json").read_bytes())
    written = json.loads(Envelope.wrap(EXPECTED[name]).to_bytes())
    assert written.keys() == golden.keys()
    assert written["data"].keys() == golden["data"].keys()
    assert {key: type(value) for key, value in written["data"].items()} == {
        key: type(value) for key, value in golden["data"].items()
    }


@pytest.mark.parametrize("version", released.VERSIONS)
def test_queues_of_the_version_before_are_declared_the_same(version: str) -> None:
    """RabbitMQ refuses to declare a queue with other settings: then one version could not start."""
    ours = {made.name: made for queue in QUEUES for made in blueprints(queue)}
    old = released.topology(version)
    assert old["exchange"] == EXCHANGE
    for name, queue in old["queues"].items():
        assert ours[name].arguments == queue["arguments"], (
            f"{name}: give a changed queue another name, or tell operators to stop everything"
        )
        assert list(ours[name].types) == queue["types"], (
            f"{name}: old consumers record a type that they do not know as dead"
        )
