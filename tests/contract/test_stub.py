"""The stand-in judge's server: its API, its faults, its counters; and attempts over real HTTP."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import aiohttp
import openai
import pytest

from medvid.benchmark.caption_pairs import CaptionPair
from medvid.benchmark.tasks import Task
from medvid.judging import standin
from medvid.judging.endpoint import OpenAiEndpoint, Sampling, open_client
from medvid.judging.prompt import ChatMessage, Form, build_messages
from medvid.judging.replies import parse_reply
from medvid.judging.rubric import load_rubric
from services.judge.stub.server import MODEL, Faults, Stub, running_stub
from tests.patience import HANG_SECONDS

ROOT: Final = Path(__file__).parents[2]
CORPUS: Final = ROOT / "tests/unit/medvid/judging/data/injections.json"
RATES: Final = ("throttled", "failing", "malformed", "truncated", "other_model")


def messages(prediction: str, reference: str = "r", form: Form = Form.JSON) -> list[ChatMessage]:
    return build_messages(load_rubric("v1"), prediction, reference, Task.VIDEO_SUMMARY, form=form)


class Served:
    """A stub with a plain HTTP client."""

    def __init__(self, stub: Stub, url: str, http: aiohttp.ClientSession) -> None:
        self.stub = stub
        self.url = url
        self.http = http

    async def ask(self, prediction: str, **body: Any) -> tuple[int, dict[str, Any]]:
        given = {"model": MODEL, "messages": messages(prediction), **body}
        async with self.http.post(f"{self.url}/chat/completions", json=given) as response:
            return response.status, await response.json()

    async def get(self, path: str) -> dict[str, Any]:
        async with self.http.get(self.url.removesuffix("/v1") + path) as response:
            found: dict[str, Any] = await response.json()
            return found


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    stub = Stub()
    async with running_stub(stub) as url, aiohttp.ClientSession() as http:
        yield Served(stub, url, http)


async def test_attempts_to_sway_the_judge_are_graded_as_captions() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(running_stub())
        client = open_client(api_key="none", base_url=url, seconds=20)
        stack.push_async_callback(client.close)
        endpoint = OpenAiEndpoint(client, Sampling(MODEL, 100), 20)
        for attempt in json.loads(CORPUS.read_bytes()):
            text = attempt["text"]
            for pair in (CaptionPair(text, "r"), CaptionPair("p", text)):
                for form in Form:
                    asked = messages(pair.prediction, pair.reference, form)
                    answer = await endpoint.ask(asked, form)
                    assert parse_reply(answer.content or "").scores == standin.judge(pair)


async def test_equal_requests_use_equal_tokens(served: Served) -> None:
    _, first = await served.ask("a")
    _, second = await served.ask("a")
    assert first == second
    assert first["usage"]["prompt_tokens"] > 500


async def test_it_counts_what_was_asked_and_what_is_paid(served: Served) -> None:
    served.stub.be(Faults(throttled=1))
    status, _ = await served.ask("a")
    assert status == 429
    served.stub.be(Faults())
    for prediction in ("a", "a", "\ud800\0"):
        await served.ask(prediction)
    calls = await served.get("/stub/calls")
    assert (calls["answered"], calls["distinct_pairs"], calls["most_for_one_pair"]) == (3, 2, 2)
    assert calls["injected"] == {"throttled": 1}
    pairs = await served.get("/stub/pairs")
    assert sorted((pair["asked"], pair["answered"]) for pair in pairs.values()) == [(1, 1), (3, 2)]


@pytest.mark.parametrize("fault", RATES)
async def test_faults_come_at_their_rate_whatever_the_order(served: Served, fault: str) -> None:
    async def outcomes(predictions: list[str]) -> dict[str, str]:
        served.stub.asked.clear()
        served.stub.be(Faults(**{fault: 0.3}, seed=7))
        asked = await asyncio.gather(*(served.ask(text) for text in predictions))
        return {text: f"{status}{body.get('choices')}{body.get('model')}"
                for text, (status, body) in zip(predictions, asked, strict=True)}  # fmt: skip

    predictions = [str(number) for number in range(100)]
    first = await outcomes(predictions)
    assert 20 <= served.stub.injected[fault] <= 40
    assert await outcomes(predictions[::-1]) == first


async def test_faults_are_told_over_http(served: Served) -> None:
    root = served.url.removesuffix("/v1")
    async with served.http.put(f"{root}/stub/faults", json={"failing": 1}) as response:
        assert response.status == 200
        assert (await response.json())["failing"] == 1
    assert (await served.ask("a"))[0] == 503
    refused: list[Any] = [{"failing": 2}, {"unknown": 1}, [], "no"]
    for wrong in refused:
        async with served.http.put(f"{root}/stub/faults", json=wrong) as response:
            assert response.status == 422
    assert (await served.ask("a"))[0] == 503


@pytest.mark.parametrize(
    "body",
    [b"", b"not JSON", b"[]", b"{}", b'{"messages": 3}', b'{"messages": [{"content": null}]}',
     b'{"messages": [{"role": "user", "content": "hello"}]}', b"\xff\xfe"],
)  # fmt: skip
async def test_what_is_no_known_request_is_refused(served: Served, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    async with served.http.post(
        f"{served.url}/chat/completions", data=body, headers=headers
    ) as response:
        assert response.status == 400
        assert (await response.json())["error"]["message"]
    assert not served.stub.asked


async def test_the_openai_client_lists_its_model(served: Served) -> None:
    async with openai.AsyncOpenAI(api_key="none", base_url=served.url, max_retries=0) as client:
        assert [model.id async for model in client.models.list()] == [MODEL]


async def test_it_runs_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "services.judge.stub", "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        *command, "--faults", '{"failing": 1}', cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().split()[-1]
        async with aiohttp.ClientSession() as http:
            assert (await Served(Stub(), url, http).ask("a"))[0] == 503
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), HANG_SECONDS) == 0
