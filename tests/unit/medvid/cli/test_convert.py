"""`medvid convert`: whatever form inference wrote, the server reads the same records from it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.benchmark.decoding import SUBMISSION_LIMITS, decode
from medvid.benchmark.report import Problems
from medvid.benchmark.submission import Record, read_records
from medvid.cli.conversion.convert import Options, convert_files
from medvid.cli.convert import convert, document
from tests.commands import status_of

# Lone surrogates are refused, and a NUL may stand in predictions only.
CLEAN = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NAME = st.text(CLEAN, min_size=1, max_size=8)
QA_TYPES = st.sampled_from(["tal", "stg", "dc", "video_summary_gpt", "skill_assessment"])
METADATA = st.fixed_dictionaries({
    "video_id": NAME, "input_video_start_frame": NAME, "input_video_end_frame": NAME, "fps": NAME,
})  # fmt: skip
SURPLUS = st.fixed_dictionaries(
    {},
    optional={"gnd": st.text(CLEAN), "struc_info": st.lists(st.integers()), "R2": st.floats(1, 5)},
)
INFERENCE = st.builds(
    lambda surplus, rest: surplus | rest,
    SURPLUS,
    st.fixed_dictionaries(
        {"metadata": METADATA, "qa_type": QA_TYPES, "answer": TEXT},
        optional={"question": st.text(CLEAN, max_size=20)},
    ),
)
SUBMISSION = st.fixed_dictionaries(
    {"id": NAME, "qa_type": QA_TYPES, "prediction": TEXT},
    optional={"question": st.text(CLEAN, max_size=20)},
)
RECORDS = st.lists(INFERENCE | SUBMISSION, min_size=1, max_size=8)
KEYS = st.lists(st.integers(0, 40), unique=True, min_size=8, max_size=8)


def dumped(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def read(data: bytes) -> list[tuple[object, ...]]:
    """What the server reads of a file."""
    problems = Problems()
    records = read_records(decode(data, SUBMISSION_LIMITS), SUBMISSION_LIMITS, problems)
    assert problems.count == 0, problems.first
    return facts(records)


def facts(records: list[Record]) -> list[tuple[object, ...]]:
    return [(r.position, r.id, r.qa_type, r.question or None, r.prediction) for r in records]


def converted(*files: bytes, **options: Any) -> bytes:
    problems = Problems()
    named = {f"file {n}": data for n, data in enumerate(files)}
    records = convert_files(named, problems, Options(**options)).records
    assert problems.count == 0, problems.first
    return document(records)


@given(RECORDS)
def test_a_converted_file_reads_as_the_original_does(records: list[dict[str, Any]]) -> None:
    data = dumped(records)
    assert read(converted(data)) == read(data)
    assert read(converted(gzip.compress(data))) == read(data)


@given(RECORDS, KEYS)
def test_so_does_an_object_with_positions_also_in_shards(
    records: list[dict[str, Any]], keys: list[int]
) -> None:
    keyed = dict(zip(map(str, keys), records, strict=False))
    expected = read(dumped(keyed))
    assert read(converted(dumped(keyed))) == expected
    shards = [dict(list(keyed.items())[n::3]) for n in range(3)]
    assert read(converted(*(dumped(shard) for shard in shards if shard))) == expected


@given(RECORDS)
def test_so_do_json_lines_and_files_one_after_the_other(records: list[dict[str, Any]]) -> None:
    expected = read(dumped(records))
    lines = b"\n".join(dumped(record) for record in records)
    assert read(converted(lines)) == expected
    cut = len(records) // 2
    parts = [part for part in (records[:cut], records[cut:]) if part]
    assert read(converted(*(dumped(part) for part in parts))) == expected


@given(RECORDS)
def test_nothing_but_what_counts_is_kept(records: list[dict[str, Any]]) -> None:
    for row in json.loads(converted(dumped(records))):
        assert row.keys() <= {"id", "qa_type", "question", "prediction"}


def test_the_text_may_be_in_a_field_of_another_name() -> None:
    record = {"id": "v", "qa_type": "tal", "response": "1-2", "prediction": "not this"}
    assert read(converted(dumped([record]), answer_field="response"))[0][-1] == b"1-2"


def test_the_command_writes_packs_and_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def convert_to(output: Path, *files: Path, **changes: Any) -> int:
        options = {"answer_field": None, "ground_truth": None, "test_set": None, "force": False}
        return status_of(convert, list(files), output, **(options | changes))

    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(dumped([{"id": "v", "qa_type": "tal", "prediction": "1-2"}]))
    bad.write_bytes(dumped([{"id": "v", "qa_type": "tall", "prediction": "1-2"}]))
    output = tmp_path / "out.json.gz"
    assert convert_to(output, good) == 0
    assert read(output.read_bytes()) == read(good.read_bytes())
    assert "1 records written" in capsys.readouterr().out
    assert convert_to(output, good) == 2
    assert "--force" in capsys.readouterr().err
    assert convert_to(good, good, force=True) == 2  # it would be its own input
    assert convert_to(tmp_path / "none.json", good, bad) == 1
    assert f"{bad}: $[0].qa_type" in capsys.readouterr().err
    assert not (tmp_path / "none.json").exists()
    assert convert_to(tmp_path / "none.json", tmp_path / "nowhere.json") == 2
    assert "nowhere.json" in capsys.readouterr().err
