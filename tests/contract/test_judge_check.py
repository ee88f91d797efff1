"""`medvid admin judge-check` against providers of all sorts: what it finds, and what to set."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from services.judge.settings import JudgeSettings
from services.judge.stub.batches import BatchFaults
from services.judge.stub.server import MODEL as STUB_MODEL
from services.judge.stub.server import Faults, Stub, running_stub
from services.operate.calibrate import _one_judge
from services.operate.findings import Finding
from services.operate.judge_check import check_judge, most_usd
from shared.runtime.errors import Misconfigured
from tests.providers import KEY, MODEL, Reply, completion, serving

LISTED = {"object": "list", "data": [{"id": MODEL}, {"id": "model-1-mini"}]}


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


def settings(url: str, **changes: Any) -> JudgeSettings:
    given = {
        "judge_provider": "openai",
        "judge_base_url": url,
        "judge_api_key": KEY,
        "judge_model": MODEL,
        "judge_prices": {MODEL: {"input": 2, "output": 8}},
    }
    return JudgeSettings.model_validate(given | changes)


async def found(
    reply: Reply | None = None, models: Any = LISTED, **changes: Any
) -> dict[str, Finding]:
    async with serving(reply) as provider:
        provider.models = models if isinstance(models, Reply) else Reply(models)
        findings = await check_judge(settings(provider.url, **changes))
        assert provider.calls <= 3
    assert KEY not in json.dumps([[one.says, one.fix] for one in findings])
    return {finding.check: finding for finding in findings}


async def test_a_judge_that_works_is_told_so_step_by_step() -> None:
    findings = await found()
    assert {one.state for one in findings.values()} == {"ok"}, findings
    assert list(findings) == [
        "name", "models", "call", "reply form", "verdict", "model", "usage", "price",
    ]  # fmt: skip
    assert findings["reply form"].says.startswith("schema")
    assert "R2 4" in findings["verdict"].says


@pytest.mark.parametrize(
    ("reply", "check", "state", "told"),
    [
        (Reply(error("Incorrect API key provided"), 401), "call", "failed", "MEDVID_JUDGE_API_KEY"),
        (Reply(error("Insufficient Balance"), 402), "call", "failed", "credit"),
        (Reply(error("Model Not Exist"), 400), "call", "failed", "MEDVID_JUDGE_MODEL"),
        (Reply("<html>Hello</html>"), "call", "failed", "MEDVID_JUDGE_BASE_URL"),
        (Reply(error("Unsupported parameter: max_tokens", param="max_tokens"), 400),
         "call", "failed", "MEDVID_JUDGE_TOKEN_PARAMETER=max_completion_tokens"),
        (Reply(error("slow down"), 429), "call", "failed", "MEDVID_JUDGE_REQUESTS_PER_MINUTE"),
        (Reply("oops", 503), "call", "failed", "503"),
        (Reply.case("reply_schema_422_detail"), "reply form", "ok", "lines (a schema was refused"),
        (Reply(completion("{", finish_reason="length")), "verdict", "failed",
         "MEDVID_JUDGE_MAX_TOKENS"),
        (Reply(completion("Fine.")), "verdict", "failed", "MEDVID_JUDGE_REPLY_FORM"),
        (Reply(completion("Fine.", model="gw/model-1")), "model", "failed",
         "MEDVID_JUDGE_MODEL_PREFIX=gw/model-1"),
        (Reply(completion("x"), headers={"x-litellm-attempted-fallbacks": "1"}),
         "model", "warning", "judge_unconfirmed"),
        (Reply(completion("", finish_reason="length")), "verdict", "failed",
         "MEDVID_JUDGE_REASONING_EFFORT lower"),
        (Reply(error("Unsupported value: 'reasoning_effort' does not support 'minimal'",
                     param="reasoning_effort"), 400),
         "call", "failed", "MEDVID_JUDGE_REASONING_EFFORT to one that it takes"),
        (Reply.case("reply_usage_not_object"), "usage", "warning", "estimate"),
        (Reply.case("reply_reasoning_outside_completion"), "usage", "warning", "Thoughts"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_with_what_to_set(
    reply: Reply, check: str, state: str, told: str
) -> None:
    finding = (await found(reply))[check]
    assert finding.state == state
    assert told in f"{finding.says} {finding.fix}"


@pytest.mark.parametrize(
    ("models", "state", "told"),
    [
        ({"data": [{"id": "models/model-1"}]}, "ok", "lists model-1"),
        ({"data": [{"id": "model-1-2026"}, {"id": "other"}]}, "warning", "model-1-2026"),
        ({"data": []}, "warning", "cannot tell"),
        (Reply("not found", 404), "warning", "cannot tell"),
        (Reply("<html>Hello</html>"), "warning", "cannot tell"),
        (Reply(error("Invalid API key"), 401), "failed", "MEDVID_JUDGE_API_KEY"),
    ],
)
async def test_the_list_of_models_tells_what_it_can(models: Any, state: str, told: str) -> None:
    finding = (await found(models=models))["models"]
    assert finding.state == state
    assert told in f"{finding.says} {finding.fix}"


async def test_what_a_model_reasons_is_told_as_a_setting_for_estimates() -> None:
    thinking: dict[str, Any] = {
        "judge_max_tokens": 4000, "judge_reasoning_effort": "low", "judge_temperature": "",
        "judge_token_parameter": "max_completion_tokens",
    }  # fmt: skip
    usage = {
        "prompt_tokens": 900, "completion_tokens": 325, "total_tokens": 1225,
        "prompt_tokens_details": {"cached_tokens": 512},
        "completion_tokens_details": {"reasoning_tokens": 300},
    }  # fmt: skip
    scores = json.dumps(dict.fromkeys(("R2", "R4", "R5", "R7", "R8"), 4))
    reply = Reply(completion(scores, usage=usage))
    finding = (await found(reply, **thinking))["usage"]
    assert (finding.state, finding.says) == (
        "warning", "900 + 325 tokens (512 cached, 300 of reasoning)."
    )  # fmt: skip
    expected = {"reasoning": 300, "cached": 512}
    assert f"MEDVID_JUDGE_EXPECTED_TOKENS={json.dumps(expected)}" in finding.fix
    told = await found(reply, judge_expected_tokens=expected, **thinking)
    assert told["usage"].state == "ok"
    dearer = {MODEL: {"input": 2, "output": 8, "reasoning": 80}}
    most = most_usd(settings("https://api.openai.com/v1", judge_prices=dearer, **thinking))
    assert most is not None
    assert most > 3 * 4000 * 80 / 1e6


async def test_a_price_that_is_not_known_is_told() -> None:
    finding = (await found(judge_prices={}))["price"]
    assert finding.state == "warning"
    assert f'MEDVID_JUDGE_PRICES={{"{MODEL}"' in finding.fix


async def test_a_closed_port_is_told() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    findings = {one.check: one for one in await check_judge(settings(url))}
    assert "nothing listens" in findings["models"].says
    assert findings["call"].state == "failed"


async def test_the_stand_in_can_be_tried() -> None:
    findings = await check_judge(JudgeSettings.model_validate({"judge_provider": "stub"}))
    assert {one.state for one in findings} == {"ok"}, findings


def test_a_check_costs_less_than_a_cent() -> None:
    cost = most_usd(settings("https://api.openai.com/v1"))
    assert cost is not None
    assert 0 < cost < 0.02


async def by_batch(url: str, patience: float = 60.0, **changes: Any) -> dict[str, Finding]:
    findings = await check_judge(settings(url, **changes), by_batch=True, patience=patience)
    return {finding.check: finding for finding in findings}


async def test_a_batch_is_tried_and_its_answer_found_by_a_later_try() -> None:
    stub = Stub(Faults(batches=BatchFaults(looks=1)))
    async with running_stub(stub) as url:
        given = {"judge_model": STUB_MODEL, "judge_prices": {}}
        first = await by_batch(url, 0.0, **given)
        assert (first["batch"].state, len(stub.batches.made)) == ("warning", 1)
        assert "under way" in first["batch"].says
        second = await by_batch(url, 0.0, **given)
        assert (second["batch"].state, second["verdict"].state) == ("ok", "ok")
        assert (len(stub.batches.made), stub.answered.total()) == (1, 1)


@pytest.mark.parametrize(
    ("faults", "check", "named"),
    [
        ({"ends": ["failed"]}, "batch", "The input file is invalid"),
        ({"ends": ["expired"]}, "batch", "is expired"),
        ({"lost": 1}, "line", "the line was lost"),
        ({"failing": 1}, "line", "503"),
    ],
)
async def test_what_is_wrong_with_a_batch_is_named(
    faults: dict[str, Any], check: str, named: str
) -> None:
    stub = Stub(Faults(batches=BatchFaults.model_validate(faults)))
    async with running_stub(stub) as url:
        found = await by_batch(url, judge_model=STUB_MODEL)
        assert found[check].state == "failed"
        assert named in found[check].says


async def test_a_provider_without_batches_is_named() -> None:
    async with serving() as provider:
        provider.models = Reply(LISTED)
        finding = (await by_batch(provider.url))["batch"]
    assert (finding.state, KEY in finding.says) == ("failed", False)


async def test_each_judge_of_a_panel_is_tried_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "judges.toml"
    file.write_text("".join(f'[[judge]]\nprovider = "stub"\nstub_salt = "{n}"\n' for n in "ab"))
    panel = JudgeSettings(judges=file)
    assert most_usd(panel) == 0
    findings = await check_judge(panel)
    assert "failed" not in {one.state for one in findings}, findings
    checks = [one.check for one in findings]
    assert checks[: len(checks) // 2][-1] == f"{STUB_MODEL}-a: price"
    assert checks[-1] == f"{STUB_MODEL}-b: price"
    with pytest.raises(Misconfigured, match="a calibration is of one") as refused:
        _one_judge(panel, None)
    assert refused.value.fix == f"Choose one with --judge: {STUB_MODEL}-a, {STUB_MODEL}-b."
    assert _one_judge(panel, f"{STUB_MODEL}-b").judge_stub_salt == "b"
