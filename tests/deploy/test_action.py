"""The GitHub Action and the pre-commit hook: their own scripts, run as they would be there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.manifests import ROOT
from tests.depth import deep
from tests.patience import HANG_SECONDS

RECORD: Final = {"id": "v&&0&&9&&1.0", "qa_type": "tal", "prediction": "1.0-2.0 seconds"}
ACTION: Final[dict[str, Any]] = yaml.safe_load((ROOT / "action.yml").read_text())


def step(name: str) -> dict[str, Any]:
    (found,) = [each for each in ACTION["runs"]["steps"] if each["name"] == name]
    return dict(found)


def run_step(name: str, folder: Path, inputs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a step's script with its inputs in the environment, medvid from where we run."""
    runner = folder / "runner" / "medvid" / "bin"
    runner.mkdir(parents=True, exist_ok=True)
    if not (runner / "medvid").exists():
        (runner / "medvid").symlink_to(Path(sys.executable).with_name("medvid"))
    given = {
        key: inputs.get(value.removeprefix("${{ inputs.").removesuffix(" }}"), "")
        for key, value in step(name)["env"].items()
    }
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "NO_COLOR": "1",
                   "RUNNER_TEMP": str(folder / "runner"), **given}  # fmt: skip
    return subprocess.run(  # noqa: S603 - as GitHub runs 'shell: bash'
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step(name)["run"]],  # noqa: S607
        cwd=folder, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS,
    )  # fmt: skip


def test_no_input_stands_in_a_script() -> None:
    for each in ACTION["runs"]["steps"]:
        assert "${{" not in each["run"], each["name"]
        for value in each.get("env", {}).values():
            name = value.removeprefix("${{ inputs.").removesuffix(" }}")
            assert name in ACTION["inputs"], value


def test_a_valid_file_passes_and_a_bad_line_is_annotated(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "a,b: bad.jsonl"
    good.write_text(f"{json.dumps(RECORD)}\n" * 2)
    bad.write_text(f"{json.dumps(RECORD)}\n" + json.dumps(RECORD | {"qa_type": "x\n::error::y"}))
    done = run_step("Validate", tmp_path, {"file": str(good)})
    assert done.returncode == 0, done.stderr
    assert "::error" not in done.stdout
    assert "::warning" in done.stdout  # fewer records than a submission needs
    done = run_step("Validate", tmp_path, {"file": str(bad)})
    assert done.returncode == 1
    (error,) = [line for line in done.stdout.splitlines() if line.startswith("::error")]
    assert "a%2Cb%3A bad.jsonl,line=2,title=unknown_qa_type::" in error


def test_the_test_set_is_used_where_it_is_given(tmp_path: Path) -> None:
    file, test_set = tmp_path / "p.json", tmp_path / "t.json"
    file.write_text(json.dumps([RECORD]))
    test_set.write_text(json.dumps([RECORD | {"id": "other&&0&&9&&1.0"}, RECORD]))
    done = run_step("Validate", tmp_path, {"file": str(file), "test-set": str(test_set)})
    assert done.returncode == 0, done.stderr
    assert "1 of 2 samples answered" in done.stdout


@deep
def test_a_submission_without_a_server_says_so(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(json.dumps([RECORD]))
    inputs = {"file": str(file), "url": "http://127.0.0.1:9", "model-name": "M; exit 0",
              "organization": "$(exit 0)"}  # fmt: skip
    done = run_step("Submit", tmp_path, inputs)
    assert done.returncode not in (0, 2), done.stdout + done.stderr


@pytest.mark.parametrize(("qa_type", "status"), [pytest.param("tal", 0, marks=deep), ("x", 1)])
def test_the_pre_commit_hook_checks_each_file(tmp_path: Path, qa_type: str, status: int) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    good, other = tmp_path / "good.json", tmp_path / "an other.json"
    good.write_text(json.dumps([RECORD]))
    other.write_text(json.dumps([RECORD | {"qa_type": qa_type}]))
    hooks = {"id": hook["id"], "name": hook["name"], "entry": hook["entry"],
             "language": hook["language"], "files": r"\.json$"}  # fmt: skip
    config = tmp_path / ".pre-commit-config.yaml"
    config.write_text(yaml.safe_dump({"repos": [{"repo": "local", "hooks": [hooks]}]}))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(tmp_path), "PRE_COMMIT_HOME": str(tmp_path / "home"),
                   "GIT_CONFIG_GLOBAL": os.devnull}  # fmt: skip
    run = [sys.executable, "-m", "pre_commit", "run", "--files", str(good), str(other)]
    for command in (["git", "init", "-q"], run):
        done = subprocess.run(  # noqa: S603 - our own hook
            command, cwd=tmp_path, env=environment, capture_output=True, text=True,
            timeout=HANG_SECONDS,
        )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    assert ("unknown_qa_type" in done.stdout) == (status == 1)
