"""A small chat-completions endpoint that scores by hash, with faults on request.

`GET /stub/calls` counts its calls, `GET /stub/pairs` the same pair by pair;
`PUT /stub/faults` changes how it behaves.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medvid.benchmark.caption_pairs import CaptionPair
from medvid.judging import standin
from medvid.judging.calls import Usage
from medvid.judging.plans import pair_sha256
from medvid.judging.prompt import RATIONALE, estimate_tokens, read_captions
from services.judge.stub.batches import BatchFaults, StubBatches

MODEL: Final = "stub-judge-1"
_MAX_BODY: Final = 256 << 20  # bytes: a whole file of a batch
_REPLY_TOKENS: Final = 25
_REASON: Final = "Scored by a hash of both texts: there is no other reason."
_HANG_SECONDS: Final = 3600
_NO_REPLY: Final = ("throttled", "failing", "hanging")
_BAD_REPLY: Final = ("malformed", "truncated", "other_model")
Rate = Annotated[float, Field(ge=0, le=1)]


class Faults(BaseModel):
    """How the stub misbehaves: shares of the requests, drawn by `seed`.

    `bad_replies_per_pair` bounds how often one pair's reply is malformed, truncated or of another
    model. With 1 none stays unscored, so a run under faults must end like an undisturbed one.
    `reasoning_tokens` are spent before each reply, within the limit of the call; `cached_tokens` of
    each prompt are said to be cached. Answers come up to `latency_spread` of the latency earlier or
    later, by chance.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_seconds: Annotated[float, Field(ge=0)] = 0
    latency_spread: Rate = 0
    throttled: Rate = 0
    retry_after_seconds: Annotated[float, Field(ge=0)] = 0.05
    failing: Rate = 0
    hanging: Rate = 0
    malformed: Rate = 0
    truncated: Rate = 0
    other_model: Rate = 0
    bad_replies_per_pair: Annotated[int, Field(ge=0)] | None = None
    refuses_schema: bool = False
    reasoning_tokens: Annotated[int, Field(ge=0)] = 0
    cached_tokens: Annotated[int, Field(ge=0)] = 0
    shutdown_date: str | None = None
    seed: int = 0
    batches: BatchFaults = BatchFaults()


