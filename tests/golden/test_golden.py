"""Every golden case and the full benchmark, compat and strict, to the tolerances of SPEC 5."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from medvid.benchmark.caption_pairs import DVC_THRESHOLDS, JudgingPlan, plan
from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.ground_truth import GroundTruth, Sample, load_ground_truth
from medvid.benchmark.scorecard import Scorecard, score
from medvid.benchmark.tasks import QA_TYPES, RULE_METRIC_KEYS
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.validation import validate_submission
from medvid.judging import standin
from medvid.judging.aggregate import JudgeScore, aggregate

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "benchmarks" / "data"
GOLDEN_TYPES = sorted(path.stem for path in HERE.glob("*.json") if path.stem in QA_TYPES)
RECORD_TOLERANCE = 1e-9
METRIC_TOLERANCE = 1e-6


@cache
def golden(qa_type: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((HERE / f"{qa_type}.json").read_text())
    return content


@cache
def scored(qa_type: str) -> tuple[Scorecard, dict[str, JudgeScore], JudgingPlan]:
    cases = golden(qa_type)["cases"]
    samples = load_ground_truth(
        json.dumps([case["ground_truth"] for case in cases]).encode()
    ).samples
    predictions = [case["prediction"] for case in cases]
    card = score(samples, predictions, load_embedder())
    return card, *judged(samples, predictions)


def judged(
    samples: tuple[Sample, ...], predictions: list[str]
) -> tuple[dict[str, JudgeScore], JudgingPlan]:
    pairs = plan(samples, predictions)
    return aggregate(pairs, [standin.judge(pair) for pair in pairs.texts]), pairs


def assert_equal(found: object, expected: object, tolerance: float, path: str) -> None:
    """Compare JSON values; numbers to the tolerance, and nothing found may be non-finite."""
    if isinstance(expected, dict):
        assert isinstance(found, Mapping), path
        assert set(expected) <= set(found), path
        for key, value in expected.items():
            assert_equal(found[key], value, tolerance, f"{path}.{key}")
    elif isinstance(expected, list):
        assert isinstance(found, list), path
        assert len(found) == len(expected), path
        for index, value in enumerate(expected):
            assert_equal(found[index], value, tolerance, f"{path}[{index}]")
    elif isinstance(expected, float | int) and not isinstance(expected, bool):
        assert isinstance(found, float | int), path
        assert math.isfinite(found), path
        assert found == pytest.approx(expected, rel=0, abs=tolerance), path
    else:
        assert found == expected, path


@pytest.mark.parametrize("qa_type", GOLDEN_TYPES)
def test_every_case_has_the_expected_record_values(qa_type: str) -> None:
    card, _, pairs = scored(qa_type)
    by_sample = pairs_by_sample(pairs)
    for index, case in enumerate(golden(qa_type)["cases"]):
        found = dict(card.records.get(index, {})) | by_sample.get(index, {})
        found.setdefault("caption_pairs", no_pairs())
        assert_equal(found, case["expected"], RECORD_TOLERANCE, f"{qa_type}[{index}]")


def no_pairs() -> dict[str, int]:
    return {str(threshold): 0 for threshold in DVC_THRESHOLDS}


def pairs_by_sample(pairs: JudgingPlan) -> dict[int, dict[str, Any]]:
    values: dict[int, dict[str, Any]] = {}
    for pair in pairs.pairs["dvc_llm"]:
        counts = values.setdefault(pair.sample, {"caption_pairs": no_pairs()})
        counts["caption_pairs"][str(pair.threshold)] += 1
    for key in ("vs_llm", "rc_llm"):
        for pair in pairs.pairs[key]:
            values[pair.sample] = dict(standin.judge(pairs.texts[pair.text]))
    return values


@pytest.mark.parametrize("qa_type", GOLDEN_TYPES)
def test_every_file_has_the_expected_compat_metrics(qa_type: str) -> None:
    card, judge_scores, _ = scored(qa_type)
    expected = golden(qa_type)["expected_metrics"]
    assert expected
    for key, value in expected.items():
        found = compat_value(key, card, judge_scores)
        assert found == pytest.approx(value, rel=0, abs=METRIC_TOLERANCE), key


@pytest.mark.parametrize("qa_type", GOLDEN_TYPES)
def test_every_file_has_the_expected_strict_metrics(qa_type: str) -> None:
    card, _, _ = scored(qa_type)
    for key, value in golden(qa_type)["expected_strict"].items():
        found = card.metrics[key].strict
        assert found == pytest.approx(value, rel=0, abs=METRIC_TOLERANCE), key


def compat_value(key: str, card: Scorecard, judge_scores: Mapping[str, JudgeScore]) -> float | None:
    if key in RULE_METRIC_KEYS:
        return card.metrics[key].compat
    if key.endswith("_distinct_pairs"):
        return judge_scores[key.removesuffix("_distinct_pairs")].distinct_pairs
    if key.endswith("_pairs"):
        return judge_scores[key.removesuffix("_pairs")].pairs
    return judge_scores[key].compat


@cache
def full_ground_truth() -> GroundTruth:
    return load_ground_truth((DATA / "ground_truth.json.gz").read_bytes())


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("predictions_strong", "strong"),
        ("predictions_strong_composed", "strong"),  # ids as the published converter composes them
        ("results_strong", "strong"),  # the reference inference output
        ("predictions_weak", "weak"),
        ("predictions_hostile", "hostile"),
    ],
)
def test_the_full_benchmark(file: str, name: str) -> None:
    truth = full_ground_truth()
    submission = validate_submission(
        (DATA / f"{file}.json.gz").read_bytes(),
        TestSet.from_ground_truth(truth),
        diagnose=False,
    )
    assert submission.predictions is not None, submission.report
    texts = [text or "" for text in submission.predictions]
    card = score(truth.samples, texts, load_embedder())
    judge_scores, _ = judged(truth.samples, texts)
    expected = json.loads((HERE / "full_benchmark.json").read_text())["expected_metrics"][name]
    for key, value in expected["compat"].items():
        found = compat_value(key, card, judge_scores)
        assert found == pytest.approx(value, rel=0, abs=METRIC_TOLERANCE), key
    for key, value in expected["strict"].items():
        assert card.metrics[key].strict == pytest.approx(value, rel=0, abs=METRIC_TOLERANCE), key


def test_the_bundled_data_is_the_whole_test_set() -> None:
    with gzip.open(DATA / "ground_truth.json.gz") as file:
        assert len(json.load(file)) == len(full_ground_truth()) == 6245
