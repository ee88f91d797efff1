"""Figures about the whole system: sampled by one process at a time, shared by all.

A sample costs a few index probes and is kept in the database, so that a hundred replicas cost no
more than one, export the same values, and the status page has them too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import orjson
import structlog

from shared.messaging.bus import Bus
from shared.messaging.topology import QUEUES
from shared.runtime.errors import Misconfigured, Transient, Unavailable
from shared.runtime.metrics import EVENT_LOOP_LAG, SYSTEM, Figures
from shared.storage.database import TRANSIENT_ERRORS, Database
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "figures.sql")
_MISSED: Final = 6
"""After this many missed samples the last one is too old to be shown."""
_LAG_PROBE_SECONDS: Final = 0.25
_LAG_KEPT: Final = 120
"""Probes whose longest lag is exported: 30 s, so that scraping misses none."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FiguresSample:
    """Figures, and how many seconds ago they were true."""

    figures: Figures
    age: float

    def value(self, name: str, label: str = "") -> float | None:
        """Return one figure, None where it is not known."""
        return self.figures.get(name, {}).get(label)


@dataclass(frozen=True, slots=True)
class Sampler:
    """Takes the sample when it is due and no other process does, and exports it."""

    database: Database
    bus: Bus
    seconds: float

    async def run(self) -> None:
        """Keep the exported sample fresh until cancelled; without a database it runs out."""
        while True:
            try:
                await self.refresh()
            except (Transient, Unavailable, *TRANSIENT_ERRORS) as error:
                _log.warning("figures_not_sampled", error=str(error))
            await asyncio.sleep(self.seconds)

    async def refresh(self) -> None:
        """Take a sample if it is this process's turn, then export the newest."""
        if await self.database.pool.fetchval(_SQL["sample_claim"], self.seconds * 0.9):
            figures = await self._take()
            await self.database.pool.execute(_SQL["sample_store"], orjson.dumps(figures).decode())
        sample = await read_sample(self.database)
        SYSTEM.update(sample.figures, age=sample.age, fresh_seconds=_MISSED * self.seconds)

    async def _take(self) -> dict[str, dict[str, float]]:
        figures: dict[str, dict[str, float]] = {}
        for row in await self.database.pool.fetch(_SQL["figures"]):
            figures.setdefault(row["name"], {})[row["label"]] = row["value"]
        figures["medvid_queue_depth"] = await self._depths()
        return figures

    async def _depths(self) -> dict[str, float]:
        """Return the depth of each queue that the bus can count."""
        depths: dict[str, float] = {}
        for queue in QUEUES:
            try:
                depths[queue.name] = await self.bus.depth(queue)
            except (Unavailable, Misconfigured, *TRANSIENT_ERRORS) as error:
                _log.warning("queue_depth_unknown", queue=queue.name, error=str(error))
        return depths


async def read_sample(database: Database) -> FiguresSample:
    """Return the newest sample; its age is infinite where none was ever taken."""
    row = await database.pool.fetchrow(_SQL["sample_read"])
    assert row is not None  # noqa: S101 - the table has one row, always
    return FiguresSample(orjson.loads(row["figures"]), row["age"])


async def watch_loop_lag(
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Export by how much the event loop was late at worst, until cancelled."""
    lags = [0.0] * _LAG_KEPT
    position = 0
    while True:
        started = clock()
        await sleep(_LAG_PROBE_SECONDS)
        lags[position] = max(0.0, clock() - started - _LAG_PROBE_SECONDS)
        position = (position + 1) % _LAG_KEPT
        EVENT_LOOP_LAG.set(max(lags))
