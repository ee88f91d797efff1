"""A test set is published without its answers, or the gateway does not start."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from medvid.benchmark.test_set_file import load_test_set
from medvid.benchmark.unpacking import LARGEST_PUBLIC_FILE
from services.gateway.submissions.test_set import PublishedTestSet
from shared.runtime.errors import Misconfigured

ROOT = Path(__file__).parents[3]
SECRET = "the answer"  # noqa: S105 - what must not be shown, no password
ASKING = {"from": "human", "value": "<video>\nWhen?"}
SAMPLE = {"qa_type": "tal", "id": "v&&1&&2&&1.0", "conversations": [ASKING]}
REGION = {"start_frame": 0, "end_frame": 2, "start_frame_bbox": [1, 2, 3, 4]}


def published(path: Path, content: bytes) -> bytes:
    path.write_bytes(content)
    representation = PublishedTestSet(path).representation
    assert representation is not None
    assert gzip.decompress(representation.gzip.body) == representation.identity.body
    return representation.identity.body


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_questions_is_published_as_it_is(tmp_path: Path, packed: bool) -> None:
    content = orjson.dumps([SAMPLE, {**SAMPLE, "RC_info": REGION, "metadata": None}])
    body = published(tmp_path / "file", gzip.compress(content) if packed else content)
    assert orjson.loads(body) == orjson.loads(content)


def test_the_real_layout_is_published_and_reads_as_before() -> None:
    path = ROOT / "demo" / "test_set.json.gz"
    representation = PublishedTestSet(path).representation
    assert representation is not None
    assert load_test_set(representation.identity.body) == load_test_set(path.read_bytes())


def test_none_is_published_without_a_file() -> None:
    assert PublishedTestSet(None).representation is None


@pytest.mark.parametrize(
    "changes",
    [
        {"struc_info": []},
        {"answer": SECRET},
        {"prediction": SECRET},
        {SECRET: 1},
        {"conversations": [ASKING, {"from": "gpt", "value": SECRET}]},
        {"conversations": [{"from": "assistant", "value": SECRET}]},
        {"conversations": [{**ASKING, "answer": SECRET}]},
        {"conversations": [{"from": "human\n", "value": SECRET}]},
        {"metadata": {"video_id": "v", "fps": 1, "answer": SECRET}},
        {"metadata": {"video_id": ["v", SECRET], "fps": 1}},
        {"RC_info": {**REGION, "caption": SECRET}},
        {"sampled_video_frames": [SECRET]},
        {"video": {"spans": SECRET}},
        {"train": SECRET},
        {"qa_type": "no task"},
        {"id": ""},
    ],
    ids=str,
)
def test_a_file_that_may_hold_answers_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured) as raised:
        published(tmp_path / "file", orjson.dumps([SAMPLE, {**SAMPLE, **changes}]))
    assert "1." in raised.value.detail or "[1]" in raised.value.detail
    assert "without answers" in raised.value.fix
    if SECRET not in changes:
        assert SECRET not in str(raised.value)


def test_what_was_hidden_by_a_doubled_key_is_not_published(tmp_path: Path) -> None:
    hiding = b'[{"qa_type": "tal", "id": "' + SECRET.encode() + b'", "id": "v"}]'
    assert SECRET.encode() not in published(tmp_path / "file", hiding)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"no JSON", b"\x1f\x8bbroken", b'[{"qa_type": "tal", "id": 1}]',
     gzip.compress(b" " * (LARGEST_PUBLIC_FILE + 1))],
    ids=["empty", "object", "no records", "text", "broken gzip", "number as id", "bomb"],
)  # fmt: skip
def test_what_is_no_test_set_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Misconfigured, match="MEDVID_TEST_SET"):
        published(tmp_path / "file", content)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="missing cannot be published: No such file"):
        PublishedTestSet(tmp_path / "missing")
