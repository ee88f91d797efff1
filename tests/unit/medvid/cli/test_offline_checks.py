"""`medvid validate` and `medvid rank`: exit status, JSON and readable errors."""

import json
from pathlib import Path
from typing import Any

import pytest

from medvid.cli.printing import NO_RANK
from medvid.cli.rank import rank
from medvid.cli.validate import validate
from tests.commands import status_of

RECORD: dict[str, Any] = {
    "metadata": {
        "video_id": "v",
        "fps": "1.0",
        "input_video_start_frame": "0",
        "input_video_end_frame": "9",
    },
    "qa_type": "next_action",
    "data_source": "AVOS",
    "struc_info": [],
    "conversations": [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "cut"}],
}
PREDICTION = {"id": "v&&0&&9&&1.0", "qa_type": "next_action", "prediction": "[bold]cut"}


def write(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def test_validate_against_a_small_split_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = write(tmp_path / "truth.json", [RECORD])
    predictions = write(tmp_path / "predictions.json", [PREDICTION])
    assert status_of(validate, predictions, truth, None, as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["coverage"], document["mode"]) == (True, 1.0, "position")
    assert status_of(validate, predictions, None, truth, as_json=False) == 0
    assert "1 of 1 samples answered" in capsys.readouterr().out


def test_validate_names_problem_and_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = write(tmp_path / "truth.json", [RECORD])
    predictions = write(tmp_path / "p.json", [PREDICTION | {"id": "v&&0&&9&&2"}, PREDICTION])
    assert status_of(validate, predictions, truth, None, as_json=False) == 1
    shown = capsys.readouterr().out
    assert "unknown_id at $[0].id" in shown
    assert 'Did you mean "v&&0&&9&&1.0"?' in shown


def test_of_a_file_that_cannot_be_read_the_errors_stand_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = {name.replace("prediction", "response"): text for name, text in PREDICTION.items()}
    truth = write(tmp_path / "truth.json", [RECORD])
    predictions = write(tmp_path / "p.json", [renamed])
    assert status_of(validate, predictions, truth, None, as_json=False) == 1
    shown = capsys.readouterr().out
    assert shown.split()[0] == "Errors"  # no table of zeros, and nothing to do but this:
    assert "--answer-field response" in shown


def test_validate_without_a_test_set_checks_the_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = write(tmp_path / "p.json", [PREDICTION] * 100)
    assert status_of(validate, many, None, None, as_json=False) == 0
    assert "The format of 100 records is valid" in capsys.readouterr().out


def test_validate_says_which_file_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions = write(tmp_path / "p.json", [PREDICTION])
    assert status_of(validate, tmp_path / "none.json", None, None, as_json=False) == 2
    assert status_of(validate, predictions, predictions, None, as_json=False) == 2
    assert status_of(validate, predictions, predictions, predictions, as_json=False) == 2
    complaints = capsys.readouterr().err
    assert "Cannot read" in complaints
    assert "problem(s) in the ground truth" in complaints
    assert "not both" in complaints


def test_rank_orders_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = write(
        tmp_path / "rows.json",
        [{"model_name": "low", "cvs_acc": 0.1}, {"model_name": "[b]high", "cvs_acc": 1}],
    )
    assert status_of(rank, rows, as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(row["model_name"], row["rank"], row["mean_rank"]) for row in document] == [
        ("[b]high", 1, 1.0), ("low", 2, 1.1),
    ]  # fmt: skip
    assert status_of(rank, rows, as_json=False) == 0
    assert "CVS_acc" in capsys.readouterr().out


def test_rank_lists_rows_without_any_value_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write(
        tmp_path / "rows.json",
        [
            {"model_name": "nothing"},
            *({"model_name": str(value), "cvs_acc": value} for value in (0.5, 0.5001, 0.1)),
        ],
    )
    assert status_of(rank, rows, "dense", as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(row["rank"], row["ranks"].get("cvs_acc")) for row in document] == [
        (1, 1), (2, 1), (3, 2), (None, None),
    ]  # fmt: skip
    assert {tuple(row) for row in document} == {tuple(document[0])}
    assert status_of(rank, rows, as_json=False) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[:3] == [NO_RANK, "nothing", NO_RANK]


def test_rank_names_bad_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = write(tmp_path / "rows.json", [{"model_name": "a", "cvs_acc": "0.1"}, 5, {}])
    assert status_of(rank, rows, as_json=False) == 1
    complaints = " ".join(capsys.readouterr().err.split())
    assert "3 error(s)" in complaints
    assert "$[0].cvs_acc" in complaints
    assert status_of(rank, tmp_path / "none.json", as_json=False) == 2
