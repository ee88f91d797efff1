"""Joins the grader's parts: the provider's client, the shared rate and the shared money."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from medvid.judging.endpoint import OpenAiEndpoint, Sampling, open_client
from medvid.judging.estimates import CallFigures
from medvid.judging.forms import FormChoice
from medvid.judging.pricing import FREE, TokenPrice
from medvid.judging.prompt import Form
from medvid.judging.retry import RetryPolicy
from medvid.judging.rubric import Rubric, load_rubric
from medvid.judging.versions import JudgeVersion
from services.judge.batch_money import BatchMoney
from services.judge.breaker import Breaker
from services.judge.budgets import Caps, Payee, SharedSpending, Unmetered
from services.judge.concurrency import AdaptiveLimit
from services.judge.ends import ListModels, model_end
from services.judge.grader import ModelGrader
from services.judge.pool import PooledEndpoint, PoolGrader
from services.judge.pool_file import PoolEntry, pool_of
from services.judge.pool_watch import LOOK_SECONDS, PoolState, PoolWatch
from services.judge.rates import RateLimits, SharedRate, Unlimited
from services.judge.reply_forms import SharedForm
from services.judge.settings import JudgeSettings
from services.judge.stub.server import running_stub, salted
from services.judge.verdict import Grader
from shared.runtime.errors import Misconfigured
from shared.runtime.infrastructure import Infrastructure

_DEFAULT_URL: Final = JudgeSettings.model_fields["judge_base_url"].default
_NO_KEY: Final = "none"  # endpoints of one's own often want none; the client insists on a text


@dataclass(frozen=True, slots=True)
class BatchProvider:
    """Who takes batches: the endpoint by its name, with the rubric and the price online."""

    name: str
    endpoint: OpenAiEndpoint
    rubric: Rubric
    price: TokenPrice
    money: BatchMoney
    known_form: Callable[[], Awaitable[Form | None]]


@dataclass(frozen=True, slots=True)
class Judge:
    """A ready grader; `month_left` returns what this month's cap leaves, None for no cap."""

    grader: Grader
    month_left: Callable[[], Awaitable[int | None]]
    models: ListModels | None = None
    """The provider's list, where there is a provider."""
    batches: Sequence[BatchProvider] = ()
    """Its endpoints, which may have batches that were sent when they were all that there was."""


@asynccontextmanager
async def open_judge(base: Infrastructure, settings: JudgeSettings) -> AsyncIterator[Judge | None]:
    """Open what the settings ask for; None where judging is off. Raises Misconfigured."""
    if settings.why_off is not None:
        yield None
        return
    async with AsyncExitStack() as stack:
        entries = pool_of(settings)
        if entries:
            yield await _open_pool(base, settings, entries, stack)
            return
        opened = await _open_grader(base, settings, stack)
        yield Judge(opened.grader, opened.spending.month_left, opened.models, [opened.batches])


async def _open_pool(
    base: Infrastructure,
    settings: JudgeSettings,
    entries: Sequence[PoolEntry],
    stack: AsyncExitStack,
) -> Judge:
    opened = {
        entry.name: await _open_grader(base, entry.settings, stack, entry) for entry in entries
    }
    state = PoolState(base.database)
    # Each call is one endpoint's, so that as many are made for a pair as by a judge alone.
    rounds = max(2, math.ceil(settings.judge_attempts / len(entries)))
    pool = PoolGrader(
        [PooledEndpoint(name, each.grader) for name, each in opened.items()],
        _retries(settings, rounds),
        state.take_out,
    )
    lists = {name: each.models for name, each in opened.items() if each.models is not None}
    watch = PoolWatch(pool, state, lists, settings.judge_model_prefix)
    await watch.look()  # before the first call: who is drained gets none
    base.repeat("judge_pool", watch.look, LOOK_SECONDS)
    spendings = [each.spending for each in opened.values()]
    return Judge(
        pool,
        _left_in_pool(spendings),
        next(iter(lists.values()), None),
        [each.batches for each in opened.values()],
    )


def _left_in_pool(
    spendings: Sequence[SharedSpending | Unmetered],
) -> Callable[[], Awaitable[int | None]]:
    """Return what says what the month's cap leaves, and the endpoints' own where all have one."""

    async def left() -> int | None:
        month = await spendings[0].month_left()
        own = [await each.endpoint_left() for each in spendings]
        found = [each for each in own if each is not None]
        if len(found) < len(own):
            return month
        return sum(found) if month is None else min(month, sum(found))

    return left


@dataclass(frozen=True, slots=True)
class _Opened:
    """A grader of one endpoint, and what belongs to it."""

    grader: ModelGrader
    spending: SharedSpending | Unmetered
    models: ListModels | None
    batches: BatchProvider


