"""The endpoint's key shows up nowhere, however an endpoint fails and whatever it repeats."""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final
from uuid import UUID

import prometheus_client
import pytest
import structlog
from aiohttp import web

from medvid.benchmark.tasks import Task
from medvid.judging.endpoint import OpenAiEndpoint, Sampling, open_client
from medvid.judging.pricing import FREE
from medvid.judging.retry import RetryPolicy
from medvid.judging.rubric import load_rubric
from services.judge.breaker import Breaker
from services.judge.budgets import Unmetered
from services.judge.concurrency import AdaptiveLimit
from services.judge.grader import ModelGrader
from services.judge.rates import Unlimited
from services.judge.settings import JudgeSettings
from services.judge.verdict import BadReplies, Pair, ProviderDown, TryLater
from tests.fakes.grader import version

KEY: Final = "sk-proj-This_key-must.never+be/seen=="
RUN: Final = UUID(int=1)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def key_of(request: web.Request) -> str:
    key = request.headers["Authorization"].removeprefix("Bearer ")
    assert key == KEY  # or the test shows nothing
    return key


def status(code: int) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        key = key_of(request)
        body = {"error": {"message": f"bad key {key}", "code": key, "type": key, "param": key}}
        return web.json_response(body, status=code)

    return answer


async def page(request: web.Request) -> web.Response:
    return web.Response(status=502, text=f"<h1>{key_of(request)}</h1>", content_type="text/html")


async def garbage(request: web.Request) -> web.Response:
    return web.Response(text=f"{{{key_of(request)}", content_type="application/json")


async def away(request: web.Request) -> web.Response:
    raise web.HTTPTemporaryRedirect(f"/{key_of(request).replace('/', '')}")


async def lost(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response(text=key_of(request))


async def reply(request: web.Request) -> web.Response:
    key = key_of(request)
    message = {"role": "assistant", "content": f"the key is {key}", "refusal": None}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    body = {"id": key, "object": "x", "created": 0, "model": "fake-1", "choices": choices}
    return web.json_response(body)


async def refusal(request: web.Request) -> web.Response:
    message = {"role": "assistant", "content": None, "refusal": f"no, {key_of(request)}"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return web.json_response({"model": "fake-1", "choices": choices})


async def other_model(request: web.Request) -> web.Response:
    message = {"role": "assistant", "content": key_of(request)}
    choices = [{"index": 0, "message": message, "finish_reason": key_of(request)}]
    return web.json_response({"model": f"model {key_of(request)}", "choices": choices})


ANSWERS: Final[dict[str, Answer]] = {
    **{str(code): status(code) for code in (400, 401, 403, 404, 413, 422, 429, 500, 503)},
    "page": page, "garbage": garbage, "redirect": away, "lost": lost, "reply": reply,
    "refusal": refusal, "other model": other_model,
}  # fmt: skip


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def serve(stack: AsyncExitStack, answer: Answer) -> str:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}/v1"


def shown_by(error: BaseException) -> str:
    """Return all that a careless handler could print: the chain, suppressed or not, and locals."""
    told = []
    link: BaseException | None = error
    while link is not None:
        told += [str(link), repr(link), str(vars(link))]
        told += traceback.format_exception(link, chain=True)
        link = link.__cause__ or link.__context__
    return "\n".join(told)


# Whoever prints more than our logs do: the local variables of every frame.
_WITH_LOCALS: Final = (
    structlog.processors.ExceptionRenderer(
        structlog.tracebacks.ExceptionDictTransformer(show_locals=True, locals_max_string=10_000)
    ),
    structlog.processors.JSONRenderer(),
)


@pytest.mark.parametrize("name", list(ANSWERS))
async def test_no_error_grade_log_or_metric_holds_the_key(
    stack: AsyncExitStack,
    name: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    structlog.configure(_WITH_LOCALS)
    for logger in ("openai", "httpx2", "httpcore2", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=logger)
    client = open_client(api_key=KEY, base_url=await serve(stack, ANSWERS[name]), seconds=5)
    stack.push_async_callback(client.close)
    grader = ModelGrader(
        endpoint=OpenAiEndpoint(client, Sampling("fake-1", 100), 5),
        version=version(),
        rubric=load_rubric("v1"),
        policy=RetryPolicy(2, 0.001, 0.001),
        concurrency=AdaptiveLimit(2),
        breaker=Breaker(2, 60),
        gate=Unlimited(),
        spending=Unmetered(),
        price=FREE,
    )
    seen = [repr(grader)]
    for _ in range(3):
        try:
            grade = await grader.judge(Pair("p", "r", Task.VIDEO_SUMMARY), 0, run_id=RUN)
        except (TryLater, ProviderDown, BadReplies) as error:
            seen.append(shown_by(error))
            structlog.get_logger().exception("seen", grader=grader)
        else:
            assert grade.scores is None
            seen.append(repr(grade))
    await grader.is_up()
    printed = capsys.readouterr()
    seen += [caplog.text, printed.out, printed.err]
    seen.append(prometheus_client.generate_latest().decode())
    for text in seen:
        assert KEY not in text
    assert '"locals"' in printed.out  # or nobody looked at the variables
    assert len(caplog.records) > 3  # the client's own debug logs were looked at too


def test_settings_show_no_key() -> None:
    settings = JudgeSettings(judge_provider="openai", judge_api_key=KEY)
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert KEY not in text
