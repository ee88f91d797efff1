"""Scoring and measuring in worker processes."""

from __future__ import annotations

import os
from typing import Final

from threadpoolctl import threadpool_limits

from medvid.benchmark.caption_pairs import plan
from medvid.benchmark.collection import paused_collection
from medvid.benchmark.disclosure import well_answered
from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.ground_truth import GroundTruth
from medvid.benchmark.scorecard import Scorecard, score
from medvid.benchmark.similarity import Similarity, TooManyTexts, measure
from medvid.benchmark.statistics.bootstrap import Resampling, estimates, resample
from medvid.benchmark.test_set import TestSet
from services.scorer.work import Scores, SimilarityWork, Work
from shared.runtime.errors import Permanent
from shared.runtime.truth_workers import stored_predictions
from shared.runtime.workers import WorkerPool
from shared.storage.database import Database
from shared.storage.ground_truths import prepare_workers, truth_workers
from shared.storage.replicates import StoredReplicates

_LOWEST_PRIORITY: Final = 19


class Evaluator:
    """Scores files in a pool of worker processes."""

    def __init__(self, database: Database, pool: WorkerPool, *, seconds: float) -> None:
        self._database = database
        self._workers = truth_workers(database, pool)
        self._seconds = seconds

    async def score(self, work: Work) -> Scores:
        """Return the scores of a file; raises Permanent when it can never be scored."""
        return await self._workers.run_or_give_up(
            "scoring", score_file, work.ground_truth_version, work.payload, timeout=self._seconds
        )

    async def prepare(self, workers: int) -> None:
        """Give each worker the active ground truth, so that the first file is scored at once."""
        await prepare_workers(self._database, self._workers, workers)


class Meter:
    """Measures similarities in a pool of worker processes of their own."""

    def __init__(self, database: Database, pool: WorkerPool, *, seconds: float) -> None:
        self._workers = truth_workers(database, pool)
        self._seconds = seconds

    async def measure(self, work: SimilarityWork, metric: str) -> Similarity:
        """Return one similarity; raises Permanent when this file can never be measured."""
        return await self._workers.run_or_give_up(
            "similarity",
            measure_file,
            work.ground_truth_version,
            work.payload,
            metric,
            timeout=self._seconds,
        )


def warm_up_meter() -> None:
    """Load the sentence encoder at the lowest priority: scores do not wait for similarities."""
    os.nice(_LOWEST_PRIORITY)
    warm_up()


def measure_file(test_set: TestSet, payload: bytes, metric: str) -> Similarity:
    """Measure one similarity of an upload (gzip); runs in a worker."""
    assert test_set.truth is not None  # noqa: S101 - made from a ground truth
    with paused_collection():
        samples = test_set.truth.samples
        pairs = plan(samples, well_answered(samples, stored_predictions(payload, test_set)))
        try:
            return measure(pairs, metric, load_embedder())
        except TooManyTexts as error:
            raise Permanent(f"{metric}: {error}.", code="too_many_captions") from error


def warm_up() -> None:
    """Load the sentence encoder; runs first in every worker.

    One thread for its matrix products: the workers themselves use all processors, and threads that
    wait for each other made an encoding up to ten times slower.
    """
    threadpool_limits(1)
    load_embedder()(["warm up"])


def score_file(test_set: TestSet, payload: bytes) -> Scores:
    """Score an upload (gzip); runs in a worker. Raises Permanent for one that is not valid."""
    assert test_set.truth is not None  # noqa: S101 - made from a ground truth
    predictions = stored_predictions(payload, test_set)
    with paused_collection():
        card = score(test_set.truth.samples, predictions, load_embedder())
        replicates = _replicates(card, _resampling(test_set.truth))
    return Scores(card.metric_version, card.metrics, replicates)


def _replicates(card: Scorecard, resampling: Resampling) -> list[StoredReplicates]:
    """Return the replicates of every value that there is."""
    valued = {
        (metric, scoring): contributions
        for metric, by_scoring in card.contributions.items()
        for scoring, contributions in by_scoring.items()
        if getattr(card.metrics[metric], scoring) is not None
    }
    found = estimates(valued, resampling)
    return [StoredReplicates.of(*key, each) for key, each in found.items()]


_kept: Final[dict[str, Resampling]] = {}  # in a worker: at most one


def _resampling(truth: GroundTruth) -> Resampling:
    """Return a ground truth's draws, which take longer to make than a file's replicates."""
    if truth.version not in _kept:
        _kept.clear()
        _kept[truth.version] = resample(truth.samples, truth.version)
    return _kept[truth.version]
