"""Rewards through verl itself: its loader, its reward manager, its tensors.

It runs in an environment of its own (`tests/vision_environment.py`), with an older numpy than ours.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import medvid.rewards.verl
from medvid.benchmark.tasks import SCORINGS
from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.vision_environment import ROOT, vision_environment

RULED = ("tal", "stg", "dense_captioning_gpt", "cvs_assessment", "skill_assessment", "next_action")
pytestmark = deep


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("path", [medvid.rewards.verl.__file__, "pkg://medvid.rewards.verl"])
def test_verl_gets_the_metrics_values(tmp_path: Path, path: str, scoring: str) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        (case["ground_truth"], case["prediction"])
        for qa_type in RULED
        for case in json.loads((ROOT / "tests" / "golden" / f"{qa_type}.json").read_text())["cases"]
    ]
    # Characters are tokens there, and one of them is the padding.
    cases = [case for case in cases if "\0" not in case[1]]
    file = tmp_path / "cases.json"
    file.write_text(json.dumps(cases))
    done = subprocess.run(  # noqa: S603 - our own script
        [vision_environment() / "bin" / "python", ROOT / "tests" / "verl_rewards.py",
         path, file, scoring],
        capture_output=True, text=True, timeout=HANG_SECONDS,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    for (record, text), reward in zip(cases, found, strict=True):
        ours = medvid.rewards.verl.compute_score("", text, record, scoring=scoring)
        assert reward["reward_score"] == pytest.approx(ours["score"], abs=1e-9)
        assert reward["reward_extra_info"]["value"] == pytest.approx(ours["value"], abs=1e-9)
