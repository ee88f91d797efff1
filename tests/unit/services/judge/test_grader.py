"""The grader's policy, against an endpoint that follows a script; no network, no clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import date
from typing import Final
from uuid import UUID, uuid4

import pytest

from medvid.benchmark.tasks import ASPECTS, Task
from medvid.judging.calls import CallFailed, Completion, Failure, Usage
from medvid.judging.forms import FormChoice
from medvid.judging.pricing import TokenPrice
from medvid.judging.prompt import ChatMessage, Form
from medvid.judging.retry import RetryPolicy
from medvid.judging.rubric import load_rubric
from services.judge.breaker import Breaker
from services.judge.concurrency import AdaptiveLimit
from services.judge.grader import ModelGrader
from services.judge.provider_health import ALIKE
from services.judge.verdict import Pair, ProviderDown, TryLater, Verdict
from tests.fakes.grader import version

RUN: Final = uuid4()
FAILURES: Final = 4
USAGE: Final = Usage(600, 25)
PRICE: Final = TokenPrice(2, 8)
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


def grader(
    script: Script,
    books: Books | None = None,
    attempts: int = 3,
    price: TokenPrice = PRICE,
) -> ModelGrader:
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
        price=price,
        draw=lambda: 0.0,
    )


async def grade(judge: ModelGrader, prediction: str = "a") -> Verdict:
    return await judge.judge(Pair(prediction, "b", Task.VIDEO_SUMMARY), 0, run_id=RUN)


async def test_tokens_and_money_follow_what_the_endpoint_says_it_used() -> None:
    books = Books()
    given = await grade(grader(lambda *_: answer(usage=Usage(700, 30)), books))
    assert (books.tokens, books.reserved, books.spent) == (730, 0, 2 * 700 + 8 * 30)
    assert given.cost_microusd == books.spent


async def test_reasoning_counts_against_a_cap_before_and_after_the_call() -> None:
    books = Books()
    used = Usage(700, 130, 500, 100)
    asked: list[int] = []

    def script(*_: object) -> Completion:
        asked.append(books.reserved)
        return answer(usage=used)

    given = await grade(grader(script, books, price=TokenPrice(2, 8, 1, 20)))
    assert asked[0] >= 20 * version().max_tokens
    assert given.cost_microusd == books.spent == 2 * 200 + 500 + 8 * 30 + 20 * 100
    assert given.used == used


async def test_a_model_that_is_gone_is_named_with_its_announced_end() -> None:
    gone = CallFailed("unusable", "404", "There is no such model.", cause="model")
    wrong_key = CallFailed("unusable", "401", "The key is refused.", cause="key")

    async def end() -> date | None:
        return date(2027, 1, 14)

    for failure, begins in ((gone, "The model's end was announced for 2027-01-14. There is no"),
                            (wrong_key, "The key is refused.")):  # fmt: skip
        judge = grader(lambda *_, failure=failure: failure)  # type: ignore[misc]
        judge.model_end = end
        with pytest.raises(ProviderDown, match=begins):
            await grade(judge)


async def test_a_limit_spent_on_reasoning_is_not_asked_for_again() -> None:
    judge = grader(lambda *_: Completion("", None, "length", "fake-1", Usage(600, 200, 0, 200)))
    given = await grade(judge)
    assert (given.unscored_reason, given.attempts) == ("reasoning_limit", 1)
    assert given.waste.calls == {"reasoning_limit": 1}


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
    judge = grader(lambda number, _: answer("another" if (number - 1) % FAILURES else "fake-1"))
    reasons = {(await grade(judge)).unscored_reason for _ in range(50)}
    assert reasons == {None, "other_model"}


@pytest.mark.parametrize("said", ["openai/fake-1", "fake-1@main", "fake-1:latest", ""])
async def test_another_model_from_the_start_is_told_by_the_first_answer(said: str) -> None:
    judge = grader(lambda *_: answer(said))
    assert (await grade(judge)).unscored_reason == "other_model"
    with pytest.raises(ProviderDown, match=f"MEDVID_JUDGE_MODEL_PREFIX={said}"):
        await grade(judge)
    assert isinstance(judge.endpoint, Scripted)
    assert len(judge.endpoint.forms) == 1


def unexplained(number: int) -> CallFailed:
    return CallFailed("rejected", "400", f"400: bad request {number} (req_{number}a)")


async def test_captions_that_do_not_fit_before_any_answer_are_a_setting() -> None:
    """Such as a longest reply that is longer than the model's context."""
    judge = grader(lambda *_: CallFailed("unfit", "400", "400: context_length_exceeded"))
    for number in range(FAILURES - 1):
        assert (await grade(judge, f"caption {number}")).unscored_reason == "rejected"
    with pytest.raises(ProviderDown, match="context_length_exceeded"):
        await grade(judge, "one more")


