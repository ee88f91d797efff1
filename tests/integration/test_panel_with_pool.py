"""A judge of a panel may have a pool: its pairs are spread, the panel's value is as ever."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from medvid.judging import standin
from medvid.judging.aggregate import aggregate
from services.judge import app as judge
from services.judge.settings import JudgeSettings
from services.judge.stub.server import MODEL, Faults, Stub, running_stub, salted
from shared.messaging.local import LocalBus
from shared.messaging.relay import Relay
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.ops import Readiness
from shared.storage.database import Database
from tests.depth import some_of
from tests.judging import FEW, plan_of, reaches, request_run
from tests.providers import spent
from tests.rows import accept_submission

FIGURE = "rc_llm"


def value(salt: str) -> float:
    found = plan_of(FEW)
    score = aggregate(found, [standin.judge(pair, salt) for pair in found.texts])[FIGURE].compat
    assert score is not None
    return score


def files(folder: Path, one: str, two: str, other: str) -> JudgeSettings:
    pool = folder / "pool.toml"
    pool.write_text(
        f'[[endpoint]]\nname = "one"\nbase_url = "{one}"\nmonth_cap_usd = 100\n'
        f'[[endpoint]]\nname = "two"\nbase_url = "{two}"\n'
    )
    judges = folder / "judges.toml"
    priced = "price = { input = 2, output = 8 }\n"
    judges.write_text(
        f'[[judge]]\nprovider = "openai"\nmodel = "{MODEL}"\npool = "{pool}"\n{priced}'
        f'[[judge]]\nprovider = "openai"\nmodel = "{salted("b")}"\nbase_url = "{other}"\n{priced}'
    )
    return JudgeSettings(
        judges=judges, judge_month_cap_usd=100, judge_patrol_seconds=0.2, judge_due_seconds=0.1,
        judge_breaker_failures=2, judge_backoff_seconds=0.01,
    )  # fmt: skip


@pytest.mark.parametrize("dead", some_of((False, True), True))
async def test_a_pool_within_a_panel(database: Database, tmp_path: Path, dead: bool) -> None:
    one, two, other = Stub(), Stub(Faults(failing=1) if dead else None), Stub()
    texts = len(plan_of(FEW).texts)
    stored = await accept_submission(database, "A model", FEW)
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(running_stub(stub)) for stub in (one, two, other)]
        bus = LocalBus(database)
        stack.push_async_callback(bus.close)
        base = Infrastructure(database, bus, Readiness({}))
        stack.push_async_callback(base.close)
        base.background("relay", Relay(database, bus, poll_seconds=0.1).run)
        async with judge.run(base, files(tmp_path, *urls)):
            run_id = await request_run(database, stored.submission_id)
            run = await reaches(database, run_id, "completed", "paused", "failed")
    assert run["state"] == "completed", run["detail"]
    assert Counter((one.answered + two.answered).values()) == {1: texts}
    assert Counter(other.answered.values()) == {1: texts}
    assert (two.answered.total() == 0) is dead
    compat = await database.pool.fetchval("SELECT compat FROM scores WHERE metric = $1", FIGURE)
    assert compat == pytest.approx((value("") + value("b")) / 2)
    rows = await database.pool.fetch(
        "SELECT endpoint, sum(spent_microusd)::bigint AS spent FROM judge_costs GROUP BY 1"
    )
    paid = {row["endpoint"]: row["spent"] for row in rows}
    assert len(paid) == (2 if dead else 3)
    assert sum(paid.values()) == await spent(database)
    served = "SELECT DISTINCT judge_version FROM judge_pool_endpoints"
    member = "SELECT member_version FROM judge_members WHERE judge_version <> member_version"
    (of_pool,) = [row[0] for row in await database.pool.fetch(served)]
    assert of_pool in {row[0] for row in await database.pool.fetch(member)}
