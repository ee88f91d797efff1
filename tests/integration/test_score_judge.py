"""`medvid score --judge openai`: a server's judging, by one command on one's own file."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from medvid.benchmark.caption_pairs import CaptionPair, JudgingPlan
from medvid.benchmark.tasks import ASPECTS
from medvid.cli.judge_options import CannotJudge, JudgeOptions
from medvid.cli.score_judge import judged_by, version_of
from medvid.judging import standin
from services.judge.open_judge import judge_version, rubric_of
from services.judge.settings import JudgeSettings
from services.judge.stub.server import MODEL, Faults, Stub, running_stub
from tests.depth import deep
from tests.patience import HANG_SECONDS

PAIRS: Final = 40
PRICES: Final = json.dumps({MODEL: {"input": 2, "output": 8}})


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A ground truth and predictions, with nothing but summaries."""
    truth, predictions = [], []
    for number in range(PAIRS):
        truth.append({
            "metadata": {"video_id": f"v{number}", "fps": "1.0", "input_video_start_frame": "0",
                         "input_video_end_frame": "9"},
            "qa_type": "video_summary_gpt", "data_source": "AVOS", "struc_info": [],
            "conversations": [{"from": "human", "value": "<video>\n?"},
                              {"from": "gpt", "value": f"reference {number}"}],
        })  # fmt: skip
        predictions.append({
            "id": f"v{number}&&0&&9&&1.0", "qa_type": "video_summary_gpt",
            "prediction": f"prediction {number}",
        })  # fmt: skip
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "predictions.json").write_text(json.dumps(predictions))
    return [str(tmp_path / "truth.json"), str(tmp_path / "predictions.json")]


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
async def url(stub: Stub) -> AsyncIterator[str]:
    async with running_stub(stub) as address:
        yield address


async def started(files: list[str], url: str, *options: str, **env: str) -> Process:
    command = (sys.executable, "-m", "medvid", "score", *files, "--json", "--judge", "openai")
    return await asyncio.create_subprocess_exec(
        *command, "--model", MODEL, "--base-url", url, *options,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "OPENAI_API_KEY": "", **env},
        stdout=PIPE, stderr=PIPE,
    )  # fmt: skip


async def judged(
    files: list[str], url: str, *options: str, **env: str
) -> tuple[int, dict[str, Any], str]:
    """Run the command to its end; returns its status, its document and what it said."""
    async with asyncio.timeout(HANG_SECONDS):
        process = await started(files, url, *options, **env)
        out, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(out or "{}"), said.decode()


def lines(files: list[str]) -> list[dict[str, Any]]:
    path = Path(f"{files[1]}.verdicts.jsonl")
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def append(files: list[str], text: bytes) -> None:
    with Path(f"{files[1]}.verdicts.jsonl").open("ab") as file:
        file.write(text)


def content(path: str) -> bytes:
    return Path(path).read_bytes()


async def test_it_judges_as_the_server_does_and_once(
    files: list[str], url: str, stub: Stub
) -> None:
    stub.be(Faults(refuses_schema=True, throttled=0.1, retry_after_seconds=0, malformed=0.2,
                   bad_replies_per_pair=1))  # fmt: skip
    status, found, said = await judged(files, url, MEDVID_JUDGE_PRICES=PRICES)
    assert status == 0, said
    estimated = re.match(rf"{PAIRS} pairs to judge \(about (0\.\d\d) USD\), 0 known", said)
    assert estimated, said
    verdicts = [
        standin.judge(CaptionPair(f"prediction {n}", f"reference {n}")) for n in range(PAIRS)
    ]
    means = {aspect: sum(one[aspect] for one in verdicts) / PAIRS for aspect in ASPECTS}
    assert found["metrics"]["vs_llm"]["compat"] == pytest.approx(sum(means.values()) / 5)
    assert found["metrics"]["vs_llm"]["aspects"] == pytest.approx(means)
    judge = found["judge"]
    assert (judge["model"], judge["scored"], judge["stopped"]) == (MODEL, PAIRS, None)
    assert judge["usd"] / 3 < float(estimated[1]) < judge["usd"]  # some were asked for twice
    assert len(judge["version"]) == 64
    asked = stub.asked.total()
    again = await judged(files, url, MEDVID_JUDGE_PRICES=PRICES)
    assert (again[1]["metrics"], stub.asked.total()) == (found["metrics"], asked)
    assert again[1]["judge"] == judge | {"unscored": {}}


