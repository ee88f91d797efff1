"""Cases in which an earlier build differed from the published evaluator: `medvid score` agrees."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from medvid.cli.main import app

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "parity_regressions.json").read_text()
)["cases"]


@pytest.fixture(params=CASES, ids=[case["name"] for case in CASES])
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


@pytest.fixture
def scored(case: dict[str, Any], tmp_path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Score the case's files with the command; return its document and its line a sample."""
    truth, predictions = tmp_path / "truth.json", tmp_path / "predictions.json"
    lines = tmp_path / "samples.jsonl"
    truth.write_text(json.dumps(case["ground_truth"]))
    predictions.write_text(json.dumps(case["predictions"]))
    arguments = ["score", str(truth), str(predictions), "--json", "--per-sample", str(lines)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), [json.loads(line) for line in lines.read_text().splitlines()]


def test_the_metric_has_the_published_value(
    case: dict[str, Any], scored: tuple[dict[str, Any], list[dict[str, Any]]]
) -> None:
    document, _ = scored
    found = document["metrics"][case["metric"]]["compat"]
    assert found == pytest.approx(case["right_value"], rel=0, abs=1e-9)


def test_the_parser_reads_what_the_published_one_reads(
    case: dict[str, Any], scored: tuple[dict[str, Any], list[dict[str, Any]]]
) -> None:
    _, samples = scored
    published = case.get("published_records")
    if published:  # not every case lists what is read
        assert [read(case["metric"], sample) for sample in samples] == published


def read(metric: str, sample: Mapping[str, Any]) -> object:
    """Return a sample's values in the form that the published records of its metric have."""
    if metric != "dvc_f1":
        return sample["parsed"]
    return {
        "parsed": sample["parsed"],
        "f1": sample.get("f1"),
        "caption_pairs": sample["caption_pairs"],
    }