async def test_rejections_that_are_alike_are_a_setting() -> None:
    judge = grader(lambda number, _: answer() if number == 1 else unexplained(number))
    assert (await grade(judge)).scores
    for number in range(ALIKE - 1):
        assert (await grade(judge, f"caption {number}")).unscored_reason == "rejected"
    with pytest.raises(ProviderDown, match="refused alike"):
        await grade(judge, "one more")


@pytest.mark.parametrize(
    "script",
    [
        # a verdict in between
        lambda number, _: answer() if number % ALIKE == 0 else unexplained(number),
        # of another kind each time
        lambda number, _: CallFailed("rejected", "400", "400: " + "so " * number),
        # a content policy
        lambda *_: CallFailed("refused", "400", "400: content_filter"),
        # all of them too long
        lambda *_: CallFailed("unfit", "400", "400: context_length_exceeded"),
    ],
)
async def test_rejections_of_captions_are_none(script: Script) -> None:
    judge = grader(lambda number, form: answer() if number == 1 else script(number, form))
    for number in range(8 * ALIKE):
        await grade(judge, f"caption {number}")


@pytest.mark.parametrize("status", ["400", "404", "405", "415", "422", "501"])
async def test_an_unexplained_refusal_of_a_schema_is_found_out(status: str) -> None:
    def script(_: int, form: Form) -> Completion | CallFailed:
        kind: Failure = "unusable" if status in ("404", "405", "501") else "rejected"
        if form is Form.JSON:
            return CallFailed(kind, status, f"{status}: no", cause="address", may_be_form=True)
        return Completion(LINES_REPLY, None, "stop", "fake-1", USAGE)

    judge = grader(script)
    given = await grade(judge)
    assert (given.scores is not None, given.reply_form, given.attempts) == (True, "lines", 2)
    assert (await grade(judge)).attempts == 1


async def test_a_500_is_about_the_schema_if_it_repeats_and_lines_are_answered() -> None:
    def script(_: int, form: Form) -> Completion | CallFailed:
        if form is Form.JSON:
            return CallFailed("failing", "500", "500: oops", may_be_form=True)
        return Completion(LINES_REPLY, None, "stop", "fake-1", USAGE)

    judge = grader(script)
    assert (await grade(judge)).reply_form == "lines"
    assert isinstance(judge.endpoint, Scripted)
    assert judge.endpoint.forms == [Form.JSON, Form.JSON, Form.LINES]


async def test_faults_that_pass_decide_no_form() -> None:
    """Two in a row, and lines are answered: the next pair shows that they had another reason."""

    def script(number: int, _: Form) -> Completion | CallFailed:
        if number <= 2:
            return CallFailed("failing", "500", "500: oops", may_be_form=True)
        return Completion(LINES_REPLY, None, "stop", "fake-1", USAGE)

    judge = grader(script)
    assert [(await grade(judge)).reply_form for _ in range(3)] == ["lines", "schema", "schema"]
    assert judge.form.form is Form.JSON


async def test_faults_that_a_schema_always_gets_decide_for_lines() -> None:
    def script(_: int, form: Form) -> Completion | CallFailed:
        if form is Form.JSON:
            return CallFailed("failing", "500", "500: oops", may_be_form=True)
        return Completion(LINES_REPLY, None, "stop", "fake-1", USAGE)

    judge = grader(script)
    given = [await grade(judge) for _ in range(3)]
    assert [(one.reply_form, one.attempts) for one in given] == [
        ("lines", 3), ("lines", 3), ("lines", 1),
    ]  # fmt: skip
    assert judge.form.form is Form.LINES


