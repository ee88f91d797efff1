"""Judge replicas on the local bus, in this process, with a judge that the test controls."""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import orjson

from medvid.benchmark.caption_pairs import JudgingPlan, plan
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.tasks import task_of
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.validation import validate_submission
from medvid.judging import standin
from medvid.judging.aggregate import JudgeScore, aggregate
from medvid.judging.estimates import CallFigures
from medvid.judging.panels import Combine
from medvid.judging.plans import StoredPlan
from medvid.judging.pricing import TokenPrice
from services.judge.batches import JudgeBatch
from services.judge.consume import build_batches_consumer, build_requests_consumer
from services.judge.judges import Judges, PanelJudge
from services.judge.planning import StartRun, plan_file
from services.judge.runs import RunPolicy
from services.judge.store import Runs
from services.judge.upkeep import OVERDUE, Ages, Upkeep
from services.judge.verdict import Grader
from services.judge.verdict_cache import VerdictCache
from shared.contracts.messages import JudgingRequested
from shared.messaging.bus import Bus
from shared.messaging.local import LocalBus
from shared.messaging.relay import Relay
from shared.messaging.topology import JUDGE_BATCHES, JUDGE_REQUESTS
from shared.storage.database import Database
from shared.storage.ground_truths import activate_ground_truth, ground_truth_content
from tests.patience import HANG_SECONDS
from tests.reaping import reap
from tests.rows import DEMO, Stored, accept_submission

BENCHMARK: Final = Path(__file__).parents[1] / "benchmarks" / "data"

POLICY = RunPolicy(batch_items=4, window_batches=8, tries=3, busy_seconds=0.05)


def _half_of_demo() -> bytes:
    """Return every second record of each task: pairs enough for faults and kills.

    Of a task of which fewer are answered nothing is judged.
    """
    records = orjson.loads(gzip.decompress((DEMO / "predictions.json.gz").read_bytes()))
    seen: Counter[object] = Counter()
    chosen = []
    for record in records:
        task = task_of(record["qa_type"])
        if seen[task] % 2 == 0:
            chosen.append(record)
        seen[task] += 1
    return gzip.compress(orjson.dumps(chosen), compresslevel=1, mtime=0)


