"""Intervals, rank intervals and comparisons on one's own machine, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from medvid.cli.main import app

RUNNER = CliRunner()
SOURCES = ("AVOS", "NurViD")


def truth_record(n: int) -> dict[str, Any]:
    """Return a question of one of 20 videos of two sources, of three tasks in turn."""
    qa_type, info, answer = (
        ("tal", [{"spans": [{"start": 0, "end": 10}]}], ""),
        ("skill_assessment", [{"skill_scores": {"Time and motion": n % 5 + 1}}], ""),
        ("video_summary", [], "a summary"),
    )[n % 3]
    return {
        "id": f"v&&{n}",
        "metadata": {"video_id": f"v{n % 20}", "fps": "1.0", "input_video_start_frame": str(n),
                     "input_video_end_frame": "999"},
        "qa_type": qa_type,
        "data_source": SOURCES[n % 20 % 2],
        "struc_info": info,
        "conversations": [{"from": "human", "value": f"{n}?"}, {"from": "gpt", "value": answer}],
    }  # fmt: skip


def prediction(n: int, *, good: bool) -> dict[str, Any]:
    end = 9 if good else 3 + n % 5
    text = (f"0-{end} seconds", f"Time and motion: {n % 5 + 1}/5", "words")[n % 3]
    return {"id": f"v&&{n}", "qa_type": truth_record(n)["qa_type"], "prediction": text}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    contents = {
        "truth": [truth_record(n) for n in range(120)],
        "good.v1": [prediction(n, good=True) for n in range(120)],
        "bad": [prediction(n, good=False) for n in range(120)],
        "empty": [prediction(n, good=True) | {"prediction": ""} for n in range(120)],
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    for name in ("good.v1", "bad"):
        run("score", folder / "truth.json", folder / f"{name}.json", "--replicates",
            folder / f"{name}.npz", "--version-label", "v", "--judge", "stub")  # fmt: skip
    return folder


def run(*arguments: object, status: int = 0) -> str:
    result = RUNNER.invoke(app, [str(each) for each in arguments])
    assert result.exit_code == status, result.output
    return result.output


def scored(files: Path, name: str, *more: str) -> dict[str, Any]:
    document = json.loads(run("score", files / "truth.json", files / name, "--json", *more))
    metrics: dict[str, Any] = document["metrics"]
    return metrics


def test_each_metric_has_its_intervals(files: Path) -> None:
    found = scored(files, "bad.json", "--judge", "stub")
    whole = found["tag_miou_03"]["intervals"]
    assert set(whole) == {"compat", "strict"}
    assert set(whole["compat"]) == {"se", "low", "high", "clusters", "undefined", "few_videos"}
    assert whole["compat"]["low"] < found["tag_miou_03"]["compat"] < whole["compat"]["high"]
    assert (whole["compat"]["clusters"], whole["compat"]["few_videos"]) == (20, False)
    assert set(found["vs_llm"]["intervals"]) == {"compat"}
    assert found["stg_miou"]["intervals"] == {"compat": None, "strict": None}
    assert found["rc_llm"]["intervals"] == {"compat": None}


def test_a_file_without_answers_has_intervals_where_it_has_values(files: Path) -> None:
    found = scored(files, "empty.json", "--judge", "stub")
    assert found["tag_miou_03"]["intervals"]["compat"] == {
        "se": 0.0, "low": 0.0, "high": 0.0, "clusters": 20, "undefined": 0, "few_videos": False,
    }  # fmt: skip
    assert found["sa_acc"]["intervals"]["compat"]["clusters"] == 0
    assert found["vs_llm"]["intervals"] == {"compat": None}


def test_the_version_decides_the_draws(files: Path) -> None:
    plain, labelled = scored(files, "bad.json"), scored(files, "bad.json", "--version-label", "v")
    again = scored(files, "bad.json", "--version-label", "v")
    assert plain["tag_miou_03"]["compat"] == labelled["tag_miou_03"]["compat"]
    assert plain["tag_miou_03"]["intervals"] != labelled["tag_miou_03"]["intervals"]
    assert labelled == again


def test_people_see_the_intervals_and_what_they_mean(files: Path) -> None:
    text = run("score", files / "truth.json", files / "bad.json")
    compat = scored(files, "bad.json")["tag_miou_03"]["intervals"]["compat"]
    assert f"{compat['low']:.3f} to {compat['high']:.3f} " in text
    assert "which videos were drawn" in text
    assert "fewer than 15 videos" not in text


def test_replicates_are_written_by_metric(files: Path) -> None:
    with np.load(files / "bad.npz", allow_pickle=False) as content:
        metrics = content["metrics"].tolist()
        assert metrics[:3] == ["cvs_acc", "nap_acc", "sa_acc"]
        assert metrics[-1] == "rc_llm"
        for scoring in ("compat", "strict"):
            assert content[scoring].shape == (10, 1000)
            assert content[scoring].dtype == np.float64
        judged = metrics.index("vs_llm")
        assert np.array_equal(content["compat"][judged], content["strict"][judged])
        assert str(content["model_name"]) == "bad"
        assert str(content["ground_truth_version"]) == "v"
        assert str(content["statistics_version"]) == "1"
        grounding = metrics.index("tag_miou_03")
        spread = float(np.std(content["strict"][grounding], ddof=1))
    found = scored(files, "bad.json", "--version-label", "v")["tag_miou_03"]
    assert spread == found["intervals"]["strict"]["se"]


@pytest.fixture
def rows(files: Path, tmp_path: Path) -> Path:
    names = {"good=1": "good.v1.json", "bad": "bad.json"}
    listed: list[dict[str, Any]] = [
        {"model_name": name, **{key: each["compat"] for key, each in scored(files, file).items()}}
        for name, file in names.items()
    ]
    path = tmp_path / "rows.json"
    path.write_text(
        json.dumps([*listed, {"model_name": "imported", "sa_acc": 0.5}, {"model_name": "-"}])
    )
    return path


def test_ranks_have_intervals(files: Path, rows: Path) -> None:
    options = (
        "--replicates",
        f"good=1={files}/good.v1.npz",
        "--replicates",
        f"bad={files}/bad.npz",
    )
    found = json.loads(run("rank", rows, "--json", *options))
    assert [row["model_name"] for row in found] == ["good=1", "bad", "imported", "-"]
    sure = {"rank_low": 1, "rank_high": 1, "first_share": 1.0, "may_be_best": True}
    assert found[0]["statistics"] == sure
    assert found[2]["statistics"]["rank_low"] == 3
    assert found[3]["statistics"] is None
    text = run("rank", rows, *options)
    assert "1 *" in text
    assert "may be the best" in text
    assert "statistics" not in json.loads(run("rank", rows, "--json"))[0]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["nobody={files}/bad.npz"], "names no row"),
        (["{files}/bad.npz"], "names no row"),
        (["bad={files}/bad.npz", "bad={files}/bad.npz"], "has replicates already"),
        (["bad={files}/missing.npz"], "Cannot read"),
        (["bad={files}/truth.json"], "holds no replicates"),
        (["bad={files}/other.npz"], "holds no replicates"),
        (["bad={files}/bad.npz", "good=1={files}/own.npz"], "different ground truths"),
    ],
)
def test_replicates_that_do_not_fit_are_refused(
    files: Path, rows: Path, options: list[str], reason: str
) -> None:
    np.savez(files / "other.npz", metrics=np.array(["cvs_acc"]))
    run("score", files / "truth.json", files / "good.v1.json", "--replicates", files / "own.npz")
    given = [part for each in options for part in ("--replicates", each.format(files=files))]
    assert reason in " ".join(run("rank", rows, *given, status=2).split())


def compared(files: Path, *more: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        run("compare-files", files / "good.v1.json", files / "bad.json", "--ground-truth",
            files / "truth.json", "--json", *more)
    )  # fmt: skip
    return found


def test_two_files_are_compared(files: Path) -> None:
    found = compared(files, "--version-label", "v", "--judge", "stub")
    assert (found["a"], found["b"]) == ("good.v1", "bad")
    assert (found["ground_truth_version"], found["statistics_version"]) == ("v", "1")
    assert list(found["metrics"]) == ["sa_acc", "tag_miou_03", "tag_miou_05", "vs_llm"]
    grounding = found["metrics"]["tag_miou_05"]
    assert set(grounding) == {"difference", "se", "low", "high", "p", "p_holm", "few_videos"}
    assert grounding["difference"] > 0.2
    assert grounding["p_holm"] < 0.001
    assert found["metrics"]["vs_llm"]["difference"] == 0
    assert found["metrics"]["vs_llm"]["p"] is None
    paired = [np.load(files / f"{name}.npz")["compat"] for name in ("good.v1", "bad")]
    replicates = paired[0][5] - paired[1][5]
    assert grounding["se"] == pytest.approx(float(np.std(replicates, ddof=1)))
    assert found["minimum_detectable"]["tag_miou_05"] == pytest.approx(2.8 * grounding["se"])


def test_a_comparison_is_said_in_plain_words(files: Path) -> None:
    arguments = ("compare-files", files / "good.v1.json", files / "bad.json", "--ground-truth")
    text = " ".join(run(*arguments, files / "truth.json").split())
    assert "A is ahead on 2 of 3 metrics, 2 of them beyond chance." in text
    assert "which videos were drawn" in text


def test_few_videos_are_said_to_decide_nothing(files: Path, tmp_path: Path) -> None:
    few = [record | {"metadata": record["metadata"] | {"video_id": "v0"}}
           for record in map(truth_record, range(120))]  # fmt: skip
    (tmp_path / "truth.json").write_text(json.dumps(few))
    arguments = ("compare-files", files / "good.v1.json", files / "bad.json", "--ground-truth")
    text = run(*arguments, tmp_path / "truth.json")
    assert "few videos: not decided" in text
    assert "none of them beyond chance" in text


def test_a_file_that_cannot_be_scored_is_refused(files: Path, tmp_path: Path) -> None:
    (tmp_path / "unknown.json").write_text(json.dumps([prediction(0, good=True) | {"id": "x"}]))
    arguments = ("compare-files", files / "bad.json", tmp_path / "unknown.json", "--ground-truth")
    assert "unknown_id" in run(*arguments, files / "truth.json", status=1)
