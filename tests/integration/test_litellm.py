"""The judge behind LiteLLM's proxy, whose models llmock answers: two servers of others in a row.

What a gateway makes of a fault, and which model it really asks, is read as it is meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from llmock.journal import RequestRecord
from llmock.pytest_plugin import LLMock
from llmock.testing import LLMockServer

from shared.storage.database import Database
from tests.depth import deep
from tests.litellm_server import KEY, CannotBeHad, litellm_proxy
from tests.providers import settles, spent

pytestmark = deep

LINES: Final = "R2: 4\nR4: 4\nR5: 4\nR7: 4\nR8: 4"


def deployment(name: str, model: str, **more: Any) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": model, "api_key": "x", **more}}


def settings(upstream: str) -> dict[str, Any]:
    """A gateway without a database: `upstream` answers, for most models."""
    there = {"api_base": upstream}
    dear = {"max_budget": 1e-9, "budget_duration": "1d", "input_cost_per_token": 1.0}
    return {
        "model_list": [
            deployment("judge-1", "openai/judge-1", **there),
            deployment("renamed-1", "openai/judge-1", **there),
            deployment("fallback-1", "openai/fallback-1", api_base="http://127.0.0.1:9/v1"),
            deployment("unreached-1", "openai/unreached-1", api_base="http://127.0.0.1:9/v1"),
            deployment("dear-1", "openai/dear-1", **there, **dear),
            deployment("lines-1", "openai/lines-1", mock_response=LINES),
            deployment("prose-1", "openai/prose-1", mock_response="The candidate is fine."),
        ],
        "general_settings": {"master_key": KEY},
        "litellm_settings": {"num_retries": 0},
        "router_settings": {
            "num_retries": 0,
            "disable_cooldowns": True,
            "fallbacks": [{"fallback-1": ["judge-1"]}],
        },
    }


@pytest.fixture(scope="module")
def gateway(llmock_server: LLMockServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        with litellm_proxy(
            tmp_path_factory.mktemp("litellm"), settings(llmock_server.base_url("openai"))
        ) as url:
            yield f"{url}/v1"
    except CannotBeHad as reason:
        pytest.skip(f"LiteLLM cannot be had here: {reason}")


def calls(llmock: LLMock) -> list[RequestRecord]:
    """Return what the provider was asked to answer: a gateway asks for its models now and then."""
    return [request for request in llmock.requests if request.method == "POST"]


@dataclass
class Wrong:
    """A fault of the gateway, or one that it passes on: how a run ends up."""

    told: str
    """What stands in the run's detail."""
    model: str = "judge-1"
    key: str = KEY
    path: str = ""
    upstream: int | None = None
    """The status that the provider behind it answers."""
    most_calls: int = 24


WRONG: Final = {
    "key": Wrong("MEDVID_JUDGE_API_KEY", key="sk-another-key-of-nobody", most_calls=0),
    "model": Wrong("MEDVID_JUDGE_MODEL", model="unknown-1", most_calls=0),
    "path": Wrong("MEDVID_JUDGE_BASE_URL", path="/v1", most_calls=0),
    "unreached": Wrong("Connection error", model="unreached-1", most_calls=0),
    "its-key": Wrong("MEDVID_JUDGE_API_KEY", upstream=401, most_calls=2),
    "its-rights": Wrong("allow its project", upstream=403, most_calls=2),
    "its-load": Wrong("503", upstream=503),
    "its-faults": Wrong("500", upstream=500, most_calls=30),
    "its-rules": Wrong("refused alike, so by a setting", upstream=422),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_fault_pauses_with_its_cause_and_costs_nothing(
    database: Database, gateway: str, llmock: LLMock, name: str
) -> None:
    wrong = WRONG[name]
    if wrong.upstream is not None:
        llmock.fail(wrong.upstream, times=None)
    run = await settles(database, gateway + wrong.path, key=wrong.key, model=wrong.model)
    assert (run["state"], run["reason"]) == ("paused", "provider_down"), run["detail"]
    assert wrong.told in run["detail"]
    assert wrong.key not in run["detail"]
    assert len(calls(llmock)) <= wrong.most_calls
    assert run["wasted_calls"] == 0
    answered = sum(request.status == 200 for request in calls(llmock))
    assert (await spent(database) > 0) is (answered > 0)


async def test_a_budget_that_is_used_up_pauses_and_loses_nothing(
    database: Database, gateway: str, llmock: LLMock
) -> None:
    run = await settles(database, gateway, key=KEY, model="dear-1")
    assert (run["state"], run["reason"]) == ("paused", "provider_down"), run["detail"]
    assert "quota is used up" in run["detail"]
    assert "xceeded budget" in run["detail"]
    kept = await database.pool.fetchval("SELECT count(*) FROM judge_verdicts")
    assert 0 < kept == len(calls(llmock))


async def test_prose_instead_of_verdicts_waits_for_a_person(
    database: Database, gateway: str
) -> None:
    run = await settles(database, gateway, key=KEY, model="prose-1", held_seconds=0)
    assert (run["state"], run["reason"]) == ("paused", "needs_operator"), run["detail"]
    assert "gave no verdict: malformed" in run["detail"]
    assert 20 < run["wasted_calls"] <= 60


@pytest.mark.parametrize(
    ("model", "form", "confirmed"),
    [
        ("judge-1", "schema", True),
        ("lines-1", None, True),
        ("renamed-1", "schema", False),
        ("fallback-1", "schema", False),
    ],
)
async def test_a_run_is_judged_and_says_whether_the_model_is_the_one_that_was_asked(
    database: Database, gateway: str, llmock: LLMock, model: str, form: str, confirmed: bool
) -> None:
    run = await settles(database, gateway, key=KEY, model=model, prefix="")
    assert (run["state"], run["items_unscored"]) == ("completed", 0), run["detail"]
    assert (run["wasted_calls"], run["cost_estimated"]) == (0, False)
    if form is not None:
        assert run["reply_form"] == form
        assert len(calls(llmock)) == run["items"]
    badges = await database.pool.fetchval("SELECT badges FROM entries")
    assert ("judge_unconfirmed" in badges) is not confirmed