def test_the_version_is_that_of_a_server_with_its_defaults() -> None:
    options = JudgeOptions("openai", Path("x"))
    settings = JudgeSettings(judge_provider="openai", judge_model="m")
    assert version_of(options, "m") == judge_version(settings, rubric_of(settings))
    options = replace(options, temperature="none", seed=3, max_tokens=500, rationale=True)
    settings = settings.model_copy(
        update={"judge_temperature": None, "judge_seed": 3, "judge_max_tokens": 500,
                "judge_rationale": True}
    )  # fmt: skip
    assert version_of(options, "m") == judge_version(settings, rubric_of(settings))
    options = replace(options, reasoning_effort="low", token_parameter="max_completion_tokens")  # noqa: S106 - tokens of text
    settings = settings.model_copy(
        update={"judge_reasoning_effort": "low", "judge_token_parameter": "max_completion_tokens"}
    )
    assert version_of(options, "m") == judge_version(settings, rubric_of(settings))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("MEDVID_JUDGE_PRICES", "[]"),
        ("MEDVID_JUDGE_PRICES", '{"m": {"input": 2}}'),
        ("MEDVID_JUDGE_PRICES", '{"m": {"input": 2, "output": -8}}'),
        ("MEDVID_JUDGE_PRICES", '{"m": {"input": 2, "output": 8, "thoughts": 8}}'),
        ("MEDVID_JUDGE_EXPECTED_TOKENS", "{"),
        ("MEDVID_JUDGE_EXPECTED_TOKENS", '{"reasoning": -1}'),
        ("MEDVID_JUDGE_EXPECTED_TOKENS", '{"thoughts": 1}'),
    ],
)
def test_prices_and_tokens_that_cannot_be_read_are_refused_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: str
) -> None:
    monkeypatch.setenv(name, wrong)
    with pytest.raises(CannotJudge, match=f"{name} must be JSON such as"):
        judged_by(JudgeOptions("openai", Path("x"), "m"), JudgingPlan((), {}, {}))


@deep
async def test_a_model_that_reasons_costs_what_was_estimated(
    files: list[str], url: str, stub: Stub
) -> None:
    stub.be(Faults(reasoning_tokens=640, cached_tokens=512))
    price = {"input": 1000, "output": 1000, "cached_input": 100, "reasoning": 2000}
    status, found, said = await judged(
        files, url, "--reasoning-effort", "low", "--max-tokens", "2000",
        "--token-parameter", "max_completion_tokens", "--temperature", "none",
        MEDVID_JUDGE_PRICES=json.dumps({MODEL: price}),
        MEDVID_JUDGE_EXPECTED_TOKENS='{"reasoning": 640, "cached": 512}',
    )  # fmt: skip
    assert (status, found["judge"]["scored"]) == (0, PAIRS)
    assert found["judge"]["reasoning_effort"] == "low"
    estimated = re.search(r"about ([0-9.]+) USD", said)
    assert estimated is not None
    assert float(estimated[1]) == pytest.approx(found["judge"]["usd"], rel=0.1)
    assert {(line["reasoning_tokens"], line["cached_tokens"]) for line in lines(files)} == {
        (640, 512)
    }


@deep
async def test_it_asks_as_a_server_with_the_same_settings(files: list[str], stub: Stub) -> None:
    """A query, headers that hold a key, parameters under another name: as Azure wants them."""
    asked: list[web.Request] = []
    bodies: list[dict[str, Any]] = []

    @web.middleware
    async def noting(request: web.Request, handler: Any) -> web.StreamResponse:
        asked.append(request)
        bodies.append(await request.json())
        response: web.StreamResponse = await handler(request)
        return response

    app = stub.application()
    app.middlewares.append(noting)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    status, found, said = await judged(
        files, f"http://127.0.0.1:{runner.addresses[0][1]}/v1",
        *("--query", "api-version=2024-10-21", "--header-env", "api-key=AZURE"),
        *("--token-parameter", "max_completion_tokens", "--temperature", "none", "--seed", "7"),
        *("--reply-form", "lines", "--model-prefix", "stub-", "--rationale"),
        AZURE="a-secret-of-azure",
    )  # fmt: skip
    await runner.cleanup()
    assert status == 0, said
    assert found["judge"]["scored"] == PAIRS == len(asked)
    assert asked[0].query["api-version"] == "2024-10-21"
    assert asked[0].headers["api-key"] == "a-secret-of-azure"
    body = bodies[0]
    assert (body["max_completion_tokens"], body["seed"]) == (400, 7)
    assert body.keys().isdisjoint({"max_tokens", "temperature", "response_format"})
    assert {line["rationale"] for line in lines(files)} == {
        "Scored by a hash of both texts: there is no other reason."
    }
    assert found["judge"]["rationale"].startswith("v1+")
    assert "rationale" not in json.dumps(found["metrics"])
    assert "a-secret-of-azure" not in said + json.dumps(found)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--query", "api-version"), "write it as NAME=VALUE"),
        (("--header-env", "api-key"), "write it as NAME=VARIABLE"),
        (("--header-env", "api-key=NOWHERE_TO_BE_FOUND"), "NOWHERE_TO_BE_FOUND is not set"),
        (("--temperature", "3"), "from 0 to 2"),
        (("--temperature", "nan"), "from 0 to 2"),
    ],
)
def test_an_option_that_cannot_be_is_refused_before_anything_is_asked(
    options: tuple[str, str], words: str
) -> None:
    name = {"--query": "query", "--header-env": "headers"}.get(options[0])
    value = [options[1]] if name else options[1]
    given = JudgeOptions("openai", Path("x"), "m", **{name or "temperature": value})  # type: ignore[arg-type]
    with pytest.raises(CannotJudge, match=words):
        judged_by(given, JudgingPlan((), {}, {}))


