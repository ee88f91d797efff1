"""Reads once a day when the provider takes the judge's model away; one replica for all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import structlog

from medvid.judging.calls import CallFailed
from medvid.judging.ends import end_of
from medvid.judging.versions import JudgeVersion
from shared.storage.database import Database
from shared.storage.queries import load_queries

LOOK_SECONDS: Final = 600.0
"""Between looks whether a day is over; what failed is tried again after an hour."""
_SQL: Final = load_queries(__package__)
_log = structlog.get_logger(__name__)

ListModels = Callable[[], Awaitable[Mapping[str, date | None]]]
"""Returns the provider's models and their announced ends; raises CallFailed."""


@dataclass(frozen=True, slots=True)
class EndWatch:
    """Keeps what the provider says of the end of one judge's model."""

    database: Database
    version: JudgeVersion
    models: ListModels

    async def look(self) -> None:
        """Read the list of models, unless a replica did so within a day."""
        pool = self.database.pool
        if not await pool.fetchval(_SQL["end_due"], self.version.hash):
            return
        try:
            models = await self.models()
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
