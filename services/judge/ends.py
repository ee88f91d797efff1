"""When the provider takes the judge's model away: as settings and its list of models say.

The list is read once a day, by one replica for all; each replica repeats its own setting, and of
what they say the earliest day counts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import structlog

from medvid.judging.calls import CallFailed
from medvid.judging.ends import earlier, end_of
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
    """Keeps what providers say of the end of the judge `version`: of its first model to end.

    `judges`: each one's model, and its provider's list.
    """

    database: Database
    version: str
    ends: date | None
    """By this replica's settings."""
    judges: Sequence[tuple[str, ListModels]]

    async def say(self) -> None:
        """Repeat this replica's setting; of what all say the earliest day counts."""
        version = self.version
        async with transient_errors(), self.database.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(_SQL["ends_forget"], version, _FORGET_SECONDS)
            await connection.execute(_SQL["end_said"], version, self.ends)
            await connection.execute(_SQL["end_agreed"], version)

    async def look(self) -> None:
        """Repeat the setting; read the list of models, unless a replica did so within a day."""
        await self.say()
        if self.judges:
            await self._read()

    async def _read(self) -> None:
        pool = self.database.pool
        if not await pool.fetchval(_SQL["end_due"], self.version):
            return
        ends: list[date | None] = []
        all_listed = True
        for model, read in self.judges:
            try:
                models = await read()
            except CallFailed as failure:  # which says nothing of the others' ends
                _log.warning("judge_end_unread", model=model, detail=failure.detail)
                await pool.execute(_SQL["end_unread"], self.version)
                all_listed = False
                continue
            ends.append(end_of(models, model))
            all_listed &= not {model, f"models/{model}"}.isdisjoint(models)
            if ends[-1] is not None:
                _log.info("judge_end_read", model=model, ends=ends[-1].isoformat())
        # A model that is gone from its list keeps the end that was named.
        await pool.execute(_SQL["end_listed"], self.version, earlier(ends), all_listed)


async def model_end(database: Database, version: JudgeVersion) -> date | None:
    """Return the known end of a judge's model."""
    end: date | None = await database.pool.fetchval(_SQL["end_known"], version.hash)
    return end
