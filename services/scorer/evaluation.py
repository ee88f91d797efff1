"""Scoring in worker processes, which keep the ground truth they last worked with."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import asdict
from typing import Final

from threadpoolctl import threadpool_limits

from services.scorer.domain.scorecard import score
from services.scorer.embedding import load_embedder
from services.scorer.ports import ScoreRow, Scores, Work
from shared.benchmark.ground_truth import load_ground_truth
from shared.benchmark.test_set import TestSet
from shared.benchmark.validation import validate_submission
from shared.runtime.collection import paused_collection
from shared.runtime.errors import Permanent, Transient
from shared.runtime.workers import WorkerCrashed, WorkerPool, WorkerTimeout
from shared.storage.database import Database, transient_errors
from shared.storage.ground_truths import active_ground_truth_version, ground_truth_content

_CRASHES_ALLOWED: Final = 3
_LOAD_SECONDS: Final = 60.0


class PooledEvaluator:
    """Scores files in a pool of worker processes."""

    def __init__(self, database: Database, pool: WorkerPool, *, seconds: float) -> None:
        self._database = database
        self._pool = pool
        self._seconds = seconds

    async def score(self, work: Work) -> Scores:
        """Return the scores of a file.

        Raises Permanent when it takes too long, when it crashes its worker again and again, or
        when it is no longer valid.
        """
        for _ in range(_CRASHES_ALLOWED):
            try:
                return await self._score(work)
            except WorkerTimeout as error:
                raise Permanent(
                    f"scoring took longer than {self._seconds:g} s and was stopped.",
                    code="scoring_timeout",
                ) from error
            except WorkerCrashed:
                continue
        raise Permanent(
            f"scoring this file crashed its worker {_CRASHES_ALLOWED} times.",
            code="scoring_crashed",
        )

    async def prepare(self, workers: int) -> None:
        """Give each worker the active ground truth, so that the first file is scored at once."""
        with contextlib.suppress(Transient):  # then the first file brings it
            async with transient_errors():
                version = await active_ground_truth_version(self._database)
                if version is None:
                    return
                truth = await ground_truth_content(self._database, version)
            jobs = (
                self._pool.run(_keep_ground_truth, version, truth, timeout=_LOAD_SECONDS)
                for _ in range(workers)
            )
            await asyncio.gather(*jobs)

    async def _score(self, work: Work) -> Scores:
        version, payload = work.ground_truth_version, work.payload
        scores = await self._pool.run(score_file, version, None, payload, timeout=self._seconds)
        if scores is None:
            truth = await ground_truth_content(self._database, version)
            scores = await self._pool.run(
                score_file, version, truth, payload, timeout=self._seconds
            )
        assert scores is not None  # noqa: S101 - it was given the ground truth
        return scores


def warm_up() -> None:
    """Load the sentence encoder; runs first in every worker.

    One thread for its matrix products: the workers themselves use all processors, and threads that
    wait for each other made an encoding up to ten times slower.
    """
    threadpool_limits(1)
    load_embedder()(["warm up"])


def score_file(version: str, truth: bytes | None, payload: bytes) -> Scores | None:
    """Score an upload (gzip) against a ground truth version; runs in a worker.

    `truth` is the ground truth file (gzip); without it the answer is None where this worker does
    not hold that version. Raises Permanent for an upload that is not valid (it was, when taken).
    """
    if truth is not None:
        _keep_ground_truth(version, truth)
    test_set = _kept.get(version)
    if test_set is None or test_set.truth is None:
        return None
    validated = validate_submission(payload, test_set, minimum_records=0, diagnose=False)
    if validated.predictions is None:
        raise Permanent(
            f"the file is not valid any more: {validated.report.problems[0]}", code="invalid_file"
        )
    with paused_collection():
        card = score(test_set.truth.samples, validated.predictions, load_embedder())
    rows = [
        ScoreRow(
            metric=key,
            compat=metric.compat,
            strict=metric.strict,
            answered=metric.answered,
            expected=metric.expected,
            by_source={source: asdict(part) for source, part in metric.by_source.items()},
        )
        for key, metric in card.metrics.items()
    ]
    return Scores(card.metric_version, rows)


_kept: dict[str, TestSet] = {}  # at most one: a worker's memory is bounded


def _keep_ground_truth(version: str, truth: bytes) -> None:
    if version not in _kept:
        _kept.clear()
        _kept[version] = TestSet.from_ground_truth(load_ground_truth(truth))
