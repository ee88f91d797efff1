"""Rewards: equal to the metrics' record values, called as the trainers call them, normalised."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import medvid.rewards
from medvid.benchmark.caption_pairs import CaptionPair
from medvid.benchmark.embedder import Embeddings
from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.statistics.normalised import Percentiles
from medvid.benchmark.tasks import CAPTION_TASKS, SCORINGS, Scoring, Task, task_of
from medvid.cli.main import app
from medvid.judging import standin
from medvid.rewards.batches import rewards
from medvid.rewards.normalisation import InvalidPercentiles, dump, fit, load
from medvid.rewards.values import CachedEmbedder, RewardItem, Valuation, judged, rule_value
from tests.vision import Body, vision_endpoint

ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests" / "golden"
RULED = ("tal", "stg", "dense_captioning_gpt", "dense_captioning_gemini", "cvs_assessment",
         "skill_assessment", "next_action")  # fmt: skip
CAPTIONS = ("video_summary_gpt", "region_caption_gemini")
CLOSE = partial(pytest.approx, abs=1e-9)
Case = dict[str, Any]


@cache
def cases(qa_type: str) -> list[Case]:
    found: list[Case] = json.loads((GOLDEN / f"{qa_type}.json").read_text())["cases"]
    return found


def items(qa_type: str) -> list[RewardItem]:
    records = [case["ground_truth"] for case in cases(qa_type)]
    samples = load_ground_truth(json.dumps(records).encode()).samples
    return [
        RewardItem(sample, case["prediction"])
        for sample, case in zip(samples, cases(qa_type), strict=True)
    ]


def named(case: Case, name: str) -> dict[str, int]:
    """The true scores of a CVS or SA case by component, as its truth lists them."""
    scores: dict[str, int] = case["ground_truth"]["struc_info"][0][name]
    return scores


def record_value(qa_type: str, case: Case, scoring: Scoring) -> float | None:
    """A record's value out of the golden file; None where it says none."""
    expected = case["expected"]
    if qa_type == "tal":
        values = expected["strict"] if scoring == "strict" else expected
        return (values["miou@0.3"] + values["miou@0.5"]) / 2
    if qa_type == "stg":
        return expected["strict" if scoring == "strict" else "iou"] if "iou" in expected else None
    if qa_type.startswith("dense"):
        return expected.get("strict_f1" if scoring == "strict" else "f1")
    if qa_type == "next_action":
        return float(expected["correct"]) if expected.get("how") == "exact" else None
    name = "cvs_scores" if qa_type == "cvs_assessment" else "skill_scores"
    listed = case["ground_truth"]["struc_info"]
    if scoring == "strict" or not listed or not listed[0].get(name):
        return None  # the golden file has what was parsed, from which compat follows
    true, parsed = named(case, name), expected["parsed"]
    known = [key for key in true if key in parsed]
    return sum(parsed[key] == true[key] for key in known) / len(known) if known else 0.0


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("qa_type", RULED)
def test_a_reward_is_the_records_value(qa_type: str, scoring: Scoring) -> None:
    checked = 0
    for case, item in zip(cases(qa_type), items(qa_type), strict=True):
        expected = record_value(qa_type, case, scoring)
        if expected is not None:
            assert rule_value(item, scoring) == CLOSE(expected)
            checked += 1
    assert checked or scoring == "strict"


def test_a_next_action_matches_exactly_unless_compat_is_asked_for() -> None:
    """Of sources with a list; the labels of others are the test set's references."""
    known = [
        (case, item)
        for case, item in zip(cases("next_action"), items("next_action"), strict=True)
        if item.sample.source != "EgoSurgery" and case["expected"]["label"] is not None
    ]
    by_similarity = Valuation(next_action="compat").of([item for _, item in known])
    assert by_similarity == [float(case["expected"]["correct"]) for case, _ in known]
    exactly = Valuation().of([item for _, item in known])
    assert exactly == [
        float(case["expected"]["correct"] and case["expected"]["how"] == "exact")
        for case, _ in known
    ]
    assert exactly != by_similarity


def test_the_encoder_is_called_once_a_batch_and_never_twice_for_a_text() -> None:
    calls: list[list[str]] = []

    def counted(texts: Sequence[str], /) -> Embeddings:
        calls.append(list(texts))
        return load_embedder()(texts)

    valuation = Valuation(next_action="compat", embedder=CachedEmbedder(counted))
    asked = [item for item in items("next_action") if item.sample.source == "AVOS"]
    first = valuation.of(asked)
    assert len(calls) <= 2  # the batch's texts, and the source's labels
    assert valuation.of(asked) == first
    assert len(calls) <= 2
    told = [text for texts in calls for text in texts]
    assert len(told) == len(set(told))


