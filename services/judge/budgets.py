"""The money that all replicas share: caps per run and per month, kept in Postgres.

A replica sets money aside for some calls at once (a lease) and settles what they cost: when the
lease is used up, every few seconds, and at shutdown. A lease counts as spent until it expires. A
killed replica leaves at most one lease per run unsettled: for so long too much counts as spent,
then what its last calls cost, under `SLICE_CALLS` of them, is not counted. The cost of each
verdict is stored with the verdict. Batches at the provider have leases of their own
(`batch_money`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn, Protocol
from uuid import UUID, uuid4

import structlog

from medvid.judging.pricing import (
    MICROUSD,
    WARN_PERCENTS,
    Budget,
    Grant,
    grant,
    percent_reached,
)
from services.judge.verdict import BudgetExhausted, TryLater
from shared.runtime.errors import Transient
from shared.runtime.metrics import JUDGE_BUDGET_RATIO, JUDGE_BUDGET_WARNINGS, JUDGE_SPENT
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries("services.judge", "budgets.sql")
_log = structlog.get_logger(__name__)

SLICE_CALLS: Final = 32
SETTLE_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 5.0
"""A lease that was not used for so long is given back."""
OF_ENDPOINT: Final = "endpoint"
"""The scope of a budget that is one endpoint's."""
_RETRY_SECONDS: Final = 5.0
_SHOW_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Caps:
    """Caps in millionths of a dollar; None for no cap."""

    run: int | None = None
    month: int | None = None
    endpoint: int | None = None
    """Of a month, at the payee's endpoint alone."""

    def budgets(self, month: int, month_held: int, run: int, run_held: int) -> list[Budget]:
        """Return those of month and run that have a cap, by what is spent and held of each."""
        budgets = (
            ("month", self.month, month, month_held),
            ("run", self.run, run, run_held),
        )
        return [
            Budget(scope, cap, spent, held)
            for scope, cap, spent, held in budgets
            if cap is not None
        ]


@dataclass(frozen=True, slots=True)
class Payee:
    """What the money is spent on: a judge version, and the endpoint that is paid, by its name."""

    judge_version: str
    endpoint: str


class Spending(Protocol):
    """The money that calls cost, in millionths of a US dollar."""

    async def reserve(self, run_id: UUID, microusd: int) -> None:
        """Set money aside before a call; raises BudgetExhausted, or TryLater near the cap."""

    def settle(self, run_id: UUID, reserved: int, spent: int) -> None:
        """Turn a reservation into what the call cost."""


class Unmetered:
    """The spending of a judge that costs nothing."""

    async def reserve(self, run_id: UUID, microusd: int) -> None:
        """Nothing to set aside."""

    def settle(self, run_id: UUID, reserved: int, spent: int) -> None:
        """Nothing to settle."""

    async def month_left(self) -> int | None:
        """No cap."""
        return None

    async def endpoint_left(self) -> int | None:
        """No cap."""
        return None


@dataclass(slots=True)
class BudgetWarnings:
    """Warns, once for all replicas, when a cap comes near or leaves no room for a call."""

    database: Database
    _warned: dict[str, int] = field(default_factory=dict, init=False)
    """Remembered here too, so that the database is asked once per threshold."""

    async def warn(self, budget: tuple[str, str, int, int | None], granted: Grant) -> None:
        """Warn of a budget (its kind, its scope, what is spent, its cap) where there is reason."""
        kind, scope, spent, cap = budget
        if cap and kind == "month":
            JUDGE_BUDGET_RATIO.labels(kind).set(spent / cap)
        is_spent = granted.is_final and granted.scope == kind
        percent = WARN_PERCENTS[-1] if is_spent else percent_reached(spent, cap)
        if percent <= self._warned.get(scope, 0):
            return
        async with transient_errors():
            status = await self.database.pool.execute(_SQL["warn"], scope, percent)
        self._warned[scope] = percent
        if status == "UPDATE 1":
            JUDGE_BUDGET_WARNINGS.labels(kind, str(percent)).inc()
            _log.warning("judge_budget_reached", scope=scope, percent=percent)


