"""The rate and the money that all judge replicas share, on a real Postgres."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from services.judge.budgets import SLICE_CALLS, Caps, Payee, SharedSpending
from services.judge.rates import BURST_SECONDS, STALE_SECONDS, RateLimits, SharedRate
from services.judge.verdict import BudgetExhausted, TryLater
from shared.runtime.metrics import JUDGE_BUDGET_RATIO
from shared.storage.database import Database

RUN = uuid4()
PAYEE = Payee("a judge", "an endpoint")


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(seconds)  # the database has a clock of its own


def replica(
    database: Database,
    *,
    requests: float | None = None,
    tokens: float | None = None,
    longest_wait: float = 5,
    clock: Clock | None = None,
) -> SharedRate:
    clock = clock or Clock()
    limits = RateLimits("account", requests, tokens)
    return SharedRate(database, limits, longest_wait, clock=clock, sleep=clock.sleep)


async def bucket(database: Database) -> tuple[float, float]:
    row = await database.pool.fetchrow("SELECT requests, tokens FROM judge_rate_buckets")
    assert row is not None
    return row["requests"], row["tokens"]


# ------------------------------------------------------------------ rate


async def test_replicas_share_one_rate(database: Database) -> None:
    clock = Clock()
    replicas = [replica(database, requests=120, clock=clock) for _ in range(3)]
    capacity = 2 * BURST_SECONDS
    started = time.monotonic()
    for number in range(int(capacity) + 4):
        await replicas[number % 3].admit(1)
    # The burst is saved up; what goes beyond it comes at the rate, whoever asks.
    assert time.monotonic() - started >= 4 / 2 * 0.5
    assert clock.slept


async def test_who_would_wait_too_long_goes_back_without_losing_a_try(database: Database) -> None:
    gate = replica(database, requests=6, longest_wait=1)
    await gate.admit(1)
    with pytest.raises(TryLater) as caught:
        await gate.admit(1)
    assert caught.value.seconds == pytest.approx(10, abs=0.5)
    assert not caught.value.counts


async def test_what_is_left_goes_back_at_the_end(database: Database) -> None:
    gate = replica(database, requests=600, tokens=60_000)
    await gate.admit(100)
    requests, _ = await bucket(database)
    assert requests == pytest.approx(90, abs=1)  # a slice of ten is out
    await gate.close()
    requests, tokens = await bucket(database)
    assert requests == pytest.approx(99, abs=1)
    assert tokens == pytest.approx(9_900, abs=60)
    await gate.close()
    assert (await bucket(database))[0] == requests


async def test_a_stale_slice_goes_back_before_the_next_is_taken(database: Database) -> None:
    clock = Clock()
    gate = replica(database, requests=600, clock=clock)
    await gate.admit(1)
    clock.now += STALE_SECONDS
    await gate.admit(1)
    requests, _ = await bucket(database)
    assert requests == pytest.approx(100 - 1 - 10, abs=1)


async def test_an_estimate_is_corrected_by_what_was_used(database: Database) -> None:
    gate = replica(database, tokens=6_000)
    await gate.admit(100)
    gate.settle(100, 400)
    await gate.close()
    assert (await bucket(database))[1] == pytest.approx(600, abs=20)


async def test_a_call_larger_than_the_bucket_passes_when_it_is_full(database: Database) -> None:
    gate = replica(database, tokens=600)
    await gate.admit(1_000)
    await gate.close()
    assert (await bucket(database))[1] == pytest.approx(-900, abs=5)
    with pytest.raises(TryLater):
        await replica(database, tokens=600, longest_wait=1).admit(1_000)


async def test_a_call_costs_well_under_a_millisecond(database: Database) -> None:
    gate = replica(database, requests=60_000, tokens=60_000_000)
    started = time.process_time()  # of which a round trip to the database takes more than this
    for _ in range(2_000):
        await gate.admit(1_000)
    assert (time.process_time() - started) / 2_000 < 0.000_1


# ------------------------------------------------------------------ money


def purse(
    database: Database, *, run: int | None = None, month: int | None = None, lease: float = 60
) -> SharedSpending:
    return SharedSpending(database, Caps(run, month), lease, PAYEE)


async def spent(database: Database, scope: str) -> int:
    found = await database.pool.fetchval(
        "SELECT sum(spent_microusd) FROM judge_spending WHERE scope LIKE $1", f"{scope}:%"
    )
    return int(found or 0)


async def leases(database: Database) -> int:
    return int(await database.pool.fetchval("SELECT count(*) FROM judge_spending_leases"))


async def call(money: SharedSpending, cost: int, *, reserved: int = 100, run: UUID = RUN) -> None:
    await money.reserve(run, reserved)
    await asyncio.sleep(0)
    money.settle(run, reserved, cost)


async def test_what_calls_cost_is_settled_to_the_last_millionth(database: Database) -> None:
    replicas = [purse(database, month=10**9) for _ in range(3)]
    runs = [uuid4(), uuid4()]
    costs = [number * 37 % 131 for number in range(400)]
    await asyncio.gather(
        *(
            call(replicas[number % 3], cost, run=runs[number % 2])
            for number, cost in enumerate(costs)
        )
    )
    for money in replicas:
        await money.close()
    assert await spent(database, "month") == await spent(database, "run") == sum(costs)
    assert await leases(database) == 0


async def test_a_run_cannot_spend_more_than_its_cap(database: Database) -> None:
    money = purse(database, run=1_050)
    for _ in range(10):
        await call(money, 100)
    with pytest.raises(BudgetExhausted) as caught:
        await call(money, 100)
    assert caught.value.scope == "run"
    await call(money, 100, run=uuid4())
    await money.close()
    assert await spent(database, "month") == 1_100


async def test_many_replicas_together_stay_under_the_months_cap(database: Database) -> None:
    replicas = [purse(database, month=20_000) for _ in range(4)]
    refused: set[str] = set()

    async def work(money: SharedSpending) -> None:
        run = uuid4()
        while True:
            try:
                await call(money, 90, run=run)
            except BudgetExhausted as error:
                refused.add(error.scope)
                return
            except TryLater:
                await money.close()

    await asyncio.gather(*(work(money) for money in replicas))
    for money in replicas:
        await money.close()
    assert refused == {"month"}
    # Nobody stops while a call of 100 fits.
    assert 20_000 - 100 < await spent(database, "month") <= 20_000
    assert await replicas[0].month_left() == 20_000 - await spent(database, "month")


async def test_what_others_hold_is_worth_waiting_for(database: Database) -> None:
    first, second = purse(database, run=1_000), purse(database, run=1_000)
    await first.reserve(RUN, 900)
    with pytest.raises(TryLater) as caught:
        await second.reserve(RUN, 200)
    assert not caught.value.counts
    first.settle(RUN, 900, 50)
    await first.close()
    await second.reserve(RUN, 200)


async def test_a_killed_replicas_lease_runs_out(database: Database) -> None:
    killed = purse(database, run=1_000, lease=0.3)
    await killed.reserve(RUN, 900)
    other = purse(database, run=1_000)
    with pytest.raises(TryLater):
        await other.reserve(RUN, 900)
    await asyncio.sleep(0.35)
    await other.reserve(RUN, 900)


async def test_money_is_taken_for_many_calls_at_once(database: Database) -> None:
    money = purse(database, run=10**6)
    for _ in range(SLICE_CALLS):
        await call(money, 100)
    assert await spent(database, "run") == 0
    await call(money, 100)
    assert await spent(database, "run") == SLICE_CALLS * 100


async def test_an_idle_lease_is_given_back_and_the_next_call_takes_a_new_one(
    database: Database,
) -> None:
    money = purse(database, run=10**6)
    await call(money, 100)
    await money.settle_all(idle_before=0)
    assert (await spent(database, "run"), await leases(database)) == (100, 1)
    await money.settle_all(idle_before=money.clock())
    assert await leases(database) == 0
    await call(money, 100)
    assert await leases(database) == 1


async def test_settling_while_calls_end_loses_nothing(database: Database) -> None:
    money = purse(database, run=10**7)
    stop = asyncio.Event()

    async def settle() -> None:
        while not stop.is_set():
            await money.settle_all(idle_before=money.clock())
            await asyncio.sleep(0)

    settling = asyncio.create_task(settle())
    await asyncio.gather(*(call(money, number % 100) for number in range(300)))
    stop.set()
    await settling
    await money.close()
    assert await spent(database, "run") == sum(number % 100 for number in range(300))
    assert await leases(database) == 0


async def test_thresholds_are_told_once_by_all_replicas_together(database: Database) -> None:
    replicas = [purse(database, month=10_000) for _ in range(2)]
    with capture_logs() as logs:
        for cost in (6_900, 100, 100, 1_900, 900, 100):
            for money in replicas:
                await money.reserve(RUN, 1)
                money.settle(RUN, 1, cost // 2)
                await money.settle_all(idle_before=0)
    warned = [log["percent"] for log in logs if log["event"] == "judge_budget_reached"]
    assert warned == [70, 90, 100]


async def test_the_share_that_is_told_follows_the_month_and_the_others(database: Database) -> None:
    """An idle replica must not call for a month that is over, nor hide what the others spend."""
    clock = Clock()
    idle, busy = (
        SharedSpending(database, Caps(month=100), 60, PAYEE, clock=clock) for _ in range(2)
    )

    async def told() -> float:
        clock.now += 31
        await idle.show()
        return float(JUDGE_BUDGET_RATIO.labels("month")._value.get())  # noqa: SLF001 - as exported

    assert await told() == 0
    await busy.reserve(RUN, 1)
    busy.settle(RUN, 1, 95)
    await busy.settle_all(idle_before=clock())
    JUDGE_BUDGET_RATIO.labels("month").set(0)  # as in another process
    assert await told() == 0.95
    await database.pool.execute(
        "UPDATE judge_spending SET scope = 'month:2020-01' WHERE scope LIKE 'month:%'"
    )
    assert await told() == 0


async def test_without_a_cap_the_spending_is_still_known(database: Database) -> None:
    money = purse(database)
    await call(money, 123)
    assert await money.month_left() is None
    await money.close()
    assert await spent(database, "month") == 123
