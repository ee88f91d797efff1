"""A small chat-completions endpoint that scores by hash, and misbehaves as it is told.

`GET /stub/calls` tells what it was asked; `PUT /stub/faults` changes how it behaves.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.judge.domain import standin
from services.judge.domain.pairs import CaptionPair
from services.judge.domain.prompt import estimate_tokens, read_captions

MODEL: Final = "stub-judge-1"
_MAX_BODY: Final = 16 << 20
_REPLY_TOKENS: Final = 25
_HANG_SECONDS: Final = 3600
Rate = Annotated[float, Field(ge=0, le=1)]


class Faults(BaseModel):
    """How the stub misbehaves: shares of the requests, drawn with a seeded generator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_seconds: Annotated[float, Field(ge=0)] = 0
    throttled: Rate = 0
    retry_after_seconds: Annotated[float, Field(ge=0)] = 0.05
    failing: Rate = 0
    hanging: Rate = 0
    malformed: Rate = 0
    truncated: Rate = 0
    other_model: Rate = 0
    refuses_schema: bool = False
    seed: int = 0


class Stub:
    """The server's state: what it was told, and what it was asked."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.answered: Counter[tuple[str, str]] = Counter()
        self.injected: Counter[str] = Counter()
        self.be(faults or Faults())

    def be(self, faults: Faults) -> None:
        """Behave so from now on."""
        self.faults = faults
        self._random = random.Random(faults.seed)  # noqa: S311 - faults to repeat, no secret

    def application(self) -> web.Application:
        """Return the routes."""
        app = web.Application(client_max_size=_MAX_BODY)
        app.add_routes(
            [
                web.post("/v1/chat/completions", self._complete),
                web.get("/v1/models", self._models),
                web.get("/stub/calls", self._calls),
                web.put("/stub/faults", self._set_faults),
            ]
        )
        return app

    async def _complete(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.faults.latency_seconds:
            await asyncio.sleep(self.faults.latency_seconds)
        if self.faults.refuses_schema and "response_format" in body:
            self.injected["refuses_schema"] += 1
            return _error(400, "response_format is not supported by this model")
        fault = self._draw()
        self.injected.update([fault] if fault else [])
        if fault == "throttled":
            wait = str(self.faults.retry_after_seconds)
            return _error(429, "too many requests", {"Retry-After": wait})
        if fault == "failing":
            return _error(503, "overloaded")
        if fault == "hanging":
            await asyncio.sleep(_HANG_SECONDS)
        return self._answer(body, fault)

    def _draw(self) -> str:
        """Return the fault of this request, or nothing; faults exclude one another."""
        drawn = self._random.random()
        for fault in ("throttled", "failing", "hanging", "malformed", "truncated", "other_model"):
            drawn -= getattr(self.faults, fault)
            if drawn < 0:
                return fault
        return ""

    def _answer(self, body: Mapping[str, Any], fault: str) -> web.Response:
        try:
            prediction, reference = read_captions(body["messages"])
        except (ValueError, KeyError, TypeError) as error:
            return _error(400, f"no captions in the messages: {error}")
        self.answered[prediction, reference] += 1
        scores = standin.judge(CaptionPair(prediction, reference))
        as_json = "response_format" in body
        lines = "\n".join(f"{aspect}: {score}" for aspect, score in scores.items())
        content = json.dumps(scores) if as_json else lines
        if fault == "malformed":
            content = "I would rather not say. R2: 9"
        elif fault == "truncated":
            content = content[: len(content) // 2]
        prompt_tokens = estimate_tokens(body["messages"])
        return web.json_response(
            {
                "id": "chatcmpl-stub",
                "object": "chat.completion",
                "created": 0,
                "model": "another-judge" if fault == "other_model" else MODEL,
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": content},
                        "finish_reason": "length" if fault == "truncated" else "stop",
                    }
                ],
                "usage": {
                    "prompt_tokens": prompt_tokens,
                    "completion_tokens": _REPLY_TOKENS,
                    "total_tokens": prompt_tokens + _REPLY_TOKENS,
                },
            }
        )

    async def _models(self, _: web.Request) -> web.Response:
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "stub"}
        return web.json_response({"object": "list", "data": [model]})

    async def _calls(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "answered": self.answered.total(),
                "distinct_pairs": len(self.answered),
                "most_for_one_pair": max(self.answered.values(), default=0),
                "injected": dict(self.injected),
            }
        )

    async def _set_faults(self, request: web.Request) -> web.Response:
        try:
            self.be(Faults.model_validate(await request.json()))
        except (ValidationError, ValueError) as error:
            return _error(422, str(error))
        return web.json_response(self.faults.model_dump())


@asynccontextmanager
async def running_stub(
    stub: Stub | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve a stub; yields the base URL for a client. Port 0 takes a free one."""
    application = (stub or Stub()).application()
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    body = {"error": {"message": message, "type": "stub", "code": None, "param": None}}
    return web.json_response(body, status=status, headers=headers)
