"""Whole files in every layout that people produce, converted, checked and submitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import orjson

from medvid.benchmark.report import Problems
from medvid.benchmark.test_set_file import load_test_set
from medvid.cli.conversion.convert import Options, convert_files
from medvid.cli.convert import document
from shared.storage.database import Database
from tests.acceptance.gateway_harness import (
    SAMPLES,
    public_test_set,
    records,
    running_gateway,
)
from tests.acceptance.test_dry_run_api import validate
from tests.depth import deep

LAYOUTS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "cases" / "formats" / "layouts.json").read_bytes()
)
WITH: Final = {
    "field_model_output.json": Options("model_output"),
    "field_response_with_id.json": Options("response"),
    "predict_label.jsonl": Options(by_position=True),
    "prediction_missing_failed.json": Options(failed="skip"),
    "records_resumed.jsonl": Options(failed="skip"),
    "resumed_twice_last_wins.jsonl": Options(last_wins=True),
    "space_format1_response.json": Options("response"),
    "whole_test_record_gpt_turn.json": Options("conversations"),
}
"""What the errors of these layouts say to give; the others need nothing."""
NOTHING: Final = "parsed.jsonl"
"""It has no text of the model."""


def one(name: str, index: int, sample: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """A record in the form of a layout's first one, with a sample's id and text."""
    layout = LAYOUTS[name]
    template = next(iter(layout.values() if isinstance(layout, dict) else layout))
    template = template[0] if isinstance(template, list) else template
    question = sample["conversations"][0]["value"]
    text, qa_type = record["prediction"], record["qa_type"]
    known = {
        **dict.fromkeys(("prediction", "answer", "response", "model_output", "predict"), text),
        "id": record["id"].removesuffix(".0") if name == "fps_int_in_id.json" else record["id"],
        "qa_type": qa_type.upper() if name == "qa_upper.json" else qa_type,
        "sample_id": f"{index:06}::{record['id']}::{qa_type}",
        "sample_key": str(index),
        "metadata": sample["metadata"],
        "data_source": sample.get("data_source"),
        "question": question,
        "prompt": question,
        "conversations": [sample["conversations"][0], {"from": "gpt", "value": text}],
    }
    if name == "qa_no_suffix.json":
        known["qa_type"] = qa_type.removesuffix("_gpt").removesuffix("_gemini")
    filled = {key: known.get(key, value) for key, value in template.items()}
    if filled.get("status") == "error":  # of a run that was resumed: one failed, the others not
        filled = {"sample_key": str(index), "id": record["id"], "qa_type": qa_type}
        filled |= {"status": "ok", "prediction": text} if index else {"status": "error"}
    if name == "prediction_missing_failed.json" and index:
        filled["prediction"] = text
    return filled


def whole(name: str) -> bytes:
    """A file of all samples in a layout."""
    samples = orjson.loads(public_test_set())
    rows = [one(name, *each) for each in zip(range(SAMPLES), samples, records(), strict=True)]
    if name == "resumed_twice_last_wins.jsonl":
        rows = [{**rows[0], "prediction": "first"}, *rows]
    if name.endswith(".jsonl"):
        return b"".join(orjson.dumps(row) + b"\n" for row in rows)
    layout = LAYOUTS[name]
    if isinstance(layout, dict) and isinstance(next(iter(layout.values())), list):
        return orjson.dumps({next(iter(layout)): rows})
    content = {str(n): row for n, row in enumerate(rows)} if isinstance(layout, dict) else rows
    return (b"\xef\xbb\xbf" if name == "bom.json" else b"") + orjson.dumps(content)


@deep
async def test_every_layout_is_scored_or_its_error_names_what_helps(database: Database) -> None:
    test_set = load_test_set(public_test_set())
    async with running_gateway(database) as gateway:
        for name in LAYOUTS:
            content, options = whole(name), WITH.get(name, Options())
            _, raw = await validate(gateway, content)
            assert raw["ok"] or raw["errors"][0]["fix"], name
            problems = Problems()
            done = convert_files({name: content}, problems, options, test_set)
            if name == NOTHING:
                assert "No field holds a text" in problems.first[0].fix
                continue
            assert problems.first == [], (name, problems.first)
            status, receipt = await gateway.submit(document(done.records), evaluate_only="false")
            assert status == 202, (name, receipt)
            report = (await gateway.status(receipt["id"], receipt["owner_token"]))["report"]
            lost = name in ("prediction_missing_failed.json", "records_resumed.jsonl")
            assert report["answered"] == SAMPLES - lost, name
