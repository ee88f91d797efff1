"""When the provider takes the judge's model away: as settings and its list of models say.

The list is read once a day, by one replica for all; each replica repeats its own setting, and of
what they say the earliest day counts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import structlog

from medvid.judging.calls import CallFailed
from medvid.judging.ends import end_of
from medvid.judging.versions import JudgeVersion
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

LOOK_SECONDS: Final = 600.0
"""Between looks whether a day is over; what failed is tried again after an hour."""
_FORGET_SECONDS: Final = 3 * LOOK_SECONDS
"""A day that no replica repeated for so long was corrected."""
_SQL: Final = load_queries(__package__)
_log = structlog.get_logger(__name__)

ListModels = Callable[[], Awaitable[Mapping[str, date | None]]]
"""Returns the provider's models and their announced ends; raises CallFailed."""


@dataclass(frozen=True, slots=True)
class EndWatch:
    """Keeps what the provider says of the end of one judge's model."""

    database: Database
    version: JudgeVersion
    ends: date | None
    """By this replica's setting."""
    models: ListModels | None

    async def say(self) -> None:
        """Repeat this replica's setting; of what all say the earliest day counts."""
        version = self.version.hash
        async with transient_errors(), self.database.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(_SQL["ends_forget"], version, _FORGET_SECONDS)
            await connection.execute(_SQL["end_said"], version, self.ends)
            await connection.execute(_SQL["end_agreed"], version)

    async def look(self) -> None:
        """Repeat the setting; read the list of models, unless a replica did so within a day."""
        await self.say()
        if self.models is not None:
            await self._read(self.models)

    async def _read(self, list_models: ListModels) -> None:
        pool = self.database.pool
        if not await pool.fetchval(_SQL["end_due"], self.version.hash):
            return
        try:
            models = await list_models()
        except CallFailed as failure:
            _log.warning("judge_end_unread", detail=failure.detail)
            await pool.execute(_SQL["end_unread"], self.version.hash)
            return
        end = end_of(models, self.version.model)
        # A model that is gone from the list keeps the end that was named.
        is_listed = not {self.version.model, f"models/{self.version.model}"}.isdisjoint(models)
        await pool.execute(_SQL["end_listed"], self.version.hash, end, is_listed)
        if end is not None:
            _log.info("judge_end_read", model=self.version.model, ends=end.isoformat())


async def model_end(database: Database, version: JudgeVersion) -> date | None:
    """Return the known end of a judge's model."""
    end: date | None = await database.pool.fetchval(_SQL["end_known"], version.hash)
    return end
