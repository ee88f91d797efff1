"""Planning in worker processes."""

from __future__ import annotations

import contextlib
from functools import partial

from medvid.benchmark.caption_pairs import plan
from medvid.benchmark.disclosure import well_answered
from medvid.benchmark.test_set import TestSet
from medvid.judging.plans import StoredPlan, store
from shared.runtime.errors import Transient, Unavailable
from shared.runtime.truth_workers import TruthWorkers, stored_predictions
from shared.runtime.workers import WorkerPool
from shared.storage.database import Database, transient_errors
from shared.storage.ground_truths import active_ground_truth_version, ground_truth_content


class PooledPlanner:
    """Plans uploads in a pool of worker processes."""

    def __init__(self, database: Database, pool: WorkerPool, *, seconds: float) -> None:
        self._database = database
        self._workers = TruthWorkers(pool, partial(ground_truth_content, database))
        self._seconds = seconds

    async def plan(self, payload: bytes, ground_truth_version: str) -> StoredPlan:
        """Return the plan of an upload; raises Permanent when it never can be planned."""
        return await self._workers.run_or_give_up(
            "planning", plan_file, ground_truth_version, payload, timeout=self._seconds
        )

    async def prepare(self) -> None:
        """Give the worker the active ground truth, so that the first plan is made at once."""
        with contextlib.suppress(Transient, Unavailable):  # then the first file brings it
            async with transient_errors():
                version = await active_ground_truth_version(self._database)
                if version is not None:
                    await self._workers.prepare(version, 1)


def plan_file(test_set: TestSet, payload: bytes) -> StoredPlan:
    """Plan an upload (gzip); runs in a worker. Raises Permanent for one that is not valid.

    Of a task that is answered by less than half nothing is judged, as nothing of it would be shown.
    """
    assert test_set.truth is not None  # noqa: S101 - made from a ground truth
    samples = test_set.truth.samples
    return store(plan(samples, well_answered(samples, stored_predictions(payload, test_set))))
