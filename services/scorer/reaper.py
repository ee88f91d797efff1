"""Finds submissions that wait while nobody knows: a queue was lost, a broker wiped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog

from services.scorer.rescore_store import PostgresRescores
from services.scorer.similarity_store import PostgresSimilarities
from shared.contracts.messages import SubmissionAccepted
from shared.messaging.ports import Bus
from shared.messaging.topology import SCORER_RESCORES, SCORER_SIMILARITIES, SCORER_SUBMISSIONS
from shared.storage.database import Database
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reaper:
    """Announces again what stands still. Any number may run: a row is announced by one of them."""

    database: Database
    bus: Bus
    still_seconds: float
    busy_seconds: float = 600
    """While the queue holds messages it most likely waits in there: it gets this much time."""

    async def announce_again(self) -> None:
        """Announce submissions that were not announced for too long, with new message ids."""
        busy = await self.bus.depth(SCORER_SUBMISSIONS) > 0
        seconds = max(self.still_seconds, self.busy_seconds) if busy else self.still_seconds
        async with self.database.transaction() as transaction:
            rows = await transaction.connection.fetch(_SQL["announce_again"], seconds)
            for row in rows:
                await transaction.emit(SubmissionAccepted(submission_id=row["id"]))
        for row in rows:
            _log.warning("submission_announced_again", submission_id=str(row["id"]))


@dataclass(frozen=True, slots=True)
class SimilarityReaper:
    """Announces again what waits for its similarities, and is in no queue."""

    similarities: PostgresSimilarities
    bus: Bus
    still_seconds: float
    busy_seconds: float = 600
    """While the queue holds messages it most likely waits in there: it gets this much time."""

    async def announce_again(self) -> None:
        """Announce what was not announced for too long, with new message ids."""
        busy = await self.bus.depth(SCORER_SIMILARITIES) > 0
        seconds = max(self.still_seconds, self.busy_seconds) if busy else self.still_seconds
        for submission_id in await self.similarities.announce_again(seconds):
            _log.warning("similarities_announced_again", submission_id=str(submission_id))


@dataclass(frozen=True, slots=True)
class RescoreReaper:
    """Announces again the entries of re-score jobs that wait for scores, and are in no queue."""

    rescores: PostgresRescores
    bus: Bus
    still_seconds: float
    busy_seconds: float = 600
    """While the queue holds messages it most likely waits in there: it gets this much time."""

    async def announce_again(self) -> None:
        """Announce what was not announced for too long, with new message ids."""
        busy = await self.bus.depth(SCORER_RESCORES) > 0
        seconds = max(self.still_seconds, self.busy_seconds) if busy else self.still_seconds
        for entry_id in await self.rescores.announce_again(seconds):
            _log.warning("rescore_announced_again", entry_id=str(entry_id))
