"""The gateway's SQL about wrong keys: what all gateways were sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "guesses.sql")


@dataclass(frozen=True, slots=True)
class PostgresGuesses:
    """Implements SharedGuesses."""

    database: Database

    async def wait(self, shares: Sequence[tuple[str, int]], seconds: float) -> float:
        """Return in how many seconds all of the accounts may try again; 0 for now."""
        names, limits = [name for name, _ in shares], [most for _, most in shares]
        async with transient_errors():
            found = await self.database.pool.fetchval(_SQL["guesses_wait"], names, limits, seconds)
        return float(found or 0)

    async def add(self, names: Sequence[str]) -> None:
        """Count a wrong key."""
        async with transient_errors():
            await self.database.pool.execute(_SQL["guesses_add"], list(names))

    async def forget_old(self) -> None:
        """Remove what nobody looks at any more."""
        async with transient_errors():
            await self.database.pool.execute(_SQL["guesses_forget"])