def _few_captions() -> bytes:
    """Return an upload that answers half of the demo's region captions: less is not judged."""
    records = orjson.loads(gzip.decompress((DEMO / "predictions.json.gz").read_bytes()))
    captions = [record for record in records if record["qa_type"].startswith("region_caption")]
    return gzip.compress(orjson.dumps(captions[: len(captions) // 2]), compresslevel=1, mtime=0)


HALF = _half_of_demo()
FEW = _few_captions()
FIGURES = CallFigures(overhead_tokens=600, reply_tokens=40, price=TokenPrice(2, 8), concurrency=16)


@cache
def plan_of(payload: bytes) -> JudgingPlan:
    """Return what there is to judge in an upload for the demo."""
    truth = load_ground_truth((DEMO / "ground_truth.json.gz").read_bytes())
    test_set = TestSet.from_ground_truth(truth)
    found = validate_submission(payload, test_set, diagnose=False, minimum_records=0)
    assert found.predictions is not None
    return plan(truth.samples, found.predictions)


class ThreadPlanner:
    """Plans in a thread, with the real function."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.plans = 0

    async def plan(self, payload: bytes, ground_truth_version: str) -> StoredPlan:
        self.plans += 1
        truth = await ground_truth_content(self._database, ground_truth_version)
        test_set = TestSet.from_ground_truth(load_ground_truth(truth))
        return await asyncio.to_thread(plan_file, test_set, payload)


@dataclass(frozen=True, slots=True)
class Replica:
    """One judge replica."""

    runs: Runs
    start: StartRun
    judge: JudgeBatch
    upkeep: Upkeep


def judges_of(
    *graders: Grader,
    combine: Combine = "mean",
    wait: float = 0.0,
    figures: CallFigures = FIGURES,
) -> Judges:
    """Return these as one judge, or as a panel."""
    return Judges.of([PanelJudge(each, figures) for each in graders], combine, wait)


def replica(
    database: Database,
    grader: Grader | Judges,
    policy: RunPolicy = POLICY,
    *,
    left: int | None = None,
    claim_seconds: float = 30.0,
    figures: CallFigures = FIGURES,
) -> Replica:
    runs = Runs(database, policy)
    verdicts = VerdictCache(database, claim_seconds=claim_seconds)

    async def remaining(_: UUID) -> int | None:
        return left

    judges = grader if isinstance(grader, Judges) else judges_of(grader, figures=figures)
    start = StartRun(database, runs, ThreadPlanner(database).plan, judges, remaining)
    judge = JudgeBatch(runs, verdicts, judges, policy)
    return Replica(runs, start, judge, Upkeep(database, runs, verdicts, judges, Ages(60, probe=0)))


async def send_due_batches(upkeep: Upkeep) -> None:
    """Send what is due until cancelled, as a replica does in the background."""
    while True:
        await asyncio.sleep(0.05)
        await upkeep.send_due_batches()


async def look_after(database: Database, one: Replica) -> None:
    """Let a replica look once at everything that may be stalled."""
    await reap(database, OVERDUE, 15)
    await one.upkeep.look()


@asynccontextmanager
async def judging(
    database: Database, replicas: Sequence[Replica], bus: Bus | None = None, concurrency: int = 4
) -> AsyncIterator[None]:
    """Run the replicas, a relay and their reapers."""
    async with AsyncExitStack() as stack:
        bus = bus or LocalBus(database)
        stack.push_async_callback(bus.close)
        relay = Relay(database, bus, poll_seconds=0.1)
        tasks = [asyncio.create_task(relay.run())]
        for one in replicas:
            requests = build_requests_consumer(database, one.start, automatic_repeats=None)
            batches = build_batches_consumer(database, one.judge)
            await bus.consume(JUDGE_REQUESTS, requests.handle, concurrency=1)
            await bus.consume(JUDGE_BATCHES, batches.handle, concurrency=concurrency)
            tasks.append(asyncio.create_task(send_due_batches(one.upkeep)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def request_run(
    database: Database, submission_id: UUID, repeats: int = 1, *, fast: bool = False
) -> UUID:
    """Ask for a run as the gateway does."""
    run_id = uuid4()
    async with database.transaction() as transaction:
        await transaction.connection.execute(
            "INSERT INTO judge_runs (id, submission_id, requested_by, repeats, fast)"
            " VALUES ($1, $2, 'owner', $3, $4)",
            run_id, submission_id, repeats, fast,
        )  # fmt: skip
        await transaction.emit(JudgingRequested(submission_id=submission_id, run_id=run_id))
    return run_id


async def resume_run(database: Database, run_id: UUID) -> None:
    """Queue a paused or failed run again as the gateway does."""
    async with database.transaction() as transaction:
        submission_id = await transaction.connection.fetchval(
            "UPDATE judge_runs SET state = 'queued', reason = NULL, detail = NULL"
            " WHERE id = $1 RETURNING submission_id",
            run_id,
        )
        await transaction.emit(JudgingRequested(submission_id=submission_id, run_id=run_id))


async def run_row(database: Database, run_id: UUID) -> asyncpg.Record:
    row = await database.pool.fetchrow("SELECT * FROM judge_runs WHERE id = $1", run_id)
    assert row is not None
    return row


async def reaches(database: Database, run_id: UUID, *states: str) -> asyncpg.Record:
    """Return the run once it is in one of the states."""
    async with asyncio.timeout(HANG_SECONDS):
        while (row := await run_row(database, run_id))["state"] not in states:
            await asyncio.sleep(0.02)
    return row


async def whole_benchmark(database: Database) -> UUID:
    """Store the benchmark's strong file; returns its submission."""
    truth = gzip.decompress((BENCHMARK / "ground_truth.json.gz").read_bytes())
    loaded = load_ground_truth(truth)
    strong = (BENCHMARK / "predictions_strong.json.gz").read_bytes()
    stored = await accept_submission(database, "Strong", strong)
    async with database.transaction() as transaction:
        await activate_ground_truth(
            transaction, version=loaded.version, content=truth, samples=len(loaded)
        )
        await transaction.connection.execute(
            "UPDATE submissions SET ground_truth_version = $1", loaded.version
        )
    return stored.submission_id


def judged(pairs: JudgingPlan) -> dict[str, JudgeScore]:
    """The scores of pairs by the stand-in judge, undisturbed."""
    return aggregate(pairs, [standin.judge(pair) for pair in pairs.texts])


async def accept_few(database: Database, model_name: str = "A model") -> Stored:
    """Accept a few captions: enough for what becomes of pairs, runs and replicas."""
    return await accept_submission(database, model_name, FEW)


async def judged_values(database: Database) -> dict[str, tuple[float, float, int, int]]:
    """Values by metric as they are stored: compat, strict, answered, expected."""
    rows = await database.pool.fetch("SELECT * FROM scores WHERE judge_version IS NOT NULL")
    return {
        row["metric"]: (row["compat"], row["strict"], row["answered"], row["expected"])
        for row in rows
    }


def as_values(expected: dict[str, JudgeScore]) -> dict[str, tuple[float | None, ...]]:
    """Scores in the form of `judged_values`."""
    return {
        key: (score.compat, score.compat, score.scored, score.pairs)
        for key, score in expected.items()
    }
