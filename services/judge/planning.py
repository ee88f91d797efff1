"""Starts a run: plan (in a worker), estimate, budget, first batches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson
import structlog

from medvid.benchmark.caption_pairs import plan
from medvid.benchmark.disclosure import well_answered
from medvid.benchmark.test_set import TestSet
from medvid.judging.estimates import CallFigures, RunEstimate, estimate, together
from medvid.judging.plans import StoredPlan, store
from medvid.judging.pricing import MICROUSD
from services.judge.judges import Judges
from services.judge.runs import QueuedRun
from services.judge.sizing import batch_pairs
from services.judge.store import CONSUMER, Runs, add_judges, fail_queued
from services.judge.verdict import FINAL
from shared.contracts.messages import Envelope, JudgingProgressed, JudgingRequested
from shared.runtime.errors import Permanent
from shared.runtime.truth_workers import TruthWorkers, stored_predictions
from shared.storage.database import Database, Transaction
from shared.storage.judge_service import tokens_measured
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_log = structlog.get_logger(__name__)

MakePlan = Callable[[bytes, str], Awaitable[StoredPlan]]
"""Makes the plan of an upload for a ground truth version; raises Permanent when it never can."""
RemainingBudget = Callable[[UUID], Awaitable[int | None]]
"""What a run may still spend, in millionths of a US dollar; None without a cap."""


@dataclass(frozen=True, slots=True)
class StartRun:
    """Plans a queued run and sends its first batches."""

    database: Database
    runs: Runs
    make_plan: MakePlan
    judges: Judges
    remaining: RemainingBudget

    async def __call__(self, envelope: Envelope, message: JudgingRequested) -> None:
        """Start the run, or fail it with a reason that its owner can read."""
        run_id = message.run_id
        row = await self.database.pool.fetchrow(_SQL["run_queued"], run_id)
        if row is None:
            _log.info("judge_run_not_queued", run_id=str(run_id))
            return
        run = QueuedRun(**row)
        if run.wanted_version not in (None, self.judges.version):
            await self._fail(envelope, run_id, "judge_changed", _judge_changed(run, self.judges))
            return
        try:
            plan = await self._plan(run)
        except Permanent as error:
            await self._fail(envelope, run_id, error.error_code, error.detail)
            return
        figures = await self._figures()
        by_judge = await self._estimate(run, plan, figures)
        expected = together([*by_judge.values()])
        if run.known_only and expected.calls:
            await self._fail(envelope, run_id, "verdicts_unknown", _unknown(expected))
            return
        left = await self.remaining(run_id)
        if left is not None and expected.microusd > left:
            await self._fail(envelope, run_id, "over_budget", _over_budget(expected, left))
            return
        size = self._size(expected.calls, figures.values())
        nothing_left = await self.begin(envelope, run, plan, by_judge, size)
        _log.info("judge_run_started", run_id=str(run_id), calls=expected.calls)
        if nothing_left:
            await self.runs.close(run_id)

    async def begin(
        self,
        envelope: Envelope,
        run: QueuedRun,
        plan: StoredPlan | None,
        by_judge: Mapping[str, RunEstimate],
        size: int,
    ) -> bool:
        """Cut what has no verdict into batches of `size` pairs and send the first.

        `plan` is None for a run that was planned before. Returns whether nothing is left to judge.
        """
        version = self.judges.version
        async with self.database.once(CONSUMER, envelope) as transaction:
            connection = transaction.connection
            await connection.fetchval(_SQL["run_plan_alone"], run.id)
            locked = await connection.fetchrow(_SQL["run_lock"], run.id)
            if locked is None or locked["state"] != "queued":
                return False
            await add_judges(transaction, self.judges)
            await connection.execute(_SQL["batches_drop"], run.id)
            if plan is not None and locked["plan"] is None:
                # What is left of the pairs of a run that failed long ago, and was being pruned.
                await connection.execute(_SQL["run_members_drop"], run.id, 0)
                await _add_pairs(transaction, run, plan)
            members = len(self.judges.panel.members)
            await connection.execute(_SQL["run_members_drop"], run.id, members)
            await connection.execute(_SQL["run_members_add"], run.id, members)
            final = FINAL if locked["leaves_final"] else ()
            await connection.execute(_SQL["run_pairs_open"], run.id, version, final)
            is_cautious = await connection.fetchval(_SQL["run_is_cautious"], run.id)
            waits = "for_provider" if self.judges.by_batch and not run.fast else "planned"
            await connection.execute(_SQL["batches_add"], run.id, size, is_cautious, waits)
            nothing_left: bool = await connection.fetchval(
                _SQL["run_begin"],
                run.id,
                version,
                plan.packed if plan else None,
                orjson.dumps(together([*by_judge.values()]).public()).decode(),
            )
            for judge, expected in by_judge.items():
                await connection.execute(_SQL["estimate_add"], run.id, judge, expected.microusd)
            await self.runs.send(transaction, run.id, at_least=1)
            await transaction.emit(
                JudgingProgressed(submission_id=run.submission_id, run_id=run.id)
            )
        return nothing_left

    async def _fail(self, envelope: Envelope, run_id: UUID, reason: str, detail: str) -> None:
        async with self.database.once(CONSUMER, envelope) as transaction:
            await fail_queued(transaction, run_id, reason, detail)

    async def _plan(self, run: QueuedRun) -> StoredPlan | None:
        if run.planned:
            return None
        payload = await self.database.pool.fetchval(_SQL["payload"], run.submission_id)
        return await self.make_plan(bytes(payload), run.ground_truth_version)

    async def _figures(self) -> dict[str, CallFigures]:
        """Return what a call of each judge takes by what was measured, by its version."""
        pool = self.database.pool
        return {
            version: judge.figures.after(await tokens_measured(pool, version))
            for version, judge in self.judges.by_version.items()
        }

    def _size(self, pairs: int, figures: Collection[CallFigures]) -> int:
        """Return how many of a run's open pairs, of all judges together, are one batch."""
        rate = sum(each.rate for each in figures) / len(figures)
        return batch_pairs(rate, pairs, self.runs.fleet.replicas, self.runs.policy.batch_items)

    async def _estimate(
        self, run: QueuedRun, plan: StoredPlan | None, figures: Mapping[str, CallFigures]
    ) -> dict[str, RunEstimate]:
        """Return what each judge takes, by its version."""
        pool = self.database.pool
        pairs: Sequence[tuple[bytes, int]]
        if plan is None:
            pairs = [tuple(row) for row in await pool.fetch(_SQL["run_pair_lengths"], run.id)]
        else:
            pairs = [(t.sha256, len(t.prediction) + len(t.reference)) for t in plan.texts]
        digests, lengths = [sha256 for sha256, _ in pairs], [length for _, length in pairs]
        final = FINAL if run.leaves_final else ()
        found = {}
        for version, takes in figures.items():
            given = (version, digests, run.repeats, final)
            known = await pool.fetchval(_SQL["verdicts_known"], *given)
            rate = await pool.fetchval(_SQL["calls_per_second"], version)
            found[version] = estimate(lengths, run.repeats, known, takes, rate, fast=run.fast)
        return found