@dataclass(slots=True)
class _Lease:
    """Money of one run in the hands of this replica."""

    id: UUID = field(default_factory=uuid4)
    free: int = 0
    open: int = 0
    """Reserved by calls under way."""
    unsettled: int = 0
    used_at: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class SharedSpending:
    """This replica's part in the spending. `lease_seconds` must exceed the longest call.

    `payee` is written down with what was spent.
    """

    database: Database
    caps: Caps
    lease_seconds: float
    payee: Payee
    clock: Callable[[], float] = time.monotonic
    _leases: dict[UUID, _Lease] = field(default_factory=dict, init=False)
    _warnings: BudgetWarnings = field(init=False)
    _show_at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._warnings = BudgetWarnings(self.database)

    async def reserve(self, run_id: UUID, microusd: int) -> None:
        """Set money aside; raises BudgetExhausted, or TryLater while others hold the rest."""
        while True:
            lease = self._leases.setdefault(run_id, _Lease())
            async with lease.turn:
                if self._leases.get(run_id) is not lease:
                    continue  # given back while we waited for our turn
                if lease.free < microusd:
                    await self._exchange(run_id, lease, needed=microusd, release=False)
                lease.free -= microusd
                lease.open += microusd
                lease.used_at = self.clock()
                return

    def settle(self, run_id: UUID, reserved: int, spent: int) -> None:
        """Turn a reservation into what the call cost."""
        lease = self._leases.setdefault(run_id, _Lease())
        lease.open -= reserved
        # What a call did not cost is free for the next; what it cost more comes out of that.
        lease.free = max(0, lease.free + reserved - spent)
        lease.unsettled += spent
        lease.used_at = self.clock()
        JUDGE_SPENT.inc(spent / MICROUSD)

    async def month_left(self) -> int | None:
        """Return what the month's cap leaves, None without one."""
        if self.caps.month is None:
            return None
        async with transient_errors():
            spent = await self.database.pool.fetchval(_SQL["spent_this_month"])
        return max(0, self.caps.month - int(spent))

    async def endpoint_left(self) -> int | None:
        """Return what the endpoint's own cap leaves this month, None without one."""
        if self.caps.endpoint is None:
            return None
        async with transient_errors():
            spent = await self.database.pool.fetchval(_SQL["endpoint_spent"], self.payee.endpoint)
        return max(0, self.caps.endpoint - int(spent))

    async def run(self) -> None:
        """Settle every few seconds and export what is spent, until cancelled."""
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            try:
                await self.settle_all(idle_before=self.clock() - IDLE_SECONDS)
                await self.show()
            except Transient as error:
                _log.warning("judge_spending_not_settled", error=str(error))

    async def settle_all(self, *, idle_before: float) -> None:
        """Write down what was spent; give back the leases that were last used before then."""
        for run_id, lease in list(self._leases.items()):
            async with lease.turn:
                idle = lease.used_at <= idle_before and not lease.open
                if lease.unsettled or idle:
                    await self._exchange(run_id, lease, needed=0, release=idle)
                if idle and self._leases.get(run_id) is lease:
                    del self._leases[run_id]

    async def show(self) -> None:
        """Keep the figure right while others spend, and when another month begins."""
        if not self.caps.month or self.clock() < self._show_at:
            return
        async with transient_errors():
            spent = await self.database.pool.fetchval(_SQL["settled_this_month"])
        JUDGE_BUDGET_RATIO.labels("month").set(int(spent) / self.caps.month)
        self._show_at = self.clock() + _SHOW_SECONDS

    async def close(self) -> None:
        """Settle everything and give back what is left; where that fails, leases run out."""
        try:
            await self.settle_all(idle_before=self.clock())
        except Transient as error:
            _log.warning("judge_spending_not_settled", error=str(error))

    async def _exchange(self, run_id: UUID, lease: _Lease, *, needed: int, release: bool) -> None:
        """Settle the lease; then fill it up for `needed`, or keep it, or release it."""
        spent, before, open_ = lease.unsettled, lease.free, lease.open
        async with transient_errors(), self.database.transaction() as transaction:
            connection = transaction.connection
            rows = await connection.fetch(_SQL["charge"], run_id, spent)
            if spent:
                payee = (self.payee.judge_version, self.payee.endpoint)
                await connection.execute(_SQL["cost_add"], run_id, *payee, spent)
            month, run = (int(row["spent_microusd"]) for row in rows)
            scopes = [row["scope"] for row in rows]
            endpoint = self.payee.endpoint
            held = await connection.fetchrow(_SQL["held_by_others"], lease.id, *scopes, endpoint)
            assert held is not None  # noqa: S101 - an aggregate
            budgets = self.caps.budgets(month, held["month"] + open_, run, held["run"] + open_)
            if self.caps.endpoint is not None:
                paid = await connection.fetchval(_SQL["endpoint_spent"], endpoint)
                others = held["endpoint"] + open_
                budgets.append(Budget(OF_ENDPOINT, self.caps.endpoint, paid, others))
            granted = grant(needed * SLICE_CALLS, needed, budgets)
            free = granted.amount if needed else (0 if release else before)
            if open_ + free:
                seconds = self.lease_seconds
                hold = (*scopes, endpoint, open_ + free, seconds)
                await connection.execute(_SQL["hold"], lease.id, *hold)
            else:
                await connection.execute(_SQL["release"], lease.id)
        # Calls that ended in between moved money too: only the difference is applied.
        lease.unsettled -= spent
        lease.free = max(0, lease.free + free - before)
        await self._warnings.warn(("month", scopes[0], month, self.caps.month), granted)
        await self._warnings.warn(("run", scopes[1], run, self.caps.run), granted)
        if needed and not granted.amount:
            _refuse(granted)


def _refuse(refused: Grant) -> NoReturn:
    if refused.is_final:
        whose = {"run": "this run", "month": "this month", OF_ENDPOINT: "this endpoint"}
        reason = f"the judge's budget of {whose[refused.scope]} is spent"
        raise BudgetExhausted(refused.scope, reason)
    reason = "other calls hold the rest of the judge's budget"
    raise TryLater(_RETRY_SECONDS, reason, counts=False)