class Stub:
    """The server's state: its faults, and what it was asked."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.asked: Counter[CaptionPair] = Counter()
        self.answered: Counter[CaptionPair] = Counter()
        self.spoiled: Counter[CaptionPair] = Counter()
        self.injected: Counter[str] = Counter()
        self.batches = StubBatches(self._of_batch, lambda: self.faults.batches)
        self.be(faults or Faults())

    def be(self, faults: Faults) -> None:
        """Behave so from now on."""
        self.faults = faults
        self._chance = random.Random(faults.seed)  # noqa: S311 - faults

    def application(self) -> web.Application:
        """Return the routes."""
        app = web.Application(client_max_size=_MAX_BODY)
        app.add_routes(
            [
                web.post("/v1/chat/completions", self._complete),
                web.get("/v1/models", self._models),
                web.get("/stub/calls", self._calls),
                web.get("/stub/pairs", self._pairs),
                web.put("/stub/faults", self._set_faults),
                *self.batches.routes(),
            ]
        )
        return app

    async def _complete(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
            pair = CaptionPair(*read_captions(body["messages"]))
        except ConnectionResetError:
            return _error(400, "the caller went away")  # nobody reads this
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _error(400, f"no captions in the messages: {error}")
        if self.faults.latency_seconds:
            spread = self.faults.latency_spread * self._chance.uniform(-1, 1)
            await asyncio.sleep(self.faults.latency_seconds * (1 + spread))
        if self.faults.refuses_schema and "response_format" in body:
            self.injected["refuses_schema"] += 1
            return _error(400, "response_format is not supported by this model")
        self.asked[pair] += 1
        fault = self._draw(pair)
        self.injected.update([fault] if fault else [])
        if fault == "throttled":
            wait = str(self.faults.retry_after_seconds)
            return _error(429, "too many requests", {"Retry-After": wait})
        if fault == "failing":
            return _error(503, "overloaded")
        if fault == "hanging":
            await asyncio.sleep(_HANG_SECONDS)
        return web.json_response(self._answered(pair, body, fault))

    def _of_batch(self, body: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        """Answer a batch's line: the status and body; bad replies are drawn as those online."""
        pair = CaptionPair(*read_captions(body["messages"]))
        if self.faults.refuses_schema and "response_format" in body:
            return 400, _fault("response_format is not supported by this model")
        self.asked[pair] += 1
        fault = self._draw(pair)
        self.injected.update([fault] if fault else [])
        if fault in _NO_REPLY:
            return 503, _fault("overloaded")
        return 200, self._answered(pair, body, fault)

    def _draw(self, pair: CaptionPair) -> str:
        """Return the fault of this request, or nothing; faults exclude one another.

        Drawn by the pair and how often it was asked for, so that the order in which calls come
        in changes nothing.
        """
        key = f"{self.faults.seed}|{self.asked[pair]}|{pair.prediction}|{pair.reference}"
        drawn = random.Random(key.encode("utf-8", "surrogatepass")).random()  # noqa: S311 - faults
        for fault in (*_NO_REPLY, *_BAD_REPLY):
            drawn -= getattr(self.faults, fault)
            if drawn < 0:
                return fault if fault in _NO_REPLY or self._may_spoil(pair) else ""
        return ""

    def _may_spoil(self, pair: CaptionPair) -> bool:
        bound = self.faults.bad_replies_per_pair
        if bound is not None and self.spoiled[pair] >= bound:
            return False
        self.spoiled[pair] += 1
        return True

    def _answered(
        self, pair: CaptionPair, body: Mapping[str, Any], fault: str
    ) -> dict[str, object]:
        self.answered[pair] += 1
        salt = _salt(body)
        content = _reply(pair, body, self.reason(pair), salt)
        if fault == "malformed":
            content = "I would rather not say. R2: 9"
        elif fault == "truncated":
            content = content[: len(content) // 2]
        model = "another-judge" if fault == "other_model" else salted(salt)
        finish_reason = "length" if fault == "truncated" else "stop"
        usage = self._usage(body)
        if not usage.completion - usage.reasoning:
            content, finish_reason = "", "length"
        return _completion(content, model, finish_reason, usage)

    def _usage(self, body: Mapping[str, Any]) -> Usage:
        """Return the tokens of a call; where reasoning takes the whole limit no reply is begun."""
        limit = body.get("max_completion_tokens", body.get("max_tokens", math.inf))
        prompt, thought = estimate_tokens(body["messages"]), self.faults.reasoning_tokens
        cached = min(prompt, self.faults.cached_tokens)
        if thought and thought + _REPLY_TOKENS > limit:
            return Usage(prompt, limit, cached, limit)
        return Usage(prompt, thought + _REPLY_TOKENS, cached, thought)

    def reason(self, pair: CaptionPair) -> str:  # noqa: ARG002
        """Return why a pair is scored so."""
        return _REASON

    async def _models(self, _: web.Request) -> web.Response:
        model: dict[str, Any] = {"id": MODEL, "object": "model", "created": 0, "owned_by": "stub"}
        model["shutdown_date"] = self.faults.shutdown_date
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

    async def _pairs(self, _: web.Request) -> web.Response:
        """Return how often each pair was asked for and answered (paid), by sha256 of its texts."""
        return web.json_response(
            {
                _sha256(pair): {"asked": asked, "answered": self.answered[pair]}
                for pair, asked in self.asked.items()
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


def _sha256(pair: CaptionPair) -> str:
    texts = (text.encode("utf-8", "surrogatepass") for text in (pair.prediction, pair.reference))
    return pair_sha256(*texts).hex()


def salted(salt: str) -> str:
    """Return the model that scores by a hash with this salt: another one is another judge."""
    return f"{MODEL}-{salt}" if salt else MODEL


def _salt(body: Mapping[str, Any]) -> str:
    model = str(body.get("model", ""))
    return model.removeprefix(f"{MODEL}-") if model.startswith(f"{MODEL}-") else ""


def _reply(pair: CaptionPair, body: Mapping[str, Any], reason: str, salt: str) -> str:
    """Return scores in the form that is asked for, with a reason where one is."""
    by_schema = "response_format" in body
    label = RATIONALE if by_schema else RATIONALE.capitalize()
    asked = RATIONALE in json.dumps(body["messages"][0]).lower()
    given: dict[str, object] = {label: reason} if asked else {}
    given |= standin.judge(pair, salt)
    if by_schema:
        return json.dumps(given)
    return "\n".join(f"{name}: {value}" for name, value in given.items())


def _completion(content: str, model: str, finish_reason: str, usage: Usage) -> dict[str, object]:
    return {
        "id": "chatcmpl-stub",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content},
                "finish_reason": finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "total_tokens": usage.total,
            "prompt_tokens_details": {"cached_tokens": usage.cached},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
        },
    }


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(_fault(message), status=status, headers=headers)


def _fault(message: str) -> dict[str, object]:
    return {"error": {"message": message, "type": "stub", "code": None, "param": None}}
