"""Builds the ranker out of its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.ranker.consumer import build_consumer
from services.ranker.reaper import Reaper
from services.ranker.rescoring import RescoreReaper, build_rescore_consumer
from services.ranker.settings import RankerSettings
from services.ranker.store import PostgresBoards
from shared.messaging.topology import RANKER_BOARDS, RANKER_RESCORES
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.retention import Pruner


@asynccontextmanager
async def run(base: Infrastructure, settings: RankerSettings) -> AsyncIterator[None]:
    """Rank boards until the context is left; work in progress is finished first."""
    consumer = build_consumer(base.database, PostgresBoards(base.database))
    # Two at a time: one for each board.
    async with (
        base.consuming(
            RANKER_BOARDS, consumer.handle, concurrency=2, drain_seconds=settings.drain_seconds
        ),
        base.consuming(
            RANKER_RESCORES,
            build_rescore_consumer(base.database).handle,
            concurrency=1,
            drain_seconds=settings.drain_seconds,
        ),
    ):
        base.patrol("ranker_reaper", Reaper(base.database).announce_again, settings.patrol_seconds)
        rescores = RescoreReaper(base.database, settings.still_seconds)
        base.patrol("rescore_reaper", rescores.announce_again, settings.patrol_seconds)
        base.patrol("pruner", Pruner(base.database, settings).patrol, settings.prune_seconds)
        yield
