"""A standalone server whose judge is llmock: its faults are told, cost nothing, and pass."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
from llmock.pytest_plugin import LLMock

from medvid.judging.pricing import TokenPrice
from shared.storage.database import Database
from tests.acceptance.test_judge_end_to_end import API_KEY, entry_with
from tests.depth import deep
from tests.judging import HALF
from tests.patience import HANG_SECONDS
from tests.providers import MODEL, spent
from tests.rows import load_demo_ground_truth
from tests.standalone import standalone


async def run_that_is(http: aiohttp.ClientSession, submission: str, state: str) -> dict[str, Any]:
    """Return the run as the submission's status shows it, once it is in this state."""
    while True:
        async with http.get(f"/api/v1/submissions/{submission}") as response:
            status = await response.json()
        run = status["judging"] and status["judging"]["run"]
        if run and run["state"] == state:
            return dict(run)
        await asyncio.sleep(0.05)


@deep
async def test_faults_of_a_provider_are_told_cost_nothing_and_pass(
    postgres_url: str, database: Database, llmock: LLMock, tmp_path: Path
) -> None:
    await load_demo_ground_truth(database)
    given = {
        "judge_provider": "openai",
        "judge_base_url": llmock.base_url(),
        "judge_api_key": API_KEY,
        "judge_model": MODEL,
        "judge_prices": {MODEL: TokenPrice(input=2, output=8)},
        "judge_automatic": True,
        "judge_patrol_seconds": 0.1,
        "judge_breaker_seconds": 0.2,
    }
    llmock.fail(401, times=None)
    async with (
        asyncio.timeout(HANG_SECONDS),
        standalone(postgres_url, tmp_path, **given) as http,
    ):
        form = aiohttp.FormData({"model_name": "Judged", "organization": "Us"})
        form.add_field("file", HALF, filename="predictions.json.gz")
        async with http.post("/api/v1/submissions", data=form) as response:
            assert response.status == 202
            submission = (await response.json())["id"]
        run = await run_that_is(http, submission, "paused")
        assert run["reason"] == "provider_down"
        assert await spent(database) == 0
        llmock.reset()
        llmock.fail(429, times=2, retry_after=0.01)
        llmock.fail(503, times=2, retry_after=0.01)
        run = await run_that_is(http, submission, "completed")
        entry = await entry_with(http, ("dvc_llm",))
    assert entry["badges"] == ["partial coverage"]  # the model is the one that was asked
    answered = sum(request.status == 200 for request in llmock.requests if request.method == "POST")
    assert answered == run["items"]
    assert await spent(database) > 0
