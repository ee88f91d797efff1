"""`medvid score`: files in, JSON or a table out; bad files refused with every reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from medvid.cli.main import app

RUNNER = CliRunner()


def record(qa_type: str, info: object, answer: str, video: str) -> dict[str, Any]:
    return {
        "metadata": {"video_id": video, "fps": "1.0", "input_video_start_frame": "0",
                     "input_video_end_frame": "9"},
        "qa_type": qa_type,
        "data_source": "AVOS",
        "struc_info": info,
        "conversations": [{"from": "human", "value": "<video>\n?"},
                          {"from": "gpt", "value": answer}],
    }  # fmt: skip


TRUTH = [
    record("tal", [{"action": "x", "spans": [{"start": 1, "end": 3}]}], "", "a"),
    record("dense_captioning_gpt", [{"start": 1, "end": 3, "caption": "c"}], "", "b"),
    record("video_summary_gpt", [], "summary", "c"),
]
PREDICTIONS = [
    {"id": "a&&0&&9&&1.0", "qa_type": "tal", "prediction": "1-3 seconds"},
    {"id": "b&&0&&9&&1.0", "qa_type": "dense_captioning_gpt", "prediction": "1-3 seconds: \x00"},
    {"id": "c&&0&&9&&1.0", "qa_type": "video_summary_gpt", "prediction": "text"},
]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    truth, predictions = tmp_path / "truth.json.gz", tmp_path / "predictions.json"
    truth.write_bytes(gzip.compress(json.dumps(TRUTH).encode()))
    predictions.write_text(json.dumps(PREDICTIONS))
    return truth, predictions


def test_json_has_each_metric_with_its_sources(files: tuple[Path, Path]) -> None:
    result = RUNNER.invoke(app, ["score", *map(str, files), "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    scores = {"compat": 1.0, "strict": 1.0, "answered": 1, "expected": 1}
    found = document["metrics"]["tag_miou_03"]
    del found["intervals"]
    assert found == scores | {"by_source": {"AVOS": scores}}
    assert document["metrics"]["stg_miou"]["compat"] is None
    assert "vs_llm" not in document["metrics"]
    assert document["coverage"] == {"predicted": 3, "samples": 3, "share": 1.0}


def test_the_stub_judge_adds_its_metrics(files: tuple[Path, Path]) -> None:
    result = RUNNER.invoke(app, ["score", *map(str, files), "--json", "--judge", "stub"])
    found = json.loads(result.stdout)["metrics"]["dvc_llm"]
    assert 1 <= found["compat"] <= 5
    assert (found["pairs"], found["distinct_pairs"], found["scored"]) == (3, 1, 3)
    assert found["by_source"]["AVOS"]["pairs"] == 3


def test_per_sample_lines_in_test_set_order(files: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    arguments = ["score", *map(str, files), "--per-sample", str(out), "--judge", "stub"]
    assert RUNNER.invoke(app, arguments).exit_code == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["id"][0] for line in lines] == ["a", "b", "c"]
    assert lines[0]["miou@0.3"] == 1
    assert lines[1]["parsed"] == [[1, 3, "\x00"]]
    assert lines[1]["caption_pairs"] == {"0.3": 1, "0.5": 1, "0.7": 1}
    assert 1 <= lines[2]["R2"] <= 5


def test_people_get_a_table(files: tuple[Path, Path]) -> None:
    result = RUNNER.invoke(app, ["score", *map(str, files)])
    assert result.exit_code == 0
    assert "TAG_mIoU@0.3" in result.stdout
    assert "3 of 3 samples" in result.stdout


def test_bad_predictions_are_refused_with_the_reason(files: tuple[Path, Path]) -> None:
    files[1].write_text(json.dumps([PREDICTIONS[0] | {"id": "unknown"}]))
    result = RUNNER.invoke(app, ["score", *map(str, files), "--json"])
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert (error["code"], error["report"]["problems"][0]["code"]) == ("invalid_file", "unknown_id")
    assert "unknown_id" in result.stderr


def test_a_bad_ground_truth_is_refused_with_the_field(files: tuple[Path, Path]) -> None:
    broken = record("tal", [{"spans": [{"start": None, "end": 1}]}], "", "a")
    files[0].write_text(json.dumps([broken]))
    result = RUNNER.invoke(app, ["score", *map(str, files)])
    assert result.exit_code == 1
    assert "spans[0].start" in result.stderr
