"""Every layout of `tests/cases/formats/layouts.json`: what is read, and the cure of what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medvid.benchmark.report import Problems
from medvid.benchmark.validation import check_format
from medvid.cli.conversion.convert import Options, convert_files

CASES = Path(__file__).parents[3] / "cases"
LAYOUTS: dict[str, Any] = json.loads((CASES / "formats" / "layouts.json").read_bytes())
TAL = b"56.9-154.8, 158.1-174.8, 219.7-224.5, 300.8-339.6, 378.6-392.5 seconds."
NUR = "nur_6313&&26195&&38670&&1.0"
KNIFE = b"dissect flap tissue with knife"

READ = ""
"""What the server says of a file that it reads."""
EXPECTED: dict[str, tuple[str, list[tuple[str, bytes]] | str]] = {
    # file: (what the server's error says, what convert reads, or what its error says)
    "bom.json": (READ, [(NUR, TAL)]),
    "dict_by_index.json": (READ, [(NUR, TAL), ("20_part7&&36939&&43064&&0.5", KNIFE)]),
    "sample_id_answer.jsonl": (
        "medvid convert FILE -o",
        [(NUR, TAL), ("20_part7&&36939&&43064&&0.5", KNIFE)],
    ),
    "field_model_output.json": ("--answer-field model_output", [(NUR, TAL)]),
    "field_response_with_id.json": ("--answer-field response", [(NUR, TAL)]),
    "fps_int_in_id.json": (READ, [("nur_6313&&26195&&38670&&1", TAL)]),
    "gpu1.json": (
        READ,
        [
            ("20_part7&&36939&&43064&&0.5", KNIFE),
            ("1d2MQ-f92SM&&35597&&41422&&1.0", b" cutting\n"),
        ],
    ),
    "predict_label.jsonl": ("--by-position --test-set", "--by-position --test-set"),
    "meta_numbers.json": (READ, [(NUR, TAL)]),
    "prediction_dict_cvs.json": (READ, [(NUR, TAL)]),
    "prediction_missing_failed.json": ("--failed skip", "No field holds a text"),
    "qa_no_suffix.json": (READ, [(NUR, TAL)]),
    "qa_upper.json": ('Did you mean "tal"?', [(NUR, TAL)]),
    "resumed_twice_last_wins.jsonl": (
        READ,
        [(NUR, b"old"), ("20_part7&&36939&&43064&&0.5", b"old")],
    ),
    "shuffled_with_question.json": (READ, [("VID107&&959&&1684&&2.0", b"2.0-6.2 seconds: The")]),
    "space_format1_response.json": ("--answer-field response", [(NUR, TAL)]),
    "submission_list.json": (READ, [(NUR, TAL)]),
    "parsed.jsonl": ("No field holds a text", "No field holds a text"),
    "records_resumed.jsonl": ("--failed skip", "--failed skip"),
    "vllm_results_dict.json": (READ, [(NUR, TAL), ("20_part7&&36939&&43064&&0.5", KNIFE)]),
    "whole_test_record_gpt_turn.json": (
        "--answer-field conversations",
        "--answer-field conversations",
    ),
    "wrapper_data.json": ("medvid convert FILE", [(NUR, TAL)]),
    "wrapper_predictions.json": ("medvid convert FILE", [(NUR, TAL)]),
}


def written(name: str) -> bytes:
    """A layout's file."""
    layout = LAYOUTS[name]
    if name.endswith(".jsonl"):
        return "".join(json.dumps(record) + "\n" for record in layout).encode()
    return (b"\xef\xbb\xbf" if name == "bom.json" else b"") + json.dumps(layout).encode()


def test_every_layout_is_expected() -> None:
    assert LAYOUTS.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_the_server_reads_a_layout_or_names_the_cure(name: str) -> None:
    report = check_format(written(name), minimum_records=0)
    expected = EXPECTED[name][0]
    if expected == READ:
        assert report.ok
        assert report.answered == len(LAYOUTS[name])
    else:
        (problem,) = report.problems
        assert expected in problem.fix
    assert "null" not in " ".join(problem.fix for problem in report.problems)


@pytest.mark.parametrize("name", EXPECTED)
def test_convert_reads_a_layout_or_names_the_cure(name: str) -> None:
    problems = Problems()
    done = convert_files({name: written(name)}, problems, Options())
    expected = EXPECTED[name][1]
    if isinstance(expected, str):
        (problem,) = problems.first
        assert expected in problem.fix
        assert problem.count == len(LAYOUTS[name])
    else:
        assert problems.first == []
        assert [(record.id, record.prediction[:20]) for record in done.records] == [
            (identity, text[:20]) for identity, text in expected
        ]
        assert done.notes


@pytest.mark.parametrize(
    ("name", "found", "fix"),
    [
        ("prediction_nan.json", '"NaN}" at byte 1462', "--failed skip"),
        ("predictions.tar.gz", 'a tar archive that holds "predictions.json"', "Unpack it"),
        ("board_cp1252.csv", "a table (CSV or TSV)", "Send predictions"),
        ("board_blank_rows.csv", "a table (CSV or TSV)", "Send predictions"),
        ("ground_truth.json.gz", 'object with "metadata"', "--answer-field conversations"),
    ],
)
def test_no_upload_of_another_kind_passes(name: str, found: str, fix: str) -> None:
    report = check_format((CASES / "uploads" / name).read_bytes())
    (problem,) = report.problems
    assert found in problem.found
    assert fix in problem.fix
