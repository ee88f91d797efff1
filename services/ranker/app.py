"""Builds the ranker out of its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.ranker.consume import (
    build_consumer,
    build_rescore_consumer,
    build_statistics_consumer,
)
from services.ranker.links import link_what_is_left
from services.ranker.measuring import OVERDUE as STATISTICS_OVERDUE
from services.ranker.settings import RankerSettings
from services.ranker.store import OVERDUE
from shared.messaging.topology import RANKER_BOARDS, RANKER_RESCORES, RANKER_STATISTICS
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.retention import Pruner


@asynccontextmanager
async def run(base: Infrastructure, settings: RankerSettings) -> AsyncIterator[None]:
    """Rank boards until the context is left; work in progress is finished first."""
    signer = settings.signer
    async with (
        base.consuming(
            RANKER_BOARDS,
            build_consumer(base.database, signer, settings.steps).handle,
            concurrency=2,  # one for each board
            drain_seconds=settings.drain_seconds,
        ),
        base.consuming(
            RANKER_RESCORES,
            build_rescore_consumer(base.database).handle,
            concurrency=1,
            drain_seconds=settings.drain_seconds,
        ),
        base.consuming(
            RANKER_STATISTICS,
            build_statistics_consumer(base.database, signer).handle,
            concurrency=1,  # a large board's replicates take 160 MB
            drain_seconds=settings.drain_seconds,
        ),
    ):
        base.reap(
            "ranker_reaper",
            (*OVERDUE, STATISTICS_OVERDUE),
            every=settings.patrol_seconds,
            idle=settings.still_seconds,
            busy=settings.busy_seconds,
        )
        base.repeat(
            "ranker_links",
            lambda: link_what_is_left(base.database, signer),
            settings.patrol_seconds,
        )
        base.repeat("pruner", Pruner(base.database, settings).prune_some, settings.prune_seconds)
        yield
