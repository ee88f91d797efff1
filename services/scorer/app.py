"""Builds the scorer out of its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from services.scorer.consume import (
    build_consumer,
    build_rescore_consumer,
    build_similarity_consumer,
)
from services.scorer.evaluation import Evaluator, Meter, warm_up, warm_up_meter
from services.scorer.settings import ScorerSettings
from services.scorer.store import OVERDUE
from shared.messaging.topology import SCORER_RESCORES, SCORER_SIMILARITIES, SCORER_SUBMISSIONS
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.workers import WorkerPool

_DRAIN_SECONDS: Final = 1.0
"""For similarities: measuring continues at the next start, so shutdown does not wait for it."""


@asynccontextmanager
async def run(base: Infrastructure, settings: ScorerSettings) -> AsyncIterator[None]:
    """Score submissions until the context is left; work in progress is finished first."""
    pool = WorkerPool(settings.scorer_processes, name="scorer", initializer=warm_up)
    try:
        evaluator = Evaluator(base.database, pool, seconds=settings.scorer_seconds)
        consumer = build_consumer(
            base.database, evaluator, wants_similarities=settings.similarities
        )
        async with (
            base.consuming(
                SCORER_SUBMISSIONS,
                consumer.handle,
                concurrency=settings.scorer_processes,
                drain_seconds=settings.drain_seconds,
            ),
            # One at a time, whatever the job's size: new submissions find the other workers free.
            base.consuming(
                SCORER_RESCORES,
                build_rescore_consumer(base.database, evaluator).handle,
                concurrency=1,
                drain_seconds=settings.drain_seconds,
            ),
            _measuring(base, settings),
        ):
            base.background("scorer_warm_up", lambda: evaluator.prepare(settings.scorer_processes))
            base.reap(
                "scorer_reaper",
                OVERDUE,
                every=settings.patrol_seconds,
                idle=settings.still_seconds,
                busy=settings.busy_seconds,
            )
            yield
    finally:
        await pool.close()


@asynccontextmanager
async def _measuring(base: Infrastructure, settings: ScorerSettings) -> AsyncIterator[None]:
    """Measure similarities in a worker of their own, which starts with the first of them.

    Also where new ones are switched off: those that were requested before are finished.
    """
    pool = WorkerPool(1, name="similarity", initializer=warm_up_meter)
    try:
        meter = Meter(base.database, pool, seconds=settings.similarity_seconds)
        async with base.consuming(
            SCORER_SIMILARITIES,
            build_similarity_consumer(base.database, meter).handle,
            concurrency=1,
            drain_seconds=min(_DRAIN_SECONDS, settings.drain_seconds),
        ):
            yield
    finally:
        await pool.close()