def test_captions_are_half_judge_and_half_similarity() -> None:
    def judge(task: Task, pairs: Sequence[CaptionPair]) -> list[dict[str, int] | None]:
        assert task in CAPTION_TASKS
        return [dict(standin.judge(pair)) for pair in pairs]

    for qa_type in CAPTIONS:
        asked = [each for each in items(qa_type) if each.text and each.sample.reference]
        alone, hybrid = Valuation().of(asked), Valuation(judge=judge).of(asked)
        for item, similarity, value in zip(asked, alone, hybrid, strict=True):
            one, other = load_embedder()([item.text, item.sample.reference]).astype(np.float64)
            assert similarity == pytest.approx(max(0.0, float(one @ other)), abs=1e-6)
            verdict = standin.judge(CaptionPair(item.text, item.sample.reference))
            share = (sum(verdict.values()) / 5 - 1) / 4
            assert value == CLOSE((similarity + share) / 2)
    (dense,) = items("dense_captioning_gpt")[:1]
    (f1,) = Valuation().of([dense])
    (both,) = Valuation(judge=judge).of([dense])
    assert f1 == CLOSE(cases("dense_captioning_gpt")[0]["expected"]["f1"])
    assert 0 < both < 1
    assert both != f1


@pytest.mark.parametrize("verdict", [None, {}, {"R2": 5}, dict.fromkeys(("R2", "R4"), 9)])
def test_what_was_not_judged_gets_the_least(verdict: dict[str, int] | None) -> None:
    assert judged(verdict) == 0


@given(st.floats(0, 1), st.floats(0.01, 1), st.floats(-1e6, 1e6))
def test_normalisation_is_one_half_at_the_median_and_rises(
    p50: float, iqr: float, value: float
) -> None:
    spread = Percentiles(p50, iqr)
    assert spread.normalised(p50) == 0.5
    found = spread.normalised(value)
    assert 0 <= found <= 1
    assert (found > 0.5) <= (value > p50)
    assert spread.normalised(value) <= spread.normalised(value + 1)
    assert Percentiles(p50, 0).normalised(value) == 0.5
    assert spread.normalised(p50 + iqr) == CLOSE(1 / (1 + math.exp(-1)))


def test_a_fit_gives_linear_percentiles_by_source_and_task(tmp_path: Path) -> None:
    lines = [
        {"qa_type": "tal", "source": "AVOS", "reward": {"compat": x / 10, "strict": 0.0}}
        for x in range(8)
    ] + [{"qa_type": "video_summary_gpt", "source": "AVOS", "reward": None}]
    spreads = fit(lines, "compat")
    assert spreads == {("AVOS", Task.TAL): Percentiles(0.35, CLOSE(0.35))}
    path = tmp_path / "percentiles.json"
    path.write_bytes(dump(spreads, "compat"))
    assert load(path, "compat") == spreads
    with pytest.raises(InvalidPercentiles, match="compat"):
        load(path, "strict")


@pytest.mark.parametrize(
    "line",
    [
        "", "null", "[1, 2]", '"text"', "{}", '{"qa_type": "tal", "source": "AVOS"}',
        '{"qa_type": "tal", "reward": {"compat": 1}}',
        '{"qa_type": "tal", "source": "AVOS", "reward": {}}',
        '{"qa_type": "tal", "source": "AVOS", "reward": {"compat": null}}',
        '{"qa_type": "tal", "source": "AVOS", "reward": {"compat": "high"}}',
        '{"qa_type": "tal", "source": "AVOS", "reward": 0.5}',
        '{"qa_type": "dancing", "source": "AVOS", "reward": {"compat": 1}}',
    ],
)  # fmt: skip
def test_a_baseline_of_another_kind_is_refused(line: str, tmp_path: Path) -> None:
    file, out = tmp_path / "baseline.jsonl", tmp_path / "percentiles.json"
    file.write_text(line)
    done = CliRunner().invoke(app, ["rewards", "fit", str(file), "--out", str(out)])
    assert done.exit_code == 2, done.exception
    assert "medvid score --per-sample" in done.stderr
    assert not out.exists()