@pytest.mark.parametrize("refused", [True, False])
async def test_a_form_is_known_once_a_verdict_is_read(refused: bool) -> None:
    def script(_: int, form: Form) -> Completion | CallFailed:
        if refused and form is Form.JSON:
            return CallFailed("no_schema", "400", "no schema")
        return Completion("fine", None, "stop", "fake-1", USAGE)

    judge = grader(script)
    assert (await grade(judge)).unscored_reason == "malformed"
    assert judge.form.form is None


async def test_a_refusal_of_both_forms_is_what_it_says() -> None:
    judge = grader(lambda *_: CallFailed("unusable", "404", "404: no path", may_be_form=True))
    with pytest.raises(ProviderDown, match="no path"):
        await grade(judge)
    assert judge.form.form is None


@pytest.mark.parametrize("form", [Form.JSON, Form.LINES])
async def test_a_form_that_is_set_is_never_changed(form: Form) -> None:
    judge = grader(lambda *_: CallFailed("no_schema", "400", "no schema", may_be_form=True))
    judge.form = FormChoice(form, is_fixed=True)
    assert (await grade(judge)).unscored_reason == "rejected"
    assert isinstance(judge.endpoint, Scripted)
    assert judge.endpoint.forms == [form]


async def test_billed_calls_without_a_verdict_are_counted_as_wasted() -> None:
    def script(number: int, _: Form) -> Completion | CallFailed:
        if number == 1:
            return CallFailed("failing", "timeout", "late", maybe_billed=True)
        if number == 2:
            return CallFailed("failing", "503", "overloaded")
        if number == 3:
            return Completion("???", None, "stop", "fake-1", USAGE)
        return answer()

    given = await grade(grader(script, attempts=9))
    assert given.attempts == 4
    assert given.waste.calls == {"timeout": 1, "malformed": 1}
    assert 0 < given.waste.microusd < given.cost_microusd
    assert given.is_estimated  # the late one


async def test_a_pair_that_goes_back_tells_what_was_asked_and_wasted() -> None:
    judge = grader(lambda *_: CallFailed("failing", "timeout", "late", maybe_billed=True))
    with pytest.raises(TryLater) as caught:
        await grade(judge)
    assert caught.value.attempts == 3
    assert caught.value.waste.calls == {"timeout": 3}
    assert caught.value.is_estimated


@pytest.mark.parametrize(
    ("told", "counts"),
    [
        (["throttled", "throttled", "throttled"], False),
        (["throttled", "failing", "throttled"], True),
    ],
)
async def test_throttling_alone_uses_up_no_try(told: list[Failure], counts: bool) -> None:
    judge = grader(lambda number, _: CallFailed(told[number - 1], "x", "later"))
    with pytest.raises(TryLater) as caught:
        await grade(judge)
    assert caught.value.counts is counts
    assert caught.value.attempts == len(told)


async def test_a_pair_that_is_throttled_while_others_are_answered_is_told_apart() -> None:
    alone = CallFailed("throttled", "429", "429: slow down")
    judge = grader(lambda number, _: answer() if number == 2 else alone, attempts=1)
    for number, throttled_alone in ((1, False), (3, False)):
        with pytest.raises(TryLater) as caught:
            await grade(judge, f"caption {number}")
        assert caught.value.throttled_alone is throttled_alone
        if number == 1:
            assert (await grade(judge)).scores
    judge = grader(lambda number, _: answer() if number == 2 else alone, attempts=2)
    refused, scored = await asyncio.gather(
        grade(judge, "never"), grade(judge, "taken"), return_exceptions=True
    )
    assert isinstance(scored, Verdict)
    assert isinstance(refused, TryLater)
    assert (refused.counts, refused.throttled_alone) == (False, True)


async def test_an_account_that_takes_no_call_for_minutes_counts_as_down() -> None:
    told = CallFailed("throttled", "429", "429: slow down", retry_after=300)
    judge = grader(lambda *_: told, attempts=1)
    for number in range(ALIKE):
        with pytest.raises((TryLater, ProviderDown)):
            await grade(judge, f"caption {number}")
    with pytest.raises(ProviderDown, match="takes no call for minutes: 429: slow down"):
        await grade(judge)
    assert isinstance(judge.endpoint, Scripted)
    assert len(judge.endpoint.forms) == ALIKE
