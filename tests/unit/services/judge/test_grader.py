"""The grader's policy, against an endpoint that follows a script; no network, no clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID, uuid4

import pytest

from medvid.benchmark.tasks import ASPECTS, Task
from medvid.judging.calls import CallFailed, Completion, Usage
from medvid.judging.pricing import TokenPrice
from medvid.judging.prompt import ChatMessage, Form
from medvid.judging.retry import RetryPolicy
from medvid.judging.rubric import load_rubric
from services.judge.breaker import Breaker
from services.judge.concurrency import AdaptiveLimit
from services.judge.grader import ModelGrader
from services.judge.verdict import Pair, ProviderDown, Verdict
from tests.fakes.grader import version

RUN: Final = uuid4()
FAILURES: Final = 4
USAGE: Final = Usage(600, 25)
JSON_REPLY: Final = json.dumps(dict.fromkeys(ASPECTS, 3))
LINES_REPLY: Final = "\n".join(f"{aspect}: 3" for aspect in ASPECTS)

Script = Callable[[int, Form], Completion | CallFailed]


def answer(model: str = "fake-1", usage: Usage | None = USAGE) -> Completion:
    return Completion(JSON_REPLY, None, "stop", model, usage)


class Scripted:
    """An endpoint: `script(number of the call, form)` says what it answers or how it fails."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.forms: list[Form] = []

    async def ask(self, messages: Sequence[ChatMessage], form: Form) -> Completion:  # noqa: ARG002
        self.forms.append(form)
        told = self.script(len(self.forms), form)
        if isinstance(told, CallFailed):
            raise told
        return told

    async def is_up(self) -> bool:
        return True


class Books:
    """A gate and a spending that add up."""

    def __init__(self) -> None:
        self.tokens = self.reserved = self.spent = 0

    async def admit(self, tokens: int) -> None:
        self.tokens += tokens

    async def reserve(self, run_id: UUID, microusd: int) -> None:
        assert run_id == RUN
        self.reserved += microusd

    def settle(self, first: int | UUID, second: int, third: int | None = None) -> None:
        if isinstance(first, UUID):
            assert third is not None
            self.reserved -= second
            self.spent += third
        else:
            self.tokens += second - first


def grader(script: Script, books: Books | None = None, attempts: int = 3) -> ModelGrader:
    books = books or Books()
    return ModelGrader(
        endpoint=Scripted(script),
        version=version(),
        rubric=load_rubric("v1"),
        policy=RetryPolicy(attempts, 0.001, 0.001),
        concurrency=AdaptiveLimit(8),
        breaker=Breaker(FAILURES, 60),
        gate=books,
        spending=books,
        price=TokenPrice(2, 8),
        draw=lambda: 0.0,
    )


async def grade(judge: ModelGrader, prediction: str = "a") -> Verdict:
    return await judge.judge(Pair(prediction, "b", Task.VIDEO_SUMMARY), 0, run_id=RUN)


async def test_tokens_and_money_follow_what_the_endpoint_says_it_used() -> None:
    books = Books()
    given = await grade(grader(lambda *_: answer(usage=Usage(700, 30)), books))
    assert (books.tokens, books.reserved, books.spent) == (730, 0, 2 * 700 + 8 * 30)
    assert given.cost_microusd == books.spent


async def test_an_endpoint_that_tells_no_usage_is_charged_as_reserved() -> None:
    books = Books()
    given = await grade(grader(lambda *_: answer(usage=None), books))
    assert books.reserved == 0
    assert books.spent == given.cost_microusd > 0
    assert books.tokens > version().max_tokens


@pytest.mark.parametrize("billed", [True, False])
async def test_a_failed_call_keeps_tokens_and_money_only_if_it_may_be_billed(billed: bool) -> None:
    def script(number: int, _: Form) -> Completion | CallFailed:
        failure = CallFailed("failing", "x", "lost", maybe_billed=billed)
        return failure if number == 1 else answer()

    books = Books()
    given = await grade(grader(script, books))
    assert given.attempts == 2
    assert books.reserved == 0
    assert (books.tokens > 625) is billed
    assert (books.spent > 2 * 600 + 8 * 25) is billed


async def test_an_endpoint_that_starts_to_refuse_schemas_is_asked_for_lines() -> None:
    def script(number: int, form: Form) -> Completion | CallFailed:
        if form is Form.LINES:
            return Completion(LINES_REPLY, None, "stop", "fake-1", Usage(1, 1))
        return answer() if number == 1 else CallFailed("no_schema", "400", "no schema")

    judge = grader(script)
    assert all([(await grade(judge)).scores for _ in range(3)])
    assert isinstance(judge.endpoint, Scripted)
    assert judge.endpoint.forms == [Form.JSON, Form.JSON, Form.LINES, Form.LINES]


@pytest.mark.parametrize("told", [answer("another"), CallFailed("rejected", "400", "not so")])
async def test_what_never_counts_stops_the_spending_after_some_calls_in_a_row(
    told: Completion | CallFailed,
) -> None:
    judge = grader(lambda *_: told)
    for _ in range(FAILURES):
        try:
            given = await grade(judge)
        except ProviderDown:
            break
        assert given.unscored_reason in ("other_model", "rejected")
    with pytest.raises(ProviderDown, match=r"another|not so"):
        await grade(judge)
    assert isinstance(judge.endpoint, Scripted)
    assert len(judge.endpoint.forms) <= FAILURES


async def test_another_model_behind_an_endpoint_that_worked_stops_the_spending_too() -> None:
    judge = grader(lambda number, _: answer("fake-1" if number == 1 else "another"))
    assert (await grade(judge)).scores
    for _ in range(FAILURES):
        assert (await grade(judge)).unscored_reason == "other_model"
    with pytest.raises(ProviderDown, match="another"):
        await grade(judge)


async def test_captions_that_the_provider_rejects_stop_nobody_elses() -> None:
    rejected = CallFailed("rejected", "400", "content policy")
    judge = grader(lambda number, _: answer() if number == 1 else rejected)
    assert (await grade(judge)).scores
    reasons = {(await grade(judge)).unscored_reason for _ in range(5 * FAILURES)}
    assert reasons == {"rejected"}


async def test_a_few_that_do_not_count_between_others_stop_nothing() -> None:
    judge = grader(lambda number, _: answer("another" if number % FAILURES else "fake-1"))
    reasons = {(await grade(judge)).unscored_reason for _ in range(50)}
    assert reasons == {None, "other_model"}
