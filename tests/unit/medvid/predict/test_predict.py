"""`medvid predict` against an endpoint: killed and resumed, refused, overloaded, cut off."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from llmock.pytest_plugin import LLMock
from typer.testing import CliRunner

from medvid.benchmark.test_set_file import load_test_set
from medvid.benchmark.validation import validate_submission
from medvid.cli.main import app
from medvid.judging.retry import RetryPolicy
from medvid.predict.frames import FrameSettings
from medvid.predict.prompts import Prompts
from medvid.predict.records import open_records
from medvid.predict.requests import GenerationSettings, open_endpoint
from medvid.predict.run import Run, TokenLimits, still_to_ask
from medvid.predict.samples import Remap, load_samples
from tests.depth import deep, some_of
from tests.patience import HANG_SECONDS
from tests.preloaded import Forked, with_pipes
from tests.vision import (
    Body,
    VideoFolder,
    numbered,
    question_of,
    real_records,
    reply,
    vision_endpoint,
    write_test_set,
)

SAMPLES = 12


@pytest.fixture
def folder(tmp_path: Path) -> VideoFolder:
    return write_test_set(tmp_path, numbered(real_records()[:SAMPLES]))


async def start(folder: VideoFolder, url: str, *options: str) -> Forked:
    out = str(folder.test_set.with_name("predictions.json"))
    return await with_pipes(
        "medvid", "predict", str(folder.test_set), "--model", "tiny",
        "--remap", folder.remap, "--base-url", url, "--out", out, *options,
        env=os.environ | {"OPENAI_API_KEY": "sk-secret-key", "NO_PROXY": "127.0.0.1"},
    )  # fmt: skip


async def run(folder: VideoFolder, url: str, *options: str) -> tuple[int, str, str]:
    process = await start(folder, url, *options)
    async with asyncio.timeout(HANG_SECONDS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def predictions(folder: VideoFolder) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = orjson.loads(
        folder.test_set.with_name("predictions.json").read_bytes()
    )
    return rows


def recorded(folder: VideoFolder) -> list[dict[str, Any]]:
    path = folder.test_set.with_name("predictions.records.jsonl")
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[1:-1]  # what follows the last line end was cut off
    return [orjson.loads(line) for line in lines]


def manifest(folder: VideoFolder) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(
        folder.test_set.with_name("predictions.manifest.json").read_bytes()
    )
    return document


async def echo(body: Body) -> web.Response:
    return reply(f"answer to {question_of(body)}")


async def test_every_sample_is_asked_once_and_answered_in_its_place(folder: VideoFolder) -> None:
    async with vision_endpoint(echo) as endpoint:
        status, out, err = await run(
            folder, endpoint.url, "--input-price", "5", "--output-price", "10", "--json"
        )
    assert status == 0, err
    assert Counter(map(question_of, endpoint.bodies)) == Counter(
        f"#{place} What?" for place in range(SAMPLES)
    )
    sent = endpoint.bodies[0]
    assert (sent["model"], sent["temperature"], sent["max_tokens"]) == ("tiny", 0, 256)
    samples = load_test_set(folder.test_set.read_bytes())
    checked = validate_submission(
        folder.test_set.with_name("predictions.json").read_bytes(), samples, minimum_records=0
    )
    assert checked.predictions is not None
    assert list(checked.predictions) == [f"answer to #{place} What?" for place in range(SAMPLES)]
    document = json.loads(out)
    assert document == manifest(folder)
    assert document["statuses"] == {"answered": SAMPLES, "not asked": 0}
    assert document["models"] == {"tiny-2026-01-01": SAMPLES}
    assert document["tokens"] == {"prompt": 100 * SAMPLES, "completion": 10 * SAMPLES}
    assert document["cost_usd"] == pytest.approx(SAMPLES * (100 * 5 + 10 * 10) / 1e6)


async def test_killed_at_any_time_it_pays_for_open_calls_alone(folder: VideoFolder) -> None:
    """Each sample is asked once, and once more for each kill that found its call open."""
    concurrency = 3
    asked: Counter[str] = Counter()
    process: Forked | None = None
    kill_at = [2, 5, 9, 10, 14]
    killed: list[Forked] = []  # each once, though its open calls still come

    async def answer(body: Body) -> web.Response:
        asked[question_of(body)] += 1
        due = len(killed) < len(kill_at) and asked.total() >= kill_at[len(killed)]
        if due and process is not None and process not in killed:
            killed.append(process)
            process.send_signal(signal.SIGKILL)
        return reply("1.0-2.0 seconds")

    open_calls: Counter[str] = Counter()
    kills = 0
    async with vision_endpoint(answer) as endpoint:
        while True:
            before = asked.copy()
            process = await start(folder, endpoint.url, "--concurrency", str(concurrency))
            async with asyncio.timeout(HANG_SECONDS):
                _, err = await process.communicate()
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL, err
            kills += 1
            known = {f"#{row['index']} What?" for row in recorded(folder)}
            lost = {question for question in asked - before if question not in known}
            assert len(lost) <= concurrency
            open_calls.update(lost)
    assert kills == len(kill_at)
    assert asked == Counter(f"#{place} What?" for place in range(SAMPLES)) + open_calls
    assert len(predictions(folder)) == SAMPLES
    assert Counter(row["index"] for row in recorded(folder)) == Counter(range(SAMPLES))


async def test_overload_is_waited_out(folder: VideoFolder) -> None:
    asked: Counter[str] = Counter()

    async def answer(body: Body) -> web.Response:
        asked[question_of(body)] += 1
        if asked[question_of(body)] == 1:
            return web.json_response({"error": {"message": "busy"}}, status=429,
                                     headers={"Retry-After": "0"})  # fmt: skip
        return reply("x")

    async with vision_endpoint(answer) as endpoint:
        status, _, err = await run(folder, endpoint.url)
    assert status == 0, err
    assert set(asked.values()) == {2}


async def test_a_rejected_sample_fails_alone_and_is_asked_again(folder: VideoFolder) -> None:
    is_bad = True

    async def answer(body: Body) -> web.Response:
        if is_bad and question_of(body).startswith("#3 "):
            return web.json_response({"error": {"message": "too long, sk-secret-key"}}, status=400)
        return reply("x")

    async with vision_endpoint(answer) as endpoint:
        status, _, err = await run(folder, endpoint.url)
        assert status == 1
        assert "1 failed" in err
        assert len(predictions(folder)) == SAMPLES - 1
        assert "400: too long" in str(recorded(folder))
        assert "sk-secret" not in err + str(recorded(folder)) + str(manifest(folder))
        is_bad = False
        before = len(endpoint.bodies)
        status, _, err = await run(folder, endpoint.url)
    assert status == 0, err
    assert len(endpoint.bodies) == before + 1
    assert len(predictions(folder)) == SAMPLES


@pytest.mark.parametrize(
    ("code", "words"), some_of(((401, "OPENAI_API_KEY"), (404, "--model")), (404, "--model"))
)
async def test_what_no_sample_can_pass_stops_the_run(
    folder: VideoFolder, code: int, words: str
) -> None:
    async def answer(_: Body) -> web.Response:
        return web.json_response({"error": {"message": "no"}}, status=code)

    async with vision_endpoint(answer) as endpoint:
        status, _, err = await run(folder, endpoint.url, "--concurrency", "2")
    assert status == 1
    assert words in err
    assert len(endpoint.bodies) <= 2


async def test_answers_cut_off_are_told_and_asked_again_with_a_higher_limit(
    folder: VideoFolder,
) -> None:
    async def answer(body: Body) -> web.Response:
        is_cut = question_of(body).startswith("#0 ") and body["max_tokens"] < 512
        return reply("1.0-2.0 seconds: The", "length") if is_cut else reply("whole")

    async with vision_endpoint(answer) as endpoint:
        status, _, err = await run(folder, endpoint.url)
        assert status == 0, err
        assert "Cut off by the limit of tokens: 1 of dense_captioning" in err
        assert manifest(folder)["cut_off"] == {"dense_captioning": 1}
        status, _, err = await run(folder, endpoint.url)
        assert len(endpoint.bodies) == SAMPLES
        status, _, err = await run(folder, endpoint.url, "--max-tokens", "dense_captioning=512")
    assert status == 0
    assert "Cut off" not in err
    assert len(endpoint.bodies) == SAMPLES + 1
    assert predictions(folder)[0]["prediction"] == "whole"


@pytest.mark.parametrize(
    "content", some_of((None, "", "\ud800 half a character", "NUL \0", "é" * 40_000), "NUL \0")
)
async def test_whatever_a_model_says_makes_a_valid_submission(
    folder: VideoFolder, content: str | None
) -> None:
    async def answer(_: Body) -> web.Response:
        return reply(content)

    async with vision_endpoint(answer) as endpoint:
        status, _, err = await run(folder, endpoint.url)
    assert status == 0, err
    checked = validate_submission(
        folder.test_set.with_name("predictions.json").read_bytes(),
        load_test_set(folder.test_set.read_bytes()), minimum_records=0,
    )  # fmt: skip
    assert checked.report.ok
    assert checked.report.answered == SAMPLES
    assert ("Cut off" in err) == (content is not None and len(content) > 32_768)


async def test_a_subset_goes_on_into_the_whole_set(folder: VideoFolder, tmp_path: Path) -> None:
    subset = tmp_path / "subset.json"
    drawn = CliRunner().invoke(
        app, ["sample", str(folder.test_set), "-o", str(subset), "--per-type", "1"]
    )
    chosen = [row["index"] for row in orjson.loads(subset.read_bytes())["samples"]]
    assert f"{len(chosen)} of {SAMPLES}" in drawn.stdout
    async with vision_endpoint(echo) as endpoint:
        status, _, err = await run(folder, endpoint.url, "--subset", str(subset))
        assert status == 0, err
        assert [row["question"] for row in predictions(folder)] == [
            f"#{index} What?" for index in chosen
        ]
        status, _, err = await run(folder, endpoint.url)
    assert status == 0
    assert len(endpoint.bodies) == SAMPLES
    assert len(predictions(folder)) == SAMPLES


async def test_other_settings_do_not_mix_with_what_is_recorded(folder: VideoFolder) -> None:
    async with vision_endpoint(echo) as endpoint:
        await run(folder, endpoint.url)
        status, _, err = await run(folder, endpoint.url, "--temperature", "1")
    assert status == 2
    assert "temperature" in err
    assert len(endpoint.bodies) == SAMPLES


async def test_frames_that_are_elsewhere_are_told_before_any_call(folder: VideoFolder) -> None:
    async with vision_endpoint(echo) as endpoint:
        status, _, err = await run(folder, endpoint.url, "--remap", "/mnt=nowhere")
        assert status == 0, err  # the first fitting remap counts
        elsewhere = VideoFolder(folder.test_set, "/mnt/data=nowhere")
        status, _, err = await run(elsewhere, endpoint.url)
    assert status == 2
    assert "--remap" in err
    assert len(endpoint.bodies) == SAMPLES


@pytest.mark.parametrize("limit", some_of(("0", "x", "tla=5", "tal=", "tal=-1"), "tla=5"))
async def test_limits_that_say_nothing_are_refused(folder: VideoFolder, limit: str) -> None:
    status, _, err = await run(folder, "http://127.0.0.1:9/v1", "--max-tokens", limit)
    assert status == 2
    assert "--max-tokens" in err


@deep
async def test_against_a_server_of_others_that_breaks_on_demand(
    folder: VideoFolder, llmock: LLMock
) -> None:
    llmock.reply("1.0-2.0 seconds", times=SAMPLES - 1)
    llmock.rate_limit(times=2, retry_after=0.01)
    llmock.fail(503, times=2)
    llmock.disconnect(times=1)
    status, _, err = await run(folder, llmock.base_url())
    assert status == 0, err
    texts = Counter(row["prediction"] for row in predictions(folder))
    assert texts["1.0-2.0 seconds"] == SAMPLES - 1
    assert sum(texts.values()) == SAMPLES
    llmock.assert_resilient()


async def test_an_endpoint_out_of_reach_stops_the_run(folder: VideoFolder, tmp_path: Path) -> None:
    """Repetitions are used up several times in a row; the waits between them are left out."""
    old, _, new = folder.remap.partition("=")
    samples = load_samples(folder.test_set.read_bytes(), [Remap(old, new)])
    async with vision_endpoint(echo) as gone:
        pass
    with open_records(tmp_path / "records.jsonl", {}) as records:
        async with open_endpoint(
            GenerationSettings("tiny"), base_url=gone.url, api_key="none", seconds=HANG_SECONDS
        ) as endpoint:
            at_once = replace(endpoint, policy=RetryPolicy(attempts=2, base=0, longest=0))
            asking = Run(at_once, Prompts(), FrameSettings(), "images", TokenLimits(), records)
            outcome = await asking.ask(samples, 1)
        assert outcome.stopped == "unreachable"
        assert "connection failed" in outcome.reason
        assert 1 < outcome.asked == outcome.failed < SAMPLES
        assert still_to_ask(samples, records, TokenLimits()) == samples


async def test_an_interrupt_keeps_what_is_answered(folder: VideoFolder) -> None:
    """Ctrl-C: status 130, no traceback, and the same command goes on."""
    process: Forked | None = None

    async def answer(body: Body) -> web.Response:
        if len(endpoint.bodies) == 4 and process is not None:
            process.send_signal(signal.SIGINT)
            await process.wait()
        return await echo(body)

    async with vision_endpoint(answer) as endpoint:
        process = await start(folder, endpoint.url, "--concurrency", "1")
        async with asyncio.timeout(HANG_SECONDS):
            _, err = await process.communicate()
        assert process.returncode == 130
        assert b"Traceback" not in err
        assert len(recorded(folder)) == 3
        status, _, said = await run(folder, endpoint.url)
    assert status == 0, said
    assert len(endpoint.bodies) == SAMPLES + 1
