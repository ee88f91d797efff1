"""Ground truth files: what is read, and every reason to refuse one."""

import copy
import gzip
import hashlib
import json
import pickle
from typing import Any

import pytest

from medvid.benchmark.ground_truth import InvalidGroundTruth, load_ground_truth
from medvid.benchmark.tasks import Task
from medvid.benchmark.test_set import TestSet
from medvid.benchmark.test_set_file import InvalidTestSet, load_test_set

RECORD: dict[str, Any] = {
    "metadata": {
        "video_id": "v",
        "fps": "0.5",
        "input_video_start_frame": "10",
        "input_video_end_frame": "90",
    },
    "qa_type": "tal",
    "data_source": "AVOS",
    "struc_info": [{"action": "cut", "spans": [{"start": 1, "end": 2.5}]}],
    "conversations": [
        {"from": "human", "value": "<video>\nWhen?"},
        {"from": "gpt", "value": "1-2.5"},
    ],
}


def changed(**changes: object) -> dict[str, Any]:
    return copy.deepcopy(RECORD) | changes


def codes(*records: object) -> list[str]:
    with pytest.raises(InvalidGroundTruth) as caught:
        load_ground_truth(json.dumps(records).encode())
    assert caught.value.problem_count == len(caught.value.problems)
    return [problem.code for problem in caught.value.problems]


def test_a_record_becomes_a_sample() -> None:
    content = json.dumps([RECORD]).encode()
    truth = load_ground_truth(gzip.compress(content))
    (sample,) = truth.samples
    assert (
        truth.version == hashlib.sha256(content).hexdigest() == load_ground_truth(content).version
    )
    assert (sample.id, sample.task, sample.fps) == ("v&&10&&90&&0.5", Task.TAL, 0.5)
    assert (sample.question, sample.reference, sample.source) == ("When?", "1-2.5", "AVOS")
    assert sample.truth == RECORD["struc_info"]


def test_the_data_source_falls_back_to_the_dataset_name() -> None:
    record = changed(dataset_name="NurViD", data_source=None)
    assert load_ground_truth(json.dumps([record]).encode()).samples[0].source == "NurViD"


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (changed(metadata={}), "missing_field"),
        (changed(qa_type="other"), "unknown_qa_type"),
        (changed(data_source=""), "unknown_source"),
        (changed(metadata=RECORD["metadata"] | {"fps": "nan"}), "invalid_fps"),
        (changed(metadata=RECORD["metadata"] | {"fps": "0"}), "invalid_fps"),
        (changed(metadata=RECORD["metadata"] | {"fps": "fast"}), "invalid_fps"),
        (changed(struc_info=[{"spans": [{"start": "1", "end": 2}]}]), "invalid_truth"),
        (changed(struc_info=None), "invalid_truth"),
        (changed(qa_type="next_action", conversations=[]), "missing_field"),
        ("text", "not_an_object"),
    ],
)
def test_bad_records_are_named(record: object, code: str) -> None:
    assert codes(record) == [code]


def test_all_problems_are_reported() -> None:
    assert codes(changed(qa_type=""), RECORD, 5) == ["unknown_qa_type", "not_an_object"]


@pytest.mark.parametrize("data", [b"", b"[]", b"[NaN]", b"\x1f\x8b", b"null"])
def test_files_that_are_none_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidGroundTruth):
        load_ground_truth(data)


def test_the_refusal_pickles() -> None:
    with pytest.raises(InvalidGroundTruth) as caught:
        load_ground_truth(b"[1]")
    copied = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert copied.problems == caught.value.problems


def test_a_test_set_file_needs_no_truth() -> None:
    rows = [
        {"id": "v&&10&&90&&0.5", "qa_type": "tal", "question": "<video> When?"},
        {key: RECORD[key] for key in ("metadata", "qa_type", "conversations")},
    ]
    loaded = load_test_set(json.dumps(rows).encode())
    expected = TestSet.from_ground_truth(load_ground_truth(json.dumps([RECORD]).encode()))
    assert loaded.truth is None
    for item in loaded.items:
        assert (item.id, item.task, item.question) == (
            expected.items[0].id, expected.items[0].task, expected.items[0].question,
        )  # fmt: skip


@pytest.mark.parametrize("data", [b"[]", b"[1]", b'[{"id":1,"qa_type":"tal"}]', b'[{"id":"a"}]'])
def test_bad_test_set_files_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidTestSet, match="test set"):
        load_test_set(data)
