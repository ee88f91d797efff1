"""The judge against llmock, a mock of ten providers that breaks on demand and judges its clients.

Each run ends in the state and with the sentence that it should, books what was answered and no
more, and llmock finds no fault with how it was called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import asyncpg
import pytest
from llmock import middleware as llmock_middleware
from llmock.pytest_plugin import LLMock
from llmock.testing import LLMockServer

from medvid.benchmark.caption_pairs import CaptionPair
from medvid.benchmark.tasks import Task
from medvid.judging.forms import FormChoice
from medvid.judging.prompt import Form, build_messages
from medvid.judging.rubric import load_rubric
from shared.storage.database import Database
from tests.cutting_proxy import Cut, cutting_proxy
from tests.depth import deep, some_of
from tests.judging import FEW, HALF, plan_of
from tests.providers import KEY, PRICE, settles, spent

SOON: Final = 0.01  # seconds that a refusal asks for
PAIRS: Final = len(plan_of(FEW).texts)
MANY_PAIRS: Final = len(plan_of(HALF).texts)


async def verdicts_cost(database: Database) -> int:
    """What the calls cost that a verdict is kept of, by the tokens that the server told."""
    row = await database.pool.fetchrow(
        "SELECT sum(prompt_tokens)::bigint AS prompt, sum(completion_tokens)::bigint AS completion"
        " FROM judge_verdicts"
    )
    assert row is not None
    return PRICE.cost(row["prompt"] or 0, row["completion"] or 0)


async def is_judged(database: Database, run: asyncpg.Record, *, unscored: int = 0) -> None:
    """Every pair has its verdict, paid for once."""
    assert (run["state"], run["items_unscored"]) == ("completed", unscored), run["detail"]
    assert (run["wasted_calls"], run["cost_estimated"]) == (0, False)
    assert await spent(database) == await verdicts_cost(database) > 0


@dataclass
class Wrong:
    """A fault that stays: how a run ends up."""

    arrange: Callable[[LLMock], object]
    told: str
    """What stands in the run's detail."""
    most_calls: int = 2
    path: str = "/v1"


def always(status: int, **more: str) -> Callable[[LLMock], object]:
    retry_after = SOON if status in (429, 500, 503, 529) else None
    return lambda llmock: llmock.fail(status, times=None, retry_after=retry_after, **more)


WRONG: Final = {
    "401": Wrong(always(401), "MEDVID_JUDGE_API_KEY"),
    "402": Wrong(always(402), "no credit left"),
    "403": Wrong(always(403), "allow its project"),
    "404": Wrong(always(404), "MEDVID_JUDGE_MODEL and MEDVID_JUDGE_BASE_URL", 3),
    "413": Wrong(always(413), "413: Payload too large", 30),
    "422": Wrong(always(422), "refused alike, so by a setting: 422: Unprocessable", 30),
    "500": Wrong(always(500), "500: Internal server error", 30),
    "503": Wrong(always(503), "503: Service unavailable", 30),
    "529": Wrong(always(529), "529: Service overloaded", 30),
    "quota": Wrong(
        always(429, code="insufficient_quota", message="You exceeded your current quota"),
        "quota is used up",
    ),
    "quota-text": Wrong(
        always(429, message="You have no credits left: add credits"), "no credit left"
    ),
    "context": Wrong(lambda llmock: llmock.limits(context_window=10), "maximum context length", 30),
    "tokens": Wrong(lambda llmock: llmock.limits(tpm=10), "takes no call for minutes", 30),
    "without-v1": Wrong(lambda _: None, "MEDVID_JUDGE_BASE_URL", 3, path=""),
    "v1-twice": Wrong(lambda _: None, "MEDVID_JUDGE_BASE_URL", 3, path="/v1/v1"),
    "anthropic": Wrong(lambda _: None, "MEDVID_JUDGE_BASE_URL", 3, path="/anthropic"),
    "gemini": Wrong(lambda _: None, "MEDVID_JUDGE_BASE_URL", 3, path="/gemini/v1beta"),
    "cohere": Wrong(lambda _: None, "MEDVID_JUDGE_BASE_URL", 3, path="/cohere/v2"),
    "mistral-key": Wrong(always(401), "MEDVID_JUDGE_API_KEY", path="/mistral/v1"),
    "xai-credit": Wrong(always(402), "no credit left", path="/xai/v1"),
}


@pytest.mark.parametrize("name", some_of(WRONG, "401", "quota"))
async def test_a_fault_that_stays_pauses_with_its_cause_and_costs_nothing(
    database: Database, llmock: LLMock, name: str
) -> None:
    wrong = WRONG[name]
    wrong.arrange(llmock)
    run = await settles(database, llmock.url + wrong.path)
    assert (run["state"], run["reason"]) == ("paused", "provider_down"), run["detail"]
    assert wrong.told in run["detail"]
    assert len(llmock.requests) <= wrong.most_calls
    assert (await spent(database), run["wasted_calls"]) == (0, 0)
    llmock.assert_resilient()


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        *(pytest.param(f"/{one}/v1", marks=deep) for one in ("mistral", "groq/openai", "xai")),
    ],
)
async def test_a_run_is_judged_by_schema(database: Database, llmock: LLMock, path: str) -> None:
    run = await settles(database, llmock.url + path)
    await is_judged(database, run)
    assert run["reply_form"] == "schema"
    assert len(llmock.requests) == PAIRS


