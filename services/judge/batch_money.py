"""The money of batches at the provider, within the transactions that plan and settle them.

A batch has a lease without an end. What its lines cost is charged out of it in the transactions
that settle them, so a replica that dies loses nothing of it. Also where the judge's price is not
set any more: a batch keeps the price at which it was planned.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from medvid.judging.pricing import MICROUSD, Grant, grant
from services.judge.budgets import BudgetWarnings, Caps
from services.judge.provider_batches import HeldBatch
from shared.runtime.metrics import JUDGE_SPENT
from shared.storage.database import Connection, Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "budgets.sql")


@dataclass(slots=True)
class BatchMoney:
    """Sets money aside for batches, whose ids are the leases', and counts what they cost.

    Each method locks the month for everyone: they come last in a transaction.
    """

    database: Database
    caps: Caps
    _warnings: BudgetWarnings = field(init=False)

    def __post_init__(self) -> None:
        self._warnings = BudgetWarnings(self.database)

    async def room(
        self, connection: Connection, batch_id: UUID, run_id: UUID, needed: int, wanted: int
    ) -> Grant:
        """Return how much may be set aside for a batch: at least `needed`, or nothing."""
        rows = await connection.fetch(_SQL["charge"], run_id, 0)
        month, run = (int(row["spent_microusd"]) for row in rows)
        scopes = [row["scope"] for row in rows]
        held = await connection.fetchrow(_SQL["held_by_others"], batch_id, *scopes, None)
        assert held is not None  # noqa: S101 - an aggregate
        return grant(wanted, needed, self.caps.budgets(month, held["month"], run, held["run"]))

    async def hold(
        self, connection: Connection, batch_id: UUID, run_id: UUID, microusd: int
    ) -> None:
        """Set money aside for a batch until it is given back; the caller has asked for room."""
        await connection.execute(_SQL["hold_for_batch"], batch_id, run_id, microusd)

    async def charge(self, connection: Connection, batch: HeldBatch, spent: int) -> None:
        """Count what lines of a batch cost, out of what is set aside for it."""
        if spent:
            payee = (batch.judge_version, batch.endpoint)
            await connection.execute(_SQL["charge"], batch.run_id, spent)
            await connection.execute(_SQL["cost_add"], batch.run_id, *payee, spent)
            await connection.execute(_SQL["spend_of_batch"], batch.id, spent)
            JUDGE_SPENT.inc(spent / MICROUSD)

    async def give_back(self, connection: Connection, batch_id: UUID) -> None:
        """Set nothing aside for a batch any more."""
        await connection.execute(_SQL["release"], batch_id)

    async def warn(self, run_id: UUID) -> None:
        """Warn where caps come near; outside of any transaction."""
        async with transient_errors():
            rows = await self.database.pool.fetch(_SQL["charged"], run_id)
        for row in rows:
            kind = "month" if row["scope"].startswith("month") else "run"
            cap = self.caps.month if kind == "month" else self.caps.run
            await self._warnings.warn(
                (kind, row["scope"], int(row["spent_microusd"]), cap), Grant(0)
            )