def as_trainers_load(name: str) -> Callable[..., Any]:
    """Load a module by its file's path under a foreign name, as verl and EasyR1 do."""
    path = Path(medvid.rewards.__file__ or "").with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location("custom_module", path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules["custom_module"] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["custom_module"]
    function: Callable[..., Any] = module.compute_score
    return function


@pytest.mark.parametrize("scoring", SCORINGS)
def test_both_trainers_get_the_same_rewards(scoring: Scoring) -> None:
    verl = partial(as_trainers_load("verl"), scoring=scoring)
    easyr1 = partial(as_trainers_load("easyr1"), scoring=scoring)
    for qa_type in RULED:
        asked = items(qa_type)
        expected = Valuation(scoring).of(asked)
        texts = [json.dumps(case["ground_truth"]) for case in cases(qa_type)]
        one_by_one = [
            verl(data_source=item.sample.source, solution_str=item.text, ground_truth=text,
                 extra_info={"index": 1})
            for item, text in zip(asked, texts, strict=True)
        ]  # fmt: skip
        batch = easyr1(
            [
                {"response": item.text, "response_length": 3, "ground_truth": text}
                for item, text in zip(asked, texts, strict=True)
            ]
        )
        assert one_by_one == [{"score": value, "value": value} for value in expected]
        assert batch == [{"overall": value, "value": value} for value in expected]


def test_a_baseline_is_fitted_and_normalises(tmp_path: Path) -> None:
    """From a scored file over the command line to a reward of one half at the median."""
    records, predictions = [], []
    for qa_type in RULED:
        for place, case in enumerate(cases(qa_type)):
            video = f"{qa_type}-{place}"
            metadata = case["ground_truth"]["metadata"] | {"video_id": video}
            records.append(case["ground_truth"] | {"metadata": metadata})
            predictions.append({"metadata": metadata, "qa_type": case["ground_truth"]["qa_type"],
                                "answer": case["prediction"]})  # fmt: skip
    truth, file = tmp_path / "truth.json", tmp_path / "predictions.json"
    truth.write_text(json.dumps(records))
    file.write_text(json.dumps(predictions))
    lines, out = tmp_path / "lines.jsonl", tmp_path / "percentiles.json"
    scored = CliRunner().invoke(app, ["score", str(truth), str(file), "--per-sample", str(lines)])
    assert scored.exit_code == 0, scored.output
    fitted = CliRunner().invoke(app, ["rewards", "fit", str(lines), "-o", str(out)])
    assert fitted.exit_code == 0, fitted.output
    read = [json.loads(line) for line in lines.read_text().splitlines()]
    found = rewards(percentiles=str(out))
    checked = 0
    for (source, task), spread in (found.spreads or {}).items():
        values = [line["reward"]["compat"] for line in read
                  if (line["source"], task_of(line["qa_type"])) == (source, task)]  # fmt: skip
        assert spread.p50 == CLOSE(float(np.median(values)))
        for record, prediction, line in zip(records, predictions, read, strict=True):
            is_median = line["reward"] and line["reward"]["compat"] == spread.p50
            if is_median and (line["source"], task_of(line["qa_type"])) == (source, task):
                (reward,) = found.of([(record, prediction["answer"])])
                assert reward.score == CLOSE(0.5)
                assert reward.value == spread.p50
                checked += 1
    assert checked


async def test_the_judge_is_any_endpoint_and_asked_once_a_pair() -> None:
    async def answer(body: Body) -> web.Response:
        text = "not a verdict" if "refuse" in body["messages"][-1]["content"] else (
            "\n".join(f"{aspect}: 5" for aspect in ("R2", "R4", "R5", "R7", "R8"))
        )  # fmt: skip
        return web.json_response({
            "id": "1", "object": "chat.completion", "created": 0, "model": "judge",
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": text}}],
        })  # fmt: skip

    import asyncio

    from medvid.rewards.judge import EndpointJudge

    async with vision_endpoint(answer) as endpoint:
        judge = EndpointJudge(endpoint.url, "judge")
        pairs = [CaptionPair("a", "b"), CaptionPair("a", "b"), CaptionPair("refuse", "b")]
        best = dict.fromkeys(("R2", "R4", "R5", "R7", "R8"), 5)
        for asked in (2, 3):  # what was not judged is asked again
            found = await asyncio.to_thread(judge, Task.REGION_CAPTION, pairs)
            assert found == [best, best, None]
            assert len(endpoint.bodies) == asked


def test_options_that_mean_nothing_are_refused() -> None:
    for options in ({"scoring": "lax"}, {"nap": "near"}, {"judge_model": "m"}):
        with pytest.raises(ValueError, match=r"scoring|nap|judge"):
            rewards(**options)  # type: ignore[arg-type]
