"""What judging cost is told to the millionth of a dollar, by whatever it is summed."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import get_args
from uuid import UUID, uuid4

import pytest
from aiohttp import web

from medvid.models.administration import CostsBy, CostsPage
from services.gateway.admin.costs import Costs, CostsQuery, costs_csv
from services.judge.budgets import Caps, Payee, SharedSpending
from shared.storage.database import Database
from tests.judging import FEW, judging, reaches, replica, request_run, resume_run, run_row
from tests.providers import MODEL, Provider, calling, completion, serving, version
from tests.rows import accept_submission

BY: tuple[CostsBy, ...] = get_args(CostsBy)
PAYEE = Payee("a judge", "an endpoint")


@dataclass
class Unreliable(Provider):
    """Of seven calls it hangs up on one, is busy, says nonsense, and tells no use."""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        turn = self.calls % 7
        if turn < 3:
            self.calls += 1
        if turn == 0:
            assert request.transport is not None
            request.transport.abort()  # whether it would have been billed nobody knows
        if turn == 1:
            return web.json_response({"error": {"message": "busy"}}, status=503)
        if turn == 2:
            return web.json_response(completion("no verdict"))
        if turn == 3:
            self.calls += 1
            return web.json_response(completion("no verdict", usage=None))
        return await super().chat(request)


@pytest.fixture
def costs(database: Database) -> Costs:
    return Costs(database)


async def judged(database: Database, name: str, url: str) -> UUID:
    stored = await accept_submission(database, name, payload=FEW)
    async with calling(database, url) as grader, judging(database, [replica(database, grader)]):
        run_id = await request_run(database, stored.submission_id)
        run = await reaches(database, run_id, "paused", "completed", "failed")
        while run["state"] == "paused":
            await resume_run(database, run_id)
            run = await reaches(database, run_id, "paused", "completed", "failed")
    assert run["state"] == "completed", run["detail"]
    return run_id


async def charge(money: SharedSpending, *costs: int) -> UUID:
    run = uuid4()
    for cost in costs:
        await money.reserve(run, 100)
        money.settle(run, 100, cost)
    await money.close()
    return run


def microusd(usd: float | None) -> int:
    assert usd is not None
    return round(usd * 1_000_000)


async def sums(costs: Costs) -> list[tuple[int, int]]:
    """What each table of lines says of all, and what its lines add up to."""
    pages = [await costs.page(CostsQuery(by=by)) for by in BY]
    return [
        (microusd(page.spent_usd), sum(microusd(line.spent_usd) for line in page.lines))
        for page in pages
    ]


async def counted(database: Database, scope: str) -> int:
    """What the caps count."""
    query = "SELECT sum(spent_microusd) FROM judge_spending WHERE scope LIKE $1"
    return int(await database.pool.fetchval(query, f"{scope}:%"))


async def test_every_sum_is_what_the_caps_count(database: Database, costs: Costs) -> None:
    """Of calls that fail, hang up, say nonsense or tell no use, and of verdicts that are known."""
    async with serving(provider=Unreliable()) as provider, serving() as reliable:
        first = await judged(database, "first", provider.url)
        second = await judged(database, "second", reliable.url)
    total = await counted(database, "run")
    assert total == await counted(database, "month") > 0
    assert await sums(costs) == [(total, total)] * len(BY)
    by_run = await costs.page(CostsQuery(by="run"))
    unscored = (await run_row(database, first))["items_unscored"]
    assert reliable.calls == unscored, "all other verdicts are known"
    paid, known = ({line.name: line for line in by_run.lines}[str(run)] for run in (first, second))
    assert microusd(known.spent_usd) == unscored * (2 * 900 + 8 * 25)
    assert microusd(paid.spent_usd) == total - microusd(known.spent_usd)
    assert microusd(paid.estimated_usd) > microusd(known.estimated_usd)
    (judge,) = (await costs.page(CostsQuery(by="judge"))).lines
    assert (judge.name, judge.model, judge.runs) == (version(MODEL).hash, MODEL, 2)
    endpoints = {line.name for line in (await costs.page(CostsQuery(by="endpoint"))).lines}
    assert endpoints >= {provider.url.removeprefix("http://")}
    assert (await costs.page(CostsQuery())).set_aside_usd == 0


async def test_what_replicas_of_the_version_before_charged_counts_too(
    database: Database, costs: Costs
) -> None:
    money = SharedSpending(database, Caps(), 60, PAYEE)
    run = await charge(money, 70, 30)
    await database.pool.execute(
        "UPDATE judge_spending SET spent_microusd = spent_microusd + 11"
        " WHERE scope = 'run:' || $1::uuid OR scope LIKE 'month:%'",
        run,
    )
    assert await sums(costs) == [(111, 111)] * len(BY)
    lines = (await costs.page(CostsQuery(by="endpoint"))).lines
    assert {line.name: microusd(line.spent_usd) for line in lines} == {
        "an endpoint": 100, "unknown": 11,
    }  # fmt: skip


async def test_days_pages_and_what_is_set_aside(database: Database, costs: Costs) -> None:
    money = SharedSpending(database, Caps(run=10**6), 60, PAYEE)
    runs = [await charge(money, cost) for cost in (1, 2, 3)]
    await database.pool.execute("UPDATE judge_costs SET day = day - 40 WHERE run_id = $1", runs[0])
    today = datetime.now(UTC).date()
    lately = await costs.page(CostsQuery(since=today - timedelta(days=1), page_size=1))
    assert ([microusd(line.spent_usd) for line in lately.lines], lately.total) == ([3], 2)
    assert microusd(lately.spent_usd) == 5
    behind = await costs.page(CostsQuery(page=9))
    assert (behind.lines, behind.total, microusd(behind.spent_usd)) == ([], 3, 6)
    none = await costs.page(CostsQuery(until=date(1999, 1, 1)))
    assert (none.lines, none.total, none.spent_usd, none.estimated_usd) == ([], 0, 0, None)
    await money.reserve(runs[0], 100)
    assert microusd((await costs.page(CostsQuery())).set_aside_usd) >= 100
    await money.close()


async def test_the_file_has_every_line_and_no_formula() -> None:
    line = {"name": "=1+1", "model": None, "spent_usd": 0.000001, "estimated_usd": None, "runs": 1,
            "first_day": "2026-04-15", "last_day": "2026-04-15"}  # fmt: skip
    page = CostsPage.model_validate(
        {"page": 1, "page_size": 1, "total": 1, "spent_usd": 0.000001, "estimated_usd": None,
         "set_aside_usd": 0, "lines": [line]}
    )  # fmt: skip
    header, row = csv.reader(io.StringIO(costs_csv(page)))
    assert row[:4] == ["'=1+1", "", "0.000001", ""]
    assert header[2] == "spent_usd"
