"""Planning in worker processes, which keep the ground truth they last worked with."""

from __future__ import annotations

import contextlib
from typing import Final

from services.judge.domain.pairs import plan
from services.judge.domain.plans import StoredPlan, store
from shared.benchmark.ground_truth import load_ground_truth
from shared.benchmark.test_set import TestSet
from shared.benchmark.validation import validate_submission
from shared.runtime.errors import Permanent, Transient
from shared.runtime.workers import WorkerCrashed, WorkerPool, WorkerTimeout
from shared.storage.database import Database, transient_errors
from shared.storage.ground_truths import active_ground_truth_version, ground_truth_content

_CRASHES_ALLOWED: Final = 3


class PooledPlanner:
    """Plans uploads in a pool of worker processes."""

    def __init__(self, database: Database, pool: WorkerPool, *, seconds: float) -> None:
        self._database = database
        self._pool = pool
        self._seconds = seconds

    async def plan(self, payload: bytes, ground_truth_version: str) -> StoredPlan:
        """Return the plan of an upload; raises Permanent when it never can be planned."""
        for _ in range(_CRASHES_ALLOWED):
            try:
                return await self._plan(payload, ground_truth_version)
            except WorkerTimeout as error:
                raise Permanent(
                    f"pairing took longer than {self._seconds:g} s and was stopped.",
                    code="planning_timeout",
                ) from error
            except WorkerCrashed:
                continue
        raise Permanent(
            f"pairing this file crashed its worker {_CRASHES_ALLOWED} times.",
            code="planning_crashed",
        )

    async def prepare(self) -> None:
        """Give the worker the active ground truth, so that the first plan is made at once."""
        with contextlib.suppress(Transient, WorkerCrashed, WorkerTimeout):
            async with transient_errors():
                version = await active_ground_truth_version(self._database)
                if version is None:
                    return
                truth = await ground_truth_content(self._database, version)
            await self._pool.run(keep_ground_truth, version, truth, timeout=self._seconds)

    async def _plan(self, payload: bytes, version: str) -> StoredPlan:
        made = await self._pool.run(plan_file, version, None, payload, timeout=self._seconds)
        if made is None:
            truth = await ground_truth_content(self._database, version)
            made = await self._pool.run(plan_file, version, truth, payload, timeout=self._seconds)
        assert made is not None  # noqa: S101 - it was given the ground truth
        return made


def plan_file(version: str, truth: bytes | None, payload: bytes) -> StoredPlan | None:
    """Plan an upload (gzip) against a ground truth version; runs in a worker.

    `truth` is the ground truth file (gzip); without it the answer is None where this worker does
    not hold that version. Raises Permanent for an upload that is not valid (it was, when taken).
    """
    if truth is not None:
        keep_ground_truth(version, truth)
    test_set = _kept.get(version)
    if test_set is None or test_set.truth is None:
        return None
    validated = validate_submission(payload, test_set, minimum_records=0, diagnose=False)
    if validated.predictions is None:
        raise Permanent(
            f"the file is not valid any more: {validated.report.problems[0]}", code="invalid_file"
        )
    return store(plan(test_set.truth.samples, validated.predictions))


def keep_ground_truth(version: str, truth: bytes) -> None:
    """Hold a ground truth version (gzip file), and let go of the one before."""
    _kept.clear()
    _kept[version] = TestSet.from_ground_truth(load_ground_truth(truth))


_kept: dict[str, TestSet] = {}  # at most one: a worker's memory is bounded