def _judge_changed(run: QueuedRun, judges: Judges) -> str:
    return (
        f"the job is of judge {run.wanted_version}, and {judges.version} judges now. Discard "
        "the job and start another."
    )


def _unknown(expected: RunEstimate) -> str:
    items = expected.calls + expected.cached
    return f"without a verdict: {expected.calls:,} of {items:,} pairs."


def _over_budget(expected: RunEstimate, left: int) -> str:
    return (
        f"judging would cost about {expected.microusd / MICROUSD:.2f} USD, "
        f"and {left / MICROUSD:.2f} USD may still be spent."
    )


async def _add_pairs(transaction: Transaction, run: QueuedRun, plan: StoredPlan) -> None:
    connection = transaction.connection
    # In one order everywhere: two runs that add the same texts must not wait for each other.
    texts = sorted(plan.texts, key=lambda text: text.sha256)
    await connection.execute(_SQL["captions_keep"])
    await connection.execute(
        _SQL["pairs_add"],
        [text.sha256 for text in texts],
        [text.prediction for text in texts],
        [text.reference for text in texts],
    )
    await connection.execute(
        _SQL["run_pairs_add"],
        run.id,
        [text.ordinal for text in texts],
        [text.sha256 for text in texts],
        [",".join(text.metrics) for text in texts],
        [text.uses for text in texts],
        run.repeats,
        [orjson.dumps(text.sources).decode() for text in texts],
    )


def remaining_budget(
    database: Database, month_left: Callable[[], Awaitable[int | None]], run_cap: int | None
) -> RemainingBudget:
    """Return the function for the remaining budget; caps in millionths of a US dollar."""

    async def remaining(run_id: UUID) -> int | None:
        month = await month_left()
        if run_cap is None:
            return month
        run = max(0, run_cap - int(await database.pool.fetchval(_SQL["run_spent"], run_id)))
        return run if month is None else min(run, month)

    return remaining


def planner(workers: TruthWorkers, seconds: float) -> MakePlan:
    """Return what makes plans in worker processes, each within `seconds`."""

    async def make_plan(payload: bytes, ground_truth_version: str) -> StoredPlan:
        return await workers.run_or_give_up(
            "planning", plan_file, ground_truth_version, payload, timeout=seconds
        )

    return make_plan


def plan_file(test_set: TestSet, payload: bytes) -> StoredPlan:
    """Plan an upload (gzip); runs in a worker. Raises Permanent for one that is not valid.

    Of a task that is answered by less than half nothing is judged, as nothing of it would be shown.
    """
    assert test_set.truth is not None  # noqa: S101 - made from a ground truth
    samples = test_set.truth.samples
    return store(plan(samples, well_answered(samples, stored_predictions(payload, test_set))))
