"""Samples and prompts: what is read of the real layout, and what a model is then asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from medvid.predict.frames import FrameSettings
from medvid.predict.prompts import InvalidPrompts, Prompts, read_templates
from medvid.predict.samples import Region, Remap, UnusableSample, VideoSample, load_samples
from tests.vision import VideoFolder, real_records, write_test_set


def load(folder: VideoFolder) -> list[VideoSample]:
    return load_samples(folder.test_set.read_bytes(), [Remap.parse(folder.remap)])


def of_types(*qa_types: str, name: str = "test_set") -> list[dict[str, Any]]:
    records = real_records(name)
    return [next(r for r in records if r["qa_type"] == each) for each in qa_types]


def test_the_real_layout_is_read_whole() -> None:
    samples = load_samples(orjson.dumps(real_records()), [Remap("/mnt/data", "/x")])
    assert len(samples) == 6_245
    assert all(str(path).startswith("/x/") for sample in samples for path in sample.frames)
    assert {bool(each.regions) for each in samples if each.item.task == "region_caption"} == {True}
    assert not any(each.regions for each in samples if each.item.task != "region_caption")
    slow = next(each for each in samples if each.fps == 0.1)
    assert [slow.second(index) for index in range(3)] == [0, 10, 20]


def test_a_regions_frame_is_named_by_its_place_or_its_path() -> None:
    (record,) = of_types("region_caption_gpt")
    box = record["RC_info"]["start_frame_bbox"]
    for named in (1, "1", record["video"][1]):
        changed = {**record, "RC_info": {"start_frame": named, "start_frame_bbox": box}}
        (sample,) = load_samples(orjson.dumps([changed]))
        assert sample.regions == (Region(1, (10, 20, 110, 120)),)


@pytest.mark.parametrize("change", [{"video": []}, {"video": None}, {"video": [1]},
                                    {"metadata": {"video_id": "v", "fps": "0"}}])  # fmt: skip
def test_records_that_cannot_be_shown_are_named(change: dict[str, Any]) -> None:
    (record,) = of_types("tal")
    with pytest.raises(UnusableSample, match=r"Record 0 \("):
        load_samples(orjson.dumps([{**record, **change}]))


def test_a_prefix_ends_at_a_folder() -> None:
    (record,) = of_types("tal")
    record = {**record, "video": ["/mnt/data/a.jpg", "/mnt/database/a.jpg"]}
    (sample,) = load_samples(orjson.dumps([record]), [Remap.parse("/mnt/data/=here/")])
    assert sample.frames == (Path("here/a.jpg"), Path("/mnt/database/a.jpg"))


def test_the_question_is_asked_as_it_stands_without_the_video_token(tmp_path: Path) -> None:
    (sample,) = load(write_test_set(tmp_path, of_types("stg")))
    (message,) = Prompts().messages(sample, FrameSettings(), "images")
    *frames, text = message["content"]
    assert text == {"type": "text", "text": sample.item.question}
    assert "<video>" not in text["text"]
    assert [part["type"] for part in frames] == ["image_url"] * 3
    (message,) = Prompts().messages(sample, FrameSettings(), "video")
    video, text = message["content"]
    url = video["video_url"]["url"]
    assert url.startswith("data:video/jpeg;base64,")
    assert [f"data:image/jpeg;base64,{each}" for each in url.partition(",")[2].split(",")] == [
        part["image_url"]["url"] for part in frames
    ]


def test_templates_go_by_qa_type_then_task_then_default() -> None:
    prompts = Prompts({"video_summary": "T {question}", "video_summary_gpt": "Q {question}",
                       "default": "D {question}"})  # fmt: skip
    asked = load_samples(orjson.dumps(of_types("video_summary_gpt", "video_summary_gemini", "tal")))
    assert [prompts.text(sample)[:2] for sample in asked] == ["Q ", "T ", "D "]


def test_a_one_shot_example_comes_first_with_its_answer(tmp_path: Path) -> None:
    folder = write_test_set(tmp_path, of_types("tal", "dense_captioning_gpt", name="ground_truth"))
    examples = load(folder)
    prompts = Prompts({"system": "You see surgery."}, examples)
    asked = load(write_test_set(tmp_path, of_types("tal", "dense_captioning_gemini", "stg")))
    chats = [prompts.messages(sample, FrameSettings(), "images") for sample in asked]
    assert [[message["role"] for message in chat] for chat in chats] == [
        ["system", "user", "assistant", "user"],
        ["system", "user", "assistant", "user"],
        ["system", "user"],
    ]
    assert chats[0][2]["content"] == examples[0].reference
    assert chats[1][2]["content"] == examples[1].reference


@pytest.mark.parametrize(("data", "words"), [
    (b"{", "no JSON"), (b"[]", "object"), (b'{"tal": 1}', "texts"),
    (b'{"tla": "{question}"}', "tla"),
    (b'{"tal": "When?"}', "{question}"),
])  # fmt: skip
def test_a_prompts_file_that_cannot_be_used_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(InvalidPrompts, match=words):
        read_templates(data)
