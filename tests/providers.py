"""Providers of completions that answer as they are told, and judges that call them for real."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
from aiohttp import web

from medvid.benchmark.tasks import ASPECTS
from medvid.judging.endpoint import OpenAiEndpoint, Sampling, open_client
from medvid.judging.forms import FormChoice
from medvid.judging.pricing import TokenPrice
from medvid.judging.retry import RetryPolicy
from medvid.judging.rubric import load_rubric
from medvid.judging.versions import JudgeVersion
from services.judge.breaker import Breaker
from services.judge.budgets import Caps, Payee, SharedSpending
from services.judge.concurrency import AdaptiveLimit
from services.judge.grader import ModelGrader
from services.judge.open_judge import endpoint_name
from services.judge.rates import Unlimited
from services.judge.reply_forms import SharedForm
from shared.storage.database import Database
from tests.judging import FEW, judging, reaches, replica, request_run, resume_run, run_row
from tests.patience import HANG_SECONDS
from tests.rows import accept_submission

CASES: Final = Path(__file__).parent / "cases" / "judge"
MODEL: Final = "model-1"
KEY: Final = "sk-this-key-must-never-be-seen"
PRICE: Final = TokenPrice(2, 8)
USAGE: Final = {"prompt_tokens": 900, "completion_tokens": 25, "total_tokens": 925}
NO_CAPS: Final = Caps()
SCORES: Final = dict.fromkeys(ASPECTS, 4)


def completion(content: Any, **changes: Any) -> dict[str, Any]:
    """A completion in its usual shape."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content},
              "finish_reason": changes.pop("finish_reason", "stop")}  # fmt: skip
    return {"id": "c", "object": "chat.completion", "created": 0, "model": MODEL,
            "choices": [choice], "usage": USAGE} | changes  # fmt: skip


@dataclass
class Reply:
    """What a provider sends: every `every`th time, and only to requests that hold `only_if`."""

    body: Any
    status: int = 200
    only_if: str | None = None
    every: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def case(cls, name: str, every: int = 1) -> Reply:
        """Read a case of tests/cases/judge."""
        found = json.loads((CASES / f"{name}.json").read_bytes())
        return cls(found["body"], found["status"], found.get("only_if"), every)

    def fits(self, asked: Mapping[str, Any]) -> bool:
        return self.only_if is None or self.only_if in asked

    def response(self, asked: Mapping[str, Any]) -> web.Response:
        if isinstance(self.body, str):
            kind = "text/html" if self.body.startswith("<") else "text/plain"
            return web.Response(status=self.status, text=self.body, content_type=kind)
        text = json.dumps(self.body).replace('"MODEL"', json.dumps(asked["model"]))
        return web.Response(
            status=self.status, text=text, content_type="application/json", headers=self.headers
        )


@dataclass
class Provider:
    """A server that answers with `reply`, and otherwise with a verdict."""

    reply: Reply | None = None
    models: Reply = field(default_factory=lambda: Reply({"object": "list", "data": []}))
    calls: int = 0
    told: int = 0
    """How often `reply` was sent."""
    forms: list[str] = field(default_factory=list)
    url: str = ""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.calls += 1
        self.forms.append("schema" if "response_format" in asked else "lines")
        reply = self.reply
        if reply is not None and self.calls % reply.every == 0 and reply.fits(asked):
            self.told += 1
            return reply.response(asked)
        lines = "\n".join(f"{aspect}: 4" for aspect in ASPECTS)
        content = json.dumps(SCORES) if "response_format" in asked else lines
        return web.json_response(completion(content, model=asked["model"]))

    async def list_models(self, _: web.Request) -> web.Response:
        return self.models.response({"model": MODEL})


@asynccontextmanager
async def serving(
    reply: Reply | None = None, provider: Provider | None = None
) -> AsyncIterator[Provider]:
    """Serve a provider on a free port, by default one that sends this reply."""
    provider = provider or Provider(reply)
    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/v1/chat/completions", provider.chat)
    app.router.add_get("/v1/models", provider.list_models)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield provider
    finally:
        await runner.cleanup()


def version(model: str) -> JudgeVersion:
    return JudgeVersion("openai", model, "v1", "1", "1", 0.0, 200, None, None)


@asynccontextmanager
async def calling(
    database: Database,
    url: str,
    *,
    key: str = KEY,
    model: str = MODEL,
    prefix: str | None = None,
    form: FormChoice | None = None,
    attempts: int = 3,
    longest_wait: float = 0.01,
    seconds: float = HANG_SECONDS,
    held_seconds: float = 60,
    caps: Caps = NO_CAPS,
    judge: JudgeVersion | None = None,
) -> AsyncIterator[ModelGrader]:
    """A judge as a replica has it: the real client, the shared money, the shared form.

    `seconds`: what a call has. `held_seconds`: for how long a replica holds back what it stopped.
    """
    judge = judge or version(model)
    async with AsyncExitStack() as stack:
        client = open_client(api_key=key, base_url=url, seconds=seconds)
        stack.push_async_callback(client.close)
        payee = Payee(judge.hash, endpoint_name(url))
        spending = SharedSpending(database, caps, HANG_SECONDS, payee)
        stack.push_async_callback(spending.close)
        yield ModelGrader(
            endpoint=OpenAiEndpoint(client, Sampling(model, 200, 0.0), seconds),
            version=judge,
            rubric=load_rubric("v1"),
            policy=RetryPolicy(attempts, 0.001, longest_wait),
            concurrency=AdaptiveLimit(8),
            breaker=Breaker(failures=10, seconds=held_seconds),
            gate=Unlimited(),
            spending=spending,
            price=PRICE,
            model_prefix=prefix,
            form=form or FormChoice(),
            shared_form=SharedForm(database, endpoint_name(url), model),
        )


async def spent(database: Database) -> int:
    """Return what all runs spent, in millionths of a dollar."""
    return int(
        await database.pool.fetchval(
            "SELECT coalesce(sum(spent_microusd), 0) FROM judge_spending WHERE scope LIKE 'run:%'"
        )
    )


async def settles(
    database: Database, url: str, *, payload: bytes = FEW, **settings: Any
) -> asyncpg.Record:
    """Judge an upload until it is completed or waits for somebody; resumed where a machine may.

    `settings` are those of `calling`.
    """
    stored = await accept_submission(database, payload=payload)
    async with calling(database, url, **settings) as grader:
        one = replica(database, grader)
        async with judging(database, [one]):
            run_id = await request_run(database, stored.submission_id)
            run = await reaches(database, run_id, "paused", "completed", "failed")
            while (run["state"], run["reason"]) == ("paused", "bad_replies"):
                await resume_run(database, run_id)
                run = await reaches(database, run_id, "paused", "completed", "failed")
    return await run_row(database, run_id)  # with what calls that were under way still added
