"""`./scripts/participant`: a participant's whole way, with the programs that people run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import orjson
import pytest

from tests.depth import deep
from tests.patience import HANG_SECONDS

ROOT = Path(__file__).parents[2]


@deep
def test_from_frames_to_a_judged_entry(tmp_path: Path) -> None:
    folder = tmp_path / "participant"
    done = subprocess.run(  # noqa: S603 - our own script
        [ROOT / "scripts" / "participant", folder],
        capture_output=True, text=True, timeout=HANG_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("answers on disk") == 5
    lines = (folder / "stg.records.jsonl").read_bytes().splitlines()[1:]
    assert len({orjson.loads(line)["index"] for line in lines}) == len(lines) == 40
    overlaid = orjson.loads((folder / "merged.manifest.json").read_bytes())
    assert (overlaid["replaced"], overlaid["unchanged"]) == (40, 300)
    assert (folder / "report.html").read_text().count("<rect") == 10
    assert "judging: completed" in done.stdout
    assert "number 1 of 1 on the community board" in done.stdout


@pytest.mark.parametrize("name", ["mine", "."])
def test_a_folder_of_others_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").touch()
    done = subprocess.run(  # noqa: S603 - our own script
        [ROOT / "scripts" / "participant", tmp_path / name],
        capture_output=True, text=True, timeout=HANG_SECONDS,
    )  # fmt: skip
    assert done.returncode == 2
    assert (tmp_path / "mine" / "thesis").exists()