@deep
@pytest.mark.parametrize("path", ["/v1?version=1", "/v1/chat/completions", "/v 1"])
async def test_an_address_that_cannot_work_is_refused_in_words_of_the_command(
    files: list[str], url: str, stub: Stub, path: str
) -> None:
    status, found, said = await judged(files, url + path)
    assert (status, found["error"]["code"], stub.asked.total()) == (2, "cannot_judge", 0)
    assert said.startswith("medvid: --base-url")
    assert "MEDVID" not in said


@deep
async def test_what_is_set_wrongly_is_said_in_words_of_the_command(
    files: list[str], url: str
) -> None:
    status, found, said = await judged(files, f"{url}/nowhere")
    assert status == 1
    assert "check --base-url" in said
    assert "MEDVID" not in said + str(found["judge"]["stopped"])


@deep
async def test_after_a_kill_only_the_calls_under_way_are_made_again(
    files: list[str], url: str, stub: Stub
) -> None:
    stub.be(Faults(latency_seconds=0.05))
    process = await started(files, url, "--concurrency", "2")
    async with asyncio.timeout(HANG_SECONDS):
        while len(lines(files)) < 5:
            await asyncio.sleep(0.01)
        process.kill()
        await process.communicate()
    kept = len(lines(files))
    assert 5 <= kept < PAIRS
    append(files, b'{"judge_version":"cut o')  # as a kill in the middle of a write leaves it
    status, found, said = await judged(files, url)
    assert (status, found["judge"]["scored"]) == (0, PAIRS)
    assert f"{kept} known" in said
    assert stub.asked.total() <= PAIRS + 2
    assert len(lines(files)) == PAIRS


@deep
async def test_at_the_limit_it_stops_and_goes_on_with_a_higher_one(
    files: list[str], url: str, stub: Stub
) -> None:
    status, found, said = await judged(
        files, url, "--limit-usd", "0.02", MEDVID_JUDGE_PRICES=PRICES
    )
    assert status == 1
    assert "the limit is reached" in said
    assert "--limit-usd" in said
    assert 0 < found["judge"]["scored"] < PAIRS
    assert found["judge"]["usd"] <= 0.02
    assert found["metrics"]["vs_llm"]["compat"] is None
    status, found, _ = await judged(files, url, "--limit-usd", "9", MEDVID_JUDGE_PRICES=PRICES)
    assert (status, found["judge"]["scored"], stub.asked.total()) == (0, PAIRS, PAIRS)


async def test_a_limit_without_a_price_asks_nothing(files: list[str], url: str, stub: Stub) -> None:
    status, found, said = await judged(files, url, "--limit-usd", "1")
    assert (status, found["error"]["code"], stub.asked.total()) == (2, "cannot_judge", 0)
    assert "MEDVID_JUDGE_PRICES" in said


@deep
async def test_another_file_is_never_written_to(files: list[str], url: str) -> None:
    before = content(files[0])
    status, _, said = await judged(files, url, "--cache", files[0])
    assert (status, "name another --cache" in said) == (2, True)
    assert content(files[0]) == before


@deep
async def test_a_wrong_key_stops_it_at_once_and_is_not_shown(files: list[str]) -> None:
    calls = []

    async def refuse(request: web.Request) -> web.Response:
        calls.append(request.path)
        return web.json_response({"error": {"message": "bad key sk-secret-123"}}, status=401)

    app = web.Application()
    app.add_routes([web.post("/v1/chat/completions", refuse)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    status, found, said = await judged(
        files, url, "--api-key-env", "MY_KEY", MY_KEY="sk-secret-123"
    )
    await runner.cleanup()
    assert status == 1
    assert len(calls) == 1
    assert "Stopped: " in said
    assert "sk-secret-123" not in said
    assert found["judge"]["scored"] == 0


async def test_an_address_that_is_none_is_said_to_be(files: list[str]) -> None:
    status, found, said = await judged(files, "ftp://nowhere.invalid/v1")
    assert (status, found["error"]["code"]) == (2, "cannot_judge")
    assert "must begin with https:// (or http://)" in said
