"""A model that reasons, on a real database and over HTTP: what a run costs is known before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import orjson
import pytest

from medvid.judging.pricing import TokenPrice
from medvid.judging.retry import RetryPolicy
from services.judge.app import call_figures
from services.judge.breaker import Breaker
from services.judge.budgets import Unmetered
from services.judge.concurrency import AdaptiveLimit
from services.judge.grader import ModelGrader
from services.judge.open_judge import judge_version, open_endpoint, rubric_of
from services.judge.rates import Unlimited
from services.judge.settings import JudgeSettings
from services.judge.stub.server import MODEL, Faults, Stub, running_stub
from shared.storage.database import Database
from tests.depth import deep
from tests.judging import FEW, judging, reaches, replica, request_run
from tests.rows import accept_submission

PRICE = {"input": 1.25, "output": 10, "cached_input": 0.125, "reasoning": 12}


@asynccontextmanager
async def judged_by(
    database: Database, faults: Faults, **changes: object
) -> AsyncIterator[tuple[Stub, JudgeSettings]]:
    """Run a replica whose endpoint behaves so."""
    stub = Stub(faults)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(running_stub(stub))
        given = {
            "judge_provider": "openai", "judge_base_url": url, "judge_model": MODEL,
            "judge_prices": {MODEL: PRICE}, "judge_max_tokens": 2000,
            "judge_token_parameter": "max_completion_tokens", "judge_temperature": "",
            "judge_reasoning_effort": "low",
        }  # fmt: skip
        settings = JudgeSettings.model_validate(given | changes)
        version = judge_version(settings, rubric_of(settings))
        grader = ModelGrader(
            endpoint=open_endpoint(settings, version, url, stack),
            version=version,
            rubric=rubric_of(settings),
            policy=RetryPolicy(3, 0.001, 0.001),
            concurrency=AdaptiveLimit(8),
            breaker=Breaker(100, 60),
            gate=Unlimited(),
            spending=Unmetered(),
            price=settings.price,
        )
        await stack.enter_async_context(
            judging(database, [replica(database, grader, figures=call_figures(settings))])
        )
        yield stub, settings


async def costs(database: Database, run: asyncpg.Record) -> tuple[float, float]:
    """Return what a run was said to cost and what it cost, in US dollars."""
    spent = await database.pool.fetchval(
        "SELECT sum(cost_microusd)::bigint FROM judge_verdicts WHERE judge_version = $1",
        run["judge_version"],
    )
    return orjson.loads(run["estimate"])["usd"], spent / 1e6


@deep
async def test_a_run_costs_what_was_estimated_by_what_is_given_and_by_what_was_measured(
    database: Database,
) -> None:
    faults = Faults(reasoning_tokens=640, cached_tokens=512)
    given = {"reasoning": 640, "cached": 512}
    async with judged_by(database, faults, judge_expected_tokens=given) as (_, settings):
        stored = await accept_submission(database, "Given", FEW)
        run_id = await request_run(database, stored.submission_id, 2)
        run = await reaches(database, run_id, "completed")
        estimated, spent = await costs(database, run)
        assert estimated == pytest.approx(spent, rel=0.1)
        assert settings.price == TokenPrice(**PRICE)
    tokens = await database.pool.fetchrow(
        "SELECT min(reasoning_tokens) AS reasoning, min(cached_tokens) AS cached,"
        " min(completion_tokens) AS completion FROM judge_verdicts"
    )
    assert tuple(tokens) == (640, 512, 665)
    # Nothing is given, and the limit would allow thrice as much: verdicts of this judge tell it.
    async with judged_by(database, faults) as (stub, _):
        stored = await accept_submission(database, "Measured", FEW)
        run_id = await request_run(database, stored.submission_id, 4)
        run = await reaches(database, run_id, "completed")
        estimate = orjson.loads(run["estimate"])
        assert estimate["calls"] == stub.answered.total() == run["items"] / 2
        both = (await costs(database, run))[1]
        assert estimate["usd"] == pytest.approx(both - spent, rel=0.02)


async def test_a_limit_that_reasoning_spends_is_named_and_not_paid_twice(
    database: Database,
) -> None:
    faults = Faults(reasoning_tokens=640)
    async with judged_by(database, faults, judge_max_tokens=500) as (stub, _):
        stored = await accept_submission(database, "Too short", FEW)
        run_id = await request_run(database, stored.submission_id)
        run = await reaches(database, run_id, "paused", "failed")
        assert (run["state"], run["reason"]) == ("paused", "needs_operator")
        assert "raise MEDVID_JUDGE_MAX_TOKENS" in run["detail"]
        assert max(stub.answered.values()) == 1
    rows = await database.pool.fetch("SELECT * FROM judge_verdicts")
    assert {(row["unscored"], row["attempts"], row["reasoning_tokens"]) for row in rows} == {
        ("reasoning_limit", 1, 500)
    }