async def _open_grader(
    base: Infrastructure,
    settings: JudgeSettings,
    stack: AsyncExitStack,
    entry: PoolEntry | None = None,
) -> _Opened:
    """Open the endpoint of these settings; with `entry` as one of a pool."""
    rubric = rubric_of(settings)
    url = await endpoint_url(settings, stack)
    version = judge_version(settings, rubric)
    endpoint = open_endpoint(settings, version, url, stack)
    name = entry.name if entry else endpoint_name(url)
    gate = await _gate(base, settings, name, stack)
    caps = Caps(settings.run_cap, settings.month_cap, entry.month_cap if entry else None)
    spending = await _spending(base, settings, caps, Payee(version.hash, name), stack)
    grader = ModelGrader(
        endpoint=endpoint,
        version=version,
        rubric=rubric,
        policy=_retries(settings, 1 if entry else settings.judge_attempts),
        concurrency=AdaptiveLimit(settings.judge_concurrency),
        breaker=Breaker(settings.judge_breaker_failures, settings.judge_breaker_seconds),
        gate=gate,
        spending=spending,
        price=settings.price,
        form=FormChoice.of(settings.judge_reply_form),
        shared_form=SharedForm(base.database, endpoint_name(url), version.model),
        model_prefix=None if version.provider == "stub" else settings.judge_model_prefix,
        model_end=partial(model_end, base.database, version),
    )
    models = None if version.provider == "stub" else endpoint.models
    batches = BatchProvider(
        endpoint_name(url),
        endpoint,
        rubric,
        settings.price,
        BatchMoney(base.database, caps),
        grader.known_form,
    )
    return _Opened(grader, spending, models, batches)


def _retries(settings: JudgeSettings, attempts: int) -> RetryPolicy:
    waits = settings.judge_backoff_seconds, settings.judge_longest_wait_seconds
    return RetryPolicy(attempts, *waits)


async def endpoint_url(settings: JudgeSettings, stack: AsyncExitStack) -> str:
    """Return the endpoint's address; a stub without one of its own is served by this process."""
    if settings.judge_provider == "stub" and settings.judge_base_url == _DEFAULT_URL:
        return await stack.enter_async_context(running_stub())
    key = settings.judge_api_key.get_secret_value()
    if settings.judge_base_url == _DEFAULT_URL and not key:
        raise Misconfigured(
            "the judge has no key.",
            fix="Set MEDVID_JUDGE_API_KEY, another MEDVID_JUDGE_BASE_URL, or "
            "MEDVID_JUDGE_PROVIDER=stub to try the system out.",
        )
    return settings.judge_base_url


def rubric_of(settings: JudgeSettings) -> Rubric:
    """Return the rubric that is set, with what asks for reasons; raises Misconfigured."""
    try:
        return load_rubric(settings.judge_rubric, rationale=settings.judge_rationale)
    except ValueError as error:
        raise Misconfigured(f"{error}.", fix="Set MEDVID_JUDGE_RUBRIC to one of them.") from error


def call_figures(settings: JudgeSettings) -> CallFigures:
    """Return what a call takes by these settings, for estimates."""
    rubric = rubric_of(settings)
    return CallFigures.of(
        judge_version(settings, rubric),
        rubric,
        settings.price,
        settings.judge_concurrency * max(1, len(pool_of(settings))),
        settings.judge_expected_tokens,
        by_batch=settings.by_batch,
    )


def judge_version(settings: JudgeSettings, rubric: Rubric) -> JudgeVersion:
    """Return the version that these settings make."""
    is_stub = settings.judge_provider == "stub"
    return JudgeVersion.of(
        rubric,
        provider=settings.judge_provider,
        model=salted(settings.judge_stub_salt) if is_stub else settings.judge_model or "",
        temperature=settings.judge_temperature,
        max_tokens=settings.judge_max_tokens,
        seed=settings.judge_seed,
        parser=settings.judge_parser,
        reasoning_effort=settings.judge_reasoning_effort,
        token_parameter=settings.judge_token_parameter,
        # The stub's scores are defined on whole texts.
        max_caption_characters=None if is_stub else settings.judge_max_caption_characters,
    )


def open_endpoint(
    settings: JudgeSettings, version: JudgeVersion, url: str, stack: AsyncExitStack
) -> OpenAiEndpoint:
    """Return the endpoint that the settings name; its client is closed with the stack."""
    headers = {name: value.get_secret_value() for name, value in settings.judge_headers.items()}
    client = open_client(
        api_key=settings.judge_api_key.get_secret_value() or _NO_KEY,
        base_url=url,
        seconds=settings.judge_timeout_seconds,
        trust_env=settings.judge_provider != "stub",  # no proxy leads to the stub
        query=settings.judge_query,
        headers=headers,
    )
    stack.push_async_callback(client.close)
    sampling = Sampling.of(version, settings.judge_token_parameter)
    return OpenAiEndpoint(client, sampling, settings.judge_timeout_seconds, tuple(headers.values()))


async def _gate(
    base: Infrastructure, settings: JudgeSettings, name: str, stack: AsyncExitStack
) -> SharedRate | Unlimited:
    limits = RateLimits(
        f"{name} {settings.judge_model}",
        settings.judge_requests_per_minute,
        settings.judge_tokens_per_minute,
    )
    if not limits.any:
        return Unlimited()
    gate = SharedRate(base.database, limits, settings.judge_longest_wait_seconds)
    stack.push_async_callback(gate.close)
    return gate


def endpoint_name(url: str) -> str:
    """Name an endpoint, without a password that its address may hold."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or ''}{parts.path}"


async def _spending(
    base: Infrastructure,
    settings: JudgeSettings,
    caps: Caps,
    payee: Payee,
    stack: AsyncExitStack,
) -> SharedSpending | Unmetered:
    if settings.price is FREE:
        return Unmetered()
    lease = 2 * (settings.judge_timeout_seconds + settings.judge_longest_wait_seconds)
    spending = SharedSpending(base.database, caps, lease, payee)
    stack.push_async_callback(spending.close)
    base.background("judge_spending", spending.run)
    return spending
