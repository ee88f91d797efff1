"""Builds the scorer out of its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.scorer.consumer import build_consumer
from services.scorer.evaluation import PooledEvaluator, warm_up
from services.scorer.reaper import Reaper
from services.scorer.settings import ScorerSettings
from shared.messaging.topology import SCORER_SUBMISSIONS
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.workers import WorkerPool


@asynccontextmanager
async def run(base: Infrastructure, settings: ScorerSettings) -> AsyncIterator[None]:
    """Score submissions until the context is left; work in progress is finished first."""
    pool = WorkerPool(settings.scorer_processes, name="scorer", initializer=warm_up)
    try:
        evaluator = PooledEvaluator(base.database, pool, seconds=settings.scorer_seconds)
        consumer = build_consumer(base.database, evaluator)
        async with base.consuming(
            SCORER_SUBMISSIONS,
            consumer.handle,
            concurrency=settings.scorer_processes,
            drain_seconds=settings.drain_seconds,
        ):
            base.background("scorer_warm_up", lambda: evaluator.prepare(settings.scorer_processes))
            reaper = Reaper(base.database, base.bus, settings.still_seconds)
            base.patrol("scorer_reaper", reaper.announce_again, settings.patrol_seconds)
            yield
    finally:
        await pool.close()
