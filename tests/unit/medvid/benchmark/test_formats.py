"""Prediction texts in styles that models and tools write: what is read of them, and its value."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.ground_truth import Sample, load_ground_truth
from medvid.benchmark.scorecard import Scorecard, score

FILE: Final = Path(__file__).parents[3] / "cases" / "formats" / "strings.json"
STRINGS: Final[dict[str, list[dict[str, Any]]]] = json.loads(FILE.read_text())
TRUTHS: Final[dict[str, tuple[list[object], str]]] = {
    "tal": (
        [{"action": "tying", "spans": [{"start": 5, "end": 15}, {"start": 30, "end": 40}]}], ""
    ),
    "stg": ([{"bbox_dict": {"66.0": [10, 10, 50, 50], "74.0": [20, 20, 60, 60]}}], ""),
    "dense_captioning_gpt": (
        [[{"start": 0, "end": 20, "caption": "a"}, {"start": 20, "end": 40, "caption": "b"}]], ""
    ),
    "next_action": ([], "tying"),
    "cvs_assessment": ([], "Two structures: 1, Cystic plate: 0, Hepatocystic triangle: 2"),
    "skill_assessment": ([], "Respect for tissue: 2/5"),
}  # fmt: skip
"""The one truth of each task, as `struc_info` and reference answer. AVOS has `tying` as a label."""
CASES: Final = [
    pytest.param(qa_type, index, id=f"{qa_type}-{case['prediction'][:40]!r}")
    for qa_type in TRUTHS
    for index, case in enumerate(STRINGS[qa_type])
]


def samples(qa_type: str) -> tuple[Sample, ...]:
    """Return the task's one truth, once for each of its strings."""
    info, reference = TRUTHS[qa_type]
    record = {
        "metadata": {"video_id": "v", "fps": "1.0", "input_video_start_frame": "0",
                     "input_video_end_frame": "100"},
        "qa_type": qa_type,
        "data_source": "AVOS",
        "struc_info": info,
        "conversations": [{"from": "human", "value": "<video>\n?"},
                          {"from": "gpt", "value": reference}],
    }  # fmt: skip
    return load_ground_truth(json.dumps([record] * len(STRINGS[qa_type])).encode()).samples


@cache
def scored(qa_type: str) -> Scorecard:
    texts = [case["prediction"] for case in STRINGS[qa_type]]
    return score(samples(qa_type), texts, load_embedder())


@pytest.mark.parametrize(("qa_type", "index"), CASES)
def test_each_style_is_read_and_scored_as_the_published_evaluator_does(
    qa_type: str, index: int
) -> None:
    expected = dict(STRINGS[qa_type][index])
    del expected["prediction"]
    found = scored(qa_type).records[index]
    assert found.keys() >= expected.keys()
    for key, value in expected.items():
        exact = isinstance(value, str | bool | list) or key == "parsed"
        assert found[key] == (value if exact else pytest.approx(value, abs=1e-9)), key
    if qa_type == "dense_captioning_gpt":
        assert found["scored"] is ("f1" in expected)


def test_every_task_whose_values_are_listed_is_looked_at() -> None:
    listed = {qa_type for qa_type, cases in STRINGS.items() if any(len(case) > 1 for case in cases)}
    assert listed == TRUTHS.keys()
