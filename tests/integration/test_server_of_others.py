"""The judge against an OpenAI-compatible server that nobody here wrote (llmock)."""

from __future__ import annotations

import json
from typing import Final

import asyncpg
import pytest
from llmock.pytest_plugin import LLMock

from medvid.benchmark.tasks import ASPECTS
from shared.storage.database import Database
from tests.depth import deep
from tests.judging import HALF, judging, reaches, replica, request_run, resume_run
from tests.providers import MODEL, calling
from tests.rows import accept_submission

VERDICT: Final = json.dumps(dict.fromkeys(ASPECTS, 4))


async def settles(database: Database, url: str) -> asyncpg.Record:
    """Judge an upload until it ends, or waits for a person; resumed where a machine may."""
    stored = await accept_submission(database, payload=HALF)
    async with (
        calling(database, url, attempts=10, held_seconds=0) as grader,
        judging(database, [replica(database, grader)]),
    ):
        run_id = await request_run(database, stored.submission_id)
        run = await reaches(database, run_id, "paused", "completed", "failed")
        while (run["state"], run["reason"]) == ("paused", "bad_replies"):
            await resume_run(database, run_id)
            run = await reaches(database, run_id, "paused", "completed", "failed")
    return run


@deep
async def test_verdicts_come_through_faults_of_all_sorts(
    database: Database, llmock: LLMock
) -> None:
    llmock.reply(VERDICT, times=None)
    llmock.rate_limit(times=5, retry_after=0.01)
    llmock.fail(503, times=5)
    llmock.fail(500, times=1)
    run = await settles(database, llmock.base_url())
    assert (run["state"], run["items_unscored"]) == ("completed", 0), run["detail"]
    assert await database.pool.fetchval("SELECT sum(attempts) FROM judge_verdicts") == len(
        llmock.requests
    )


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "MEDVID_JUDGE_API_KEY"), (402, "credit"), (403, "allow its project"), (404, "MODEL")],
)
async def test_its_refusals_pause_and_name_the_setting(
    database: Database, llmock: LLMock, status: int, told: str
) -> None:
    llmock.fail(status, times=None)
    run = await settles(database, llmock.base_url())
    assert (run["state"], run["reason"]) == ("paused", "provider_down")
    assert told in run["detail"]
    assert await database.pool.fetchval("SELECT count(*) FROM judge_spending") <= 2
    assert not await database.pool.fetchval("SELECT max(spent_microusd) FROM judge_spending")


@deep
async def test_its_chat_is_no_verdict_and_a_person_is_called(
    database: Database, llmock: LLMock
) -> None:
    llmock.reply("The candidate is fine.", times=None)
    run = await settles(database, llmock.base_url())
    assert (run["state"], run["reason"]) == ("paused", "needs_operator"), run["detail"]
    assert "malformed" in run["detail"]
    assert len(llmock.requests) <= 60
    assert MODEL in {request.model for request in llmock.requests}
