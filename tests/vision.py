"""An OpenAI-compatible endpoint for tests, and small test sets in the real layout with frames."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

from demo.frames import PREFIX, make_frames

DATA: Final = Path(__file__).parents[1] / "benchmarks" / "data"
Body = dict[str, Any]
Answer = Callable[[Body], Awaitable[web.Response]]


def reply(text: str | None, finish_reason: str = "stop") -> web.Response:
    """A chat completion."""
    return web.json_response({
        "id": "1", "object": "chat.completion", "created": 0, "model": "tiny-2026-01-01",
        "choices": [{"index": 0, "finish_reason": finish_reason,
                     "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    })  # fmt: skip


def question_of(body: Body) -> str:
    """The text beside the frames of the last message."""
    content: list[dict[str, Any]] = body["messages"][-1]["content"]
    return str(content[-1]["text"])


@dataclass
class VisionEndpoint:
    """Answers with `answer`; keeps what it was asked."""

    answer: Answer
    bodies: list[Body] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        self.bodies.append(body)
        return await self.answer(body)


@asynccontextmanager
async def vision_endpoint(answer: Answer) -> AsyncIterator[VisionEndpoint]:
    """Serve on a free port of this machine."""
    endpoint = VisionEndpoint(answer)
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", endpoint.handle)
    async with TestServer(app) as server:
        endpoint.url = str(server.make_url("/v1"))
        yield endpoint


@cache
def _unpacked(name: str) -> bytes:
    return gzip.decompress((DATA / f"{name}.json.gz").read_bytes())


def real_records(name: str = "test_set") -> list[dict[str, Any]]:
    """The whole synthetic test set in the real layout; what it returns may be changed."""
    records: list[dict[str, Any]] = orjson.loads(_unpacked(name))
    return records


def numbered(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records, each with a question of its own, which begins with its place."""
    return [
        {**record, "conversations": [{"from": "human", "value": f"<video>\n#{place} What?"}]}
        for place, record in enumerate(records)
    ]


@dataclass(frozen=True)
class VideoFolder:
    """A test set file and its frames; `remap` is the option that finds them."""

    test_set: Path
    remap: str


def write_test_set(folder: Path, records: list[dict[str, Any]]) -> VideoFolder:
    """Write a test set with frames for all that it names."""
    frames = folder / "frames"
    make_frames(records, frames)
    path = folder / "test_set.json"
    path.write_bytes(orjson.dumps(records))
    return VideoFolder(path, f"{PREFIX}={frames}")
