"""A pool as replicas open it: drained without a restart, paid by name, of one model alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from medvid.benchmark.tasks import Task
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.admin.costs import Costs, CostsQuery
from services.gateway.admin.pool import JudgePool
from services.judge.budgets import SLICE_CALLS, Caps, Payee, SharedSpending
from services.judge.open_judge import open_judge
from services.judge.pool import PoolGrader
from services.judge.settings import JudgeSettings
from services.judge.verdict import BudgetExhausted, Pair, ProviderDown
from shared.messaging.local import LocalBus
from shared.runtime.errors import NotFound
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.ops import Readiness
from shared.storage.database import Database
from tests.patience import HANG_SECONDS
from tests.providers import MODEL, SCORES, Provider, Reply, completion, serving

RUN = uuid4()
ACTION = AdminAction.of("administrator", "new keys", "req-1")


def pool_file(folder: Path, **providers: Provider) -> Path:
    file = folder / "pool.toml"
    file.write_text(
        "".join(
            f'[[endpoint]]\nname = "{name}"\nbase_url = "{each.url}"\n'
            for name, each in providers.items()
        )
    )
    return file


@asynccontextmanager
async def replicas(
    database: Database, file: Path, count: int = 1
) -> AsyncIterator[list[PoolGrader]]:
    """Open the judge as so many replicas do."""
    settings = JudgeSettings.model_validate(
        {
            "judge_provider": "openai",
            "judge_model": MODEL,
            "judge_pool": file,
            "judge_prices": {MODEL: {"input": 2, "output": 8}},
            "judge_breaker_failures": 3,
        }
    )
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(count):
            bus = LocalBus(database)
            stack.push_async_callback(bus.close)
            base = Infrastructure(database, bus, Readiness({}))
            judge = await stack.enter_async_context(open_judge(base, settings))
            stack.push_async_callback(base.close)
            assert judge is not None
            assert isinstance(judge.grader, PoolGrader)
            opened.append(judge.grader)
        yield opened


async def ask(pool: PoolGrader, number: int = 0) -> None:
    verdict = await pool.judge(Pair(f"p{number}", "r", Task.VIDEO_SUMMARY), 0, run_id=RUN)
    assert verdict.scores


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while not true():
            await asyncio.sleep(0.02)


async def test_every_replica_follows_a_drain_and_what_was_paid_adds_up(
    database: Database, tmp_path: Path
) -> None:
    async with serving() as east, serving() as west:
        file = pool_file(tmp_path, east=east, west=west)
        async with replicas(database, file, 2) as pools:
            for pool in pools:
                await asyncio.gather(*(ask(pool, number) for number in range(6)))
            assert east.calls > 0 < west.calls
            admin = JudgePool(database)
            assert await admin.drain("east", ACTION)
            assert not await admin.drain("east", ACTION)
            await until(lambda: all(pool.endpoints[0].out for pool in pools))
            calls = east.calls
            for pool in pools:
                await asyncio.gather(*(ask(pool, number) for number in range(6)))
            assert east.calls == calls
            (drained, _) = await admin.endpoints()
            assert (drained.state, drained.why) == ("drained", "new keys")
        async with replicas(database, file) as (anew,):
            assert anew.endpoints[0].out == "drained: new keys", "before its first call"
            assert await admin.restore("east", ACTION)
            await until(lambda: not anew.endpoints[0].out)
            await asyncio.gather(*(ask(anew, number) for number in range(6)))
            assert east.calls > calls
    with pytest.raises(NotFound):
        await admin.drain("north", ACTION)
    lines = (await Costs(database).page(CostsQuery(by="endpoint"))).lines
    paid = {line.name: round(line.spent_usd * 1_000_000) for line in lines}
    a_call = 2 * 900 + 8 * 25
    assert paid == {"east": east.calls * a_call, "west": west.calls * a_call}
    scopes = "SELECT sum(spent_microusd) FROM judge_spending WHERE scope LIKE $1"
    for scope in ("run:%", "month:%"):
        assert await database.pool.fetchval(scopes, scope) == sum(paid.values())
    audit = await database.pool.fetch("SELECT action, subject FROM audit_log ORDER BY id")
    assert [tuple(row) for row in audit] == [
        ("drain_endpoint", "east"),
        ("restore_endpoint", "east"),
    ]


async def test_another_model_in_the_list_or_in_an_answer_takes_an_endpoint_out(
    database: Database, tmp_path: Path
) -> None:
    async with serving() as listed, serving() as answered, serving() as right:
        listed.models = Reply({"object": "list", "data": [{"id": "model-2", "object": "model"}]})
        answered.reply = Reply(completion(json.dumps(SCORES), model="model-2"))
        file = pool_file(tmp_path, listed=listed, answered=answered, right=right)
        async with replicas(database, file) as (pool,):
            await asyncio.gather(*(ask(pool, number) for number in range(9)))
            assert listed.calls == 0
            assert right.calls >= 8
        async with replicas(database, file) as (another,):
            assert [bool(each.out) for each in another.endpoints] == [True, True, False]
        found = {each.name: each for each in await JudgePool(database).endpoints()}
        assert found["listed"].why == f"its list of models has no {MODEL}, but model-2"
        assert "the answer is of the model" in (found["answered"].why or "")
        # Another judge's model says nothing of this one's.
        await database.pool.execute("UPDATE judge_pool_endpoints SET judge_version = 'before'")
        async with replicas(database, file) as (another,):
            await asyncio.gather(*(ask(another, number) for number in range(3)))
            assert not another.endpoints[2].out


async def test_all_drained_waits_and_one_that_died_loses_no_pair(
    database: Database, tmp_path: Path
) -> None:
    async with serving() as lives:
        async with serving() as dies:
            pass  # nobody listens there any more
        file = pool_file(tmp_path, dies=dies, lives=lives)
        async with replicas(database, file) as (pool,):
            await asyncio.gather(*(ask(pool, number) for number in range(30)))
            assert lives.calls == 30
            for each in pool.endpoints:
                each.out = "drained: x"
            with pytest.raises(ProviderDown) as caught:
                await ask(pool)
            assert "dies: drained: x" in caught.value.detail
            assert not await pool.is_up()


async def test_an_endpoints_own_cap_holds_for_all_replicas_and_stops_nobody_else(
    database: Database,
) -> None:
    cap = 40 * 100

    def purse(name: str) -> SharedSpending:
        return SharedSpending(database, Caps(month=10**9, endpoint=cap), 60, Payee("a judge", name))

    async def pay(money: SharedSpending) -> None:
        await money.reserve(RUN, 100)
        money.settle(RUN, 100, 100)

    first, second, other = purse("east"), purse("east"), purse("west")
    for _ in range(SLICE_CALLS):
        await pay(first)
    await first.close()
    for _ in range(8):
        await pay(second)
    with pytest.raises(BudgetExhausted) as caught:
        await pay(second)
    assert caught.value.scope == "endpoint"
    await pay(other)
    for money in (second, other):
        await money.close()
    assert (await first.endpoint_left(), await other.endpoint_left()) == (0, cap - 100)
    assert await first.month_left() == 10**9 - 41 * 100
