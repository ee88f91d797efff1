"""The scorer on a real database and real worker processes."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict

import asyncpg
import numpy
import orjson
import pytest

from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.scorecard import score
from medvid.benchmark.statistics.bootstrap import estimates, resample
from medvid.benchmark.statistics.intervals import interval
from medvid.benchmark.tasks import RULE_METRIC_KEYS, SCORINGS
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.versions import METRIC_VERSION, STATISTICS_VERSION
from services.scorer.consume import build_consumer
from services.scorer.evaluation import Evaluator, warm_up
from services.scorer.work import Scores, Work
from shared.contracts.messages import Envelope, SubmissionAccepted
from shared.messaging.bus import Delivery, Done
from shared.messaging.consumer import Consumer
from shared.messaging.topology import SCORER_SUBMISSIONS
from shared.runtime.workers import WorkerPool
from shared.storage.database import Database
from shared.storage.replicates import replicates_from
from tests.depth import deep
from tests.rows import DEMO, Stored, accept_submission


@pytest.fixture(scope="module")
def expected() -> dict[str, tuple[float | None, float | None]]:
    """What scoring the demo's files directly gives."""
    truth = load_ground_truth((DEMO / "ground_truth.json.gz").read_bytes())
    records = orjson.loads(gzip.decompress((DEMO / "predictions.json.gz").read_bytes()))
    predictions = [record["prediction"] for record in records]
    card = score(truth.samples, predictions, load_embedder())
    return {key: (metric.compat, metric.strict) for key, metric in card.metrics.items()}


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(1, initializer=warm_up)
    yield pool
    await pool.close()


def delivery_of(stored: Stored) -> Delivery:
    message = SubmissionAccepted(submission_id=stored.submission_id)
    return Delivery(SCORER_SUBMISSIONS, Envelope.wrap(message).to_bytes(), attempt=1)


async def submission(database: Database) -> asyncpg.Record:
    row = await database.pool.fetchrow("SELECT * FROM submissions")
    assert row is not None
    return row


async def test_scores_are_stored_with_their_provenance(
    database: Database, pool: WorkerPool, expected: dict[str, tuple[float | None, float | None]]
) -> None:
    stored = await accept_submission(database)
    consumer = build_consumer(database, Evaluator(database, pool, seconds=60))
    delivery = delivery_of(stored)
    assert await consumer.handle(delivery) == Done()
    rows = await database.pool.fetch("SELECT * FROM scores")
    assert {row["metric"]: (row["compat"], row["strict"]) for row in rows} == expected
    assert set(expected) == set(RULE_METRIC_KEYS)
    state = await submission(database)
    assert state["state"] == "scored"
    assert {row["ground_truth_version"] for row in rows} == {state["ground_truth_version"]}
    assert {row["file_sha256"] for row in rows} == {state["file_sha256"]}
    assert {row["metric_version"] for row in rows} == {METRIC_VERSION}
    assert await database.pool.fetchval("SELECT listed FROM entries")
    await replicates_are(database, expected)
    types = [row["type"] for row in await database.pool.fetch("SELECT type FROM outbox")]
    assert types.count("scoring.completed") == 1

    # Delivered again, and announced again by another message: nothing is doubled.
    assert await consumer.handle(delivery) == Done()
    assert await consumer.handle(delivery_of(stored)) == Done()
    assert await database.pool.fetchval("SELECT count(*) FROM scores") == len(RULE_METRIC_KEYS)
    assert await database.pool.fetchval("SELECT revision FROM boards WHERE board='community'") == 1


async def replicates_are(
    database: Database, values: dict[str, tuple[float | None, float | None]]
) -> None:
    """Every value that there is has its replicates and intervals."""
    truth = load_ground_truth((DEMO / "ground_truth.json.gz").read_bytes())
    records = orjson.loads(gzip.decompress((DEMO / "predictions.json.gz").read_bytes()))
    card = score(truth.samples, [each["prediction"] for each in records], load_embedder())
    draws = resample(truth.samples, truth.version)
    rows = await database.pool.fetch(
        "SELECT metric, scoring, statistics_version, replicates, interval::text AS interval,"
        " by_source::text AS by_source FROM current_replicates"
    )
    valued = {
        (metric, scoring)
        for metric, both in values.items()
        for scoring, value in zip(SCORINGS, both, strict=True)
        if value is not None
    }
    assert {(row["metric"], row["scoring"]) for row in rows} == valued
    for row in rows:
        key = row["metric"]
        found = estimates({key: card.contributions[key][row["scoring"]]}, draws)[key]
        stored = replicates_from(row["replicates"])
        # The scorer draws all metrics at once: in the last bits a product depends on its width.
        numpy.testing.assert_allclose(stored, found.whole.replicates, rtol=1e-12)
        assert orjson.loads(row["interval"]) == pytest.approx(asdict(interval(found.whole)))
        sources = {
            source: pytest.approx(asdict(interval(each)))
            for source, each in found.by_source.items()
        }
        assert orjson.loads(row["by_source"]) == sources
        assert row["statistics_version"] == STATISTICS_VERSION


class _Evaluator(Evaluator):
    """Runs another function than the real one in the same real workers."""

    def __init__(self, database: Database, pool: WorkerPool, job: Job, seconds: float) -> None:
        super().__init__(database, pool, seconds=seconds)
        self._job = job

    async def score(self, work: Work) -> Scores:
        return await self._workers.run_or_give_up(
            "scoring", self._job, work.ground_truth_version, timeout=self._seconds
        )


Job = Callable[[TestSet], Scores]


def _hang(_: TestSet) -> Scores:
    time.sleep(3600)
    raise AssertionError


def _crash(_: TestSet) -> Scores:
    os._exit(9)


async def _fail(database: Database, consumer: Consumer, stored: Stored) -> asyncpg.Record:
    assert await consumer.handle(delivery_of(stored)) == Done()
    row = await submission(database)
    assert row["state"] == "failed"
    assert await database.pool.fetchval("SELECT count(*) FROM dead_letters") == 1
    assert (
        await database.pool.fetchval("SELECT count(*) FROM outbox WHERE type = 'scoring.failed'")
        == 1
    )
    return row


@deep
@pytest.mark.parametrize(
    ("job", "seconds", "code", "reason"),
    [
        (_hang, 0.5, "scoring_timeout", "longer than 0.5 s"),
        (_crash, 60, "scoring_crashed", "3 times"),
    ],
)
async def test_a_file_that_hangs_or_crashes_its_worker_fails_with_a_reason(
    database: Database, job: Job, seconds: float, code: str, reason: str
) -> None:
    stored = await accept_submission(database)
    pool = WorkerPool(1)
    try:
        row = await _fail(
            database, build_consumer(database, _Evaluator(database, pool, job, seconds)), stored
        )
    finally:
        await pool.close()
    assert row["failure_code"] == code
    assert reason in row["failure_reason"]
    # Its name is free again.
    await accept_submission(database)


async def test_a_payload_that_is_not_valid_fails_with_a_reason(
    database: Database, pool: WorkerPool
) -> None:
    stored = await accept_submission(database, payload=gzip.compress(b"[1, 2"))
    consumer = build_consumer(database, Evaluator(database, pool, seconds=60))
    row = await _fail(database, consumer, stored)
    assert row["failure_code"] == "invalid_file"
