"""The JSON Schema takes what the reader takes, and refuses what it refuses."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from medvid.benchmark.decoding import SUBMISSION_LIMITS
from medvid.benchmark.submission_schema import submission_schema
from medvid.benchmark.tasks import QA_TYPES
from medvid.benchmark.validation import check_format
from tests.vision import DATA

ROOT = Path(__file__).parents[4]
SCHEMA = submission_schema()
FILE = Draft202012Validator(SCHEMA)
LINE = Draft202012Validator({"$ref": "#/$defs/record", "$defs": SCHEMA["$defs"]})

nul = st.sampled_from(["", "\0", "a\0", "\0\n", "\n\0", "a"])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | nul
odd = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | texts
values = st.recursive(
    odd,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
windows = ("input_video_start_frame", "input_video_end_frame", "start_frame", "end_frame",
           "input_video_start_time", "input_video_end_time")  # fmt: skip
metadata = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("video_id", "fps", *windows, "more"), odd)
) | st.fixed_dictionaries(
    {"video_id": st.just("v"), "fps": st.just(1.0)},
    optional=dict.fromkeys((*windows, "more"), odd),
)
qa_types = st.sampled_from([*QA_TYPES, "TAL", "", "dvc"]) | odd
fields: Mapping[str, st.SearchStrategy[Any]] = {
    "id": texts | odd, "metadata": metadata | values, "question": texts | values,
    "prediction": texts | values, "answer": texts | values, "more": values, "a\0": odd,
    "custom_id": odd, "response": values, "index": odd,
}  # fmt: skip
records = (
    st.fixed_dictionaries({"qa_type": qa_types}, optional=dict(fields))
    | st.fixed_dictionaries(
        {"id": texts, "qa_type": st.sampled_from(QA_TYPES), "prediction": texts},
        optional={"question": texts | odd, "more": values, "answer": texts},
    )
    | st.fixed_dictionaries(
        {"metadata": metadata, "qa_type": st.sampled_from(QA_TYPES), "answer": texts},
        optional={"question": texts | odd, "more": values, "prediction": texts},
    )
    | values
)


def server_accepts(record: object) -> bool:
    return check_format(orjson.dumps([record]), minimum_records=0).ok


@given(records)
@example({"id": "v", "qa_type": "tal", "prediction": "\0"})
@example({"id": "v", "qa_type": "tal", "prediction": "", "answer": "\0"})
@example({"metadata": {"video_id": 1, "fps": "1"}, "qa_type": "tal", "answer": "\0"})
@example({"metadata": {"video_id": 1, "fps": True}, "qa_type": "tal", "answer": ""})
@example({"index": 1, "prediction": "x"})
def test_a_record_is_taken_exactly_where_the_server_takes_it(record: object) -> None:
    assert LINE.is_valid(record) == server_accepts(record)
    assert FILE.is_valid([record]) == server_accepts(record)


@pytest.mark.parametrize(("field", "limit"), [
    ("id", SUBMISSION_LIMITS.id_bytes), ("prediction", SUBMISSION_LIMITS.prediction_bytes),
])  # fmt: skip
def test_sizes_agree_for_ascii(field: str, limit: int) -> None:
    for length in (limit, limit + 1):
        record = {"id": "v", "qa_type": "tal", "prediction": "", field: "x" * length}
        assert LINE.is_valid(record) == server_accepts(record) == (length == limit)


@pytest.mark.parametrize("name", ["predictions_weak", "predictions_hostile", "results_strong"])
def test_whole_files_are_valid(name: str) -> None:
    content = orjson.loads(gzip.decompress((DATA / f"{name}.json.gz").read_bytes()))
    rows = list(content.values())[:200] if isinstance(content, dict) else content[:200]
    assert FILE.is_valid(rows)
    assert FILE.is_valid({str(place): row for place, row in enumerate(rows)})
    assert not FILE.is_valid([])


def test_the_copy_at_its_stable_address_is_this_schema() -> None:
    """Written by: medvid schema > docs/submission.schema.json."""
    copy = orjson.loads((ROOT / "docs" / "submission.schema.json").read_bytes())
    assert copy == SCHEMA
    Draft202012Validator.check_schema(copy)
