"""Similarities on a real database and a real worker: after the scores, once, and never lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.similarity import METRICS, Similarity, SourceSimilarity, measure
from services.gateway.submissions.store import SubmissionStore
from services.scorer.consume import build_consumer, build_similarity_consumer
from services.scorer.evaluation import Evaluator, Meter, warm_up_meter
from services.scorer.store import OVERDUE
from services.scorer.work import SimilarityWork
from shared.contracts.messages import Envelope, SimilarityRequested, SubmissionAccepted
from shared.messaging.bus import Delivery, Done, Retry
from shared.messaging.topology import SCORER_SIMILARITIES, SCORER_SUBMISSIONS
from shared.runtime.errors import Permanent, Transient
from shared.runtime.workers import WorkerPool
from shared.storage.database import Database
from tests.depth import deep
from tests.judging import HALF, plan_of
from tests.reaping import reap
from tests.rows import accept_submission


@pytest.fixture(scope="module")
def expected() -> dict[str, float | None]:
    """What measuring half of the demo's answers directly gives."""
    pairs = plan_of(HALF)
    return {key: measure(pairs, key, load_embedder()).value for key in METRICS}


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(1, initializer=warm_up_meter)
    yield pool
    await pool.close()


class FakeMeter(Meter):
    """Measures 0.5; fails as told."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.measured: list[str] = []

    async def measure(self, _: SimilarityWork, metric: str) -> Similarity:
        self.measured.append(metric)
        if len(self.measured) > 1 and self.failures:
            raise self.failures.pop(0)
        return Similarity(0.5, 2, 1, {"AVOS": SourceSimilarity(0.5, 2, 2)})


def requested(submission_id: UUID) -> Delivery:
    message = SimilarityRequested(submission_id=submission_id)
    return Delivery(SCORER_SIMILARITIES, Envelope.wrap(message).to_bytes(), attempt=1)


async def scored(database: Database, pool: WorkerPool, *, wanted: bool = True) -> UUID:
    """Accept and score a submission; returns its id."""
    stored = await accept_submission(database, payload=HALF)
    evaluator = Evaluator(database, pool, seconds=60)
    consumer = build_consumer(database, evaluator, wants_similarities=wanted)
    message = Envelope.wrap(SubmissionAccepted(submission_id=stored.submission_id))
    delivery = Delivery(SCORER_SUBMISSIONS, message.to_bytes(), attempt=1)
    assert await consumer.handle(delivery) == Done()
    return stored.submission_id


@deep
async def test_they_are_asked_for_with_the_scores_measured_in_a_worker_and_shown(
    database: Database, pool: WorkerPool, expected: dict[str, float | None]
) -> None:
    submission_id = await scored(database, pool)
    body = await database.pool.fetchval(
        "SELECT body FROM outbox WHERE type = 'similarity.requested'"
    )
    assert Envelope.parse(body).message() == SimilarityRequested(submission_id=submission_id)
    assert await database.pool.fetchval("SELECT count(*) FROM similarities_due") == 1

    consumer = build_similarity_consumer(database, Meter(database, pool, seconds=60))
    assert await consumer.handle(Delivery(SCORER_SIMILARITIES, body, attempt=1)) == Done()
    rows = await database.pool.fetch("SELECT metric, value FROM similarities")
    assert {row["metric"]: row["value"] for row in rows} == pytest.approx(expected)
    assert await database.pool.fetchval("SELECT count(*) FROM similarities_due") == 0
    found = await SubmissionStore(database).find(submission_id)
    assert found is not None
    assert found.entry is not None
    assert {key: shown["value"] for key, shown in found.entry.similarities.items()} == (
        pytest.approx(expected)
    )


async def test_nothing_is_asked_for_where_they_are_switched_off(
    database: Database, pool: WorkerPool
) -> None:
    await scored(database, pool, wanted=False)
    assert await database.pool.fetchval("SELECT count(*) FROM similarities_due") == 0
    types = await database.pool.fetch("SELECT type FROM outbox")
    assert "similarity.requested" not in {row["type"] for row in types}


async def test_a_retry_goes_on_after_what_is_stored_and_a_repeat_measures_nothing(
    database: Database, pool: WorkerPool
) -> None:
    submission_id = await scored(database, pool)
    meter = FakeMeter(Transient("the database went away"))
    consumer = build_similarity_consumer(database, meter)
    delivery = requested(submission_id)
    assert isinstance(await consumer.handle(delivery), Retry)
    assert await database.pool.fetchval("SELECT count(*) FROM similarities") == 1
    assert await consumer.handle(delivery) == Done()
    first, second, third = METRICS
    assert meter.measured == [first, second, second, third]
    assert await consumer.handle(requested(submission_id)) == Done()
    assert len(meter.measured) == 4


async def test_what_can_never_be_measured_is_given_up_with_its_reason(
    database: Database, pool: WorkerPool
) -> None:
    submission_id = await scored(database, pool)
    meter = FakeMeter(Permanent("too long", code="similarity_timeout"))
    assert await build_similarity_consumer(database, meter).handle(requested(submission_id)) == (
        Done()
    )
    due = await database.pool.fetchrow("SELECT failure_code FROM similarities_due")
    assert due is not None
    assert due["failure_code"] == "similarity_timeout"
    state = await database.pool.fetchval("SELECT state FROM submissions")
    assert state == "scored"


async def test_the_reaper_asks_again_for_what_waits_and_not_for_what_failed(
    database: Database, pool: WorkerPool
) -> None:
    submission_id = await scored(database, pool)
    sent = "SELECT body FROM outbox WHERE type = 'similarity.requested'"
    await reap(database, OVERDUE, 60)
    assert len(await database.pool.fetch(sent)) == 1
    await database.pool.execute("UPDATE similarities_due SET announced_at = now() - interval '2m'")
    await reap(database, OVERDUE, 60)
    bodies = [row["body"] for row in await database.pool.fetch(sent)]
    asked = SimilarityRequested(submission_id=submission_id)
    assert [Envelope.parse(body).message() for body in bodies] == [asked] * 2
    await database.pool.execute(
        "UPDATE similarities_due SET announced_at = now() - interval '2m', failure_code = 'x'"
    )
    await reap(database, OVERDUE, 60)
    assert len(await database.pool.fetch(sent)) == 2


async def test_an_entry_that_is_gone_needs_none(database: Database, pool: WorkerPool) -> None:
    submission_id = await scored(database, pool)
    await database.pool.execute("UPDATE entries SET removed_at = now()")
    meter = FakeMeter()
    await build_similarity_consumer(database, meter).handle(requested(submission_id))
    assert meter.measured == []
    assert await database.pool.fetchval("SELECT count(*) FROM similarities_due") == 0