@deep
async def test_faults_that_pass_cost_nothing_and_change_nothing(
    database: Database, llmock: LLMock
) -> None:
    passing = {429: 4, 503: 2, 500: 1, 529: 2, 408: 1, 502: 1, 504: 1}
    for status, times in passing.items():
        llmock.fail(status, times=times, retry_after=SOON)
    run = await settles(database, llmock.base_url())
    await is_judged(database, run)
    answers = Counter(request.status for request in llmock.requests)
    assert answers == {200: PAIRS, **passing}
    attempts = await database.pool.fetchval("SELECT sum(attempts) FROM judge_verdicts")
    assert attempts == len(llmock.requests)
    llmock.assert_resilient()


@deep
@pytest.mark.parametrize("told", [True, pytest.param(False, marks=deep)])
async def test_the_rate_of_an_account_is_kept_to(
    database: Database,
    llmock: LLMock,
    llmock_server: LLMockServer,
    monkeypatch: pytest.MonkeyPatch,
    told: bool,
) -> None:
    """The account has 200 calls left, and then takes ten a second: fewer than 10 % are refused.

    `told`: its answers say what is left of the rate; otherwise only its refusals do.
    """
    if not told:
        monkeypatch.setattr(llmock_middleware, "ratelimit_headers", lambda *_: {})
    llmock.limits(rpm=600)
    for _ in range(400):
        llmock_server.state.limiter.admit("openai", f"Bearer {KEY}", 0)
    run = await settles(database, llmock.base_url(), payload=HALF, attempts=20, longest_wait=20)
    await is_judged(database, run)
    answers = Counter(request.status for request in llmock.requests)
    assert answers[200] == MANY_PAIRS
    assert answers[429] < MANY_PAIRS / 10
    llmock.assert_resilient()


def size(pair: CaptionPair) -> int:
    """The tokens that llmock counts in what is sent of a pair."""
    texts = (pair.prediction, pair.reference)
    messages = build_messages(load_rubric("v1"), *texts, Task.DENSE_CAPTIONING, form=Form.JSON)
    return sum(len(message["content"]) // 4 for message in messages)


@deep
async def test_captions_that_are_too_long_are_unscored_and_stop_nobody(
    database: Database, llmock: LLMock
) -> None:
    """The window takes all pairs but the few longest."""
    sizes = sorted(map(size, plan_of(HALF).texts))
    llmock.limits(context_window=sizes[-2])
    run = await settles(database, llmock.base_url(), payload=HALF)
    refused = Counter(request.status for request in llmock.requests)[400]
    await is_judged(database, run, unscored=refused)
    assert 0 < refused < MANY_PAIRS / 20
    llmock.assert_resilient()


@pytest.mark.parametrize(
    "form", [FormChoice(), pytest.param(FormChoice(Form.LINES, is_fixed=True), marks=deep)]
)
async def test_prose_instead_of_verdicts_waits_for_a_person(
    database: Database, llmock: LLMock, form: FormChoice
) -> None:
    if not form.is_fixed:
        llmock.reply("The candidate is fine.", times=None)
    run = await settles(database, llmock.base_url(), held_seconds=0, form=form)
    assert (run["state"], run["reason"]) == ("paused", "needs_operator"), run["detail"]
    assert "gave no verdict: malformed" in run["detail"]
    assert "MEDVID_JUDGE_REPLY_FORM" in run["detail"]
    assert 20 < run["wasted_calls"] == len(llmock.requests) <= 60
    assert run["wasted_microusd"] == await spent(database)


@deep
async def test_a_server_that_never_answers_is_told_and_costs_what_is_allowed(
    database: Database, llmock: LLMock
) -> None:
    llmock.delay(5, times=None)
    run = await settles(database, llmock.base_url(), seconds=0.2)
    assert run["state"] == "paused"
    assert "no answer within 0.2 s" in run["detail"]
    assert run["wasted_calls"] <= 30  # nobody knows whether they are billed


@deep
async def test_connections_that_are_cut_lose_nothing(database: Database, llmock: LLMock) -> None:
    """The first without a byte of an answer, others in the middle of one."""
    cuts = [Cut(down=0), Cut(down=40), Cut(down=200), Cut(up=300)]
    async with cutting_proxy(llmock.url, cuts) as proxy:
        run = await settles(database, f"{proxy.url}/v1")
    assert (run["state"], run["items_unscored"]) == ("completed", 0), run["detail"]
    # What was sent may have been answered: it is booked as an estimate, and counted as waste.
    assert 0 < run["wasted_calls"] <= len(cuts)
    assert run["cost_estimated"]
    waste = await spent(database) - await verdicts_cost(database)
    assert run["wasted_microusd"] == waste > 0
