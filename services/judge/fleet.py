"""The replicas that judge now, and what bounds them: announced, so that work is cut for all.

What bounds them stays when they are gone: it tells how many are of use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

import structlog

from services.judge.members import members_of
from services.judge.pool_file import pool_of
from services.judge.settings import JudgeSettings
from shared.storage.database import TRANSIENT_ERRORS, Database, transient_errors
from shared.storage.queries import load_queries

ANNOUNCE_SECONDS: Final = 2.0
ALIVE_SECONDS: Final = 10.0
"""A replica that did not announce itself for so long counts no more."""
_SQL: Final = load_queries(__package__, "fleet.sql")
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Fleet:
    """What this replica knows of all: how many there are, and how many batches they take."""

    id: UUID = field(default_factory=uuid4)
    replicas: int = 1
    batches: int = 0

    async def announce(self, database: Database, batches: int) -> None:
        """Say how many batches this replica takes at a time, and learn it of the others."""
        async with transient_errors():
            row = await database.pool.fetchrow(
                _SQL["replica_announce"], self.id, batches, ALIVE_SECONDS
            )
        assert row is not None  # noqa: S101 - an aggregate
        self.replicas, self.batches = row["replicas"], row["batches"]

    async def leave(self, database: Database) -> None:
        """Take back the announcement; where that fails it runs out."""
        try:
            await database.pool.execute(_SQL["replica_leave"], self.id)
        except TRANSIENT_ERRORS as error:
            _log.warning("judge_replica_not_taken_back", error=str(error))


async def announce_limits(database: Database, settings: JudgeSettings) -> None:
    """Store the month's cap, and the rates of all accounts together that judges may use."""
    accounts = [
        account
        for member in members_of(settings).judges
        for account in [each.settings for each in pool_of(member.settings)] or [member.settings]
    ]
    requests = [each.judge_requests_per_minute for each in accounts]
    tokens = [each.judge_tokens_per_minute for each in accounts]
    async with transient_errors():
        await database.pool.execute(
            _SQL["limits_set"], settings.month_cap, _together(requests), _together(tokens)
        )


def _together(limits: Sequence[float | None]) -> float | None:
    """Return the sum of limits, None where one account has none."""
    known = [each for each in limits if each is not None]
    return sum(known) if len(known) == len(limits) else None
