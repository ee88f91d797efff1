"""The tutorials, followed to the letter: their code runs, and ends as they say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.deploy.manifests import ROOT
from tests.deploy.test_image import copy_sources
from tests.depth import deep
from tests.patience import HANG_SECONDS

TUTORIALS: Final = ROOT / "docs" / "tutorials"
SCORE: Final = Path("medvid", "cli", "score.py")
TEST: Final = Path("tests", "unit", "medvid", "cli", "test_score.py")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - what the tutorial says
        [sys.executable, *arguments],
        cwd=folder, env={"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True, text=True, timeout=HANG_SECONDS,
    )  # fmt: skip


def code(page: str) -> str:
    """Return the one block of Python of a tutorial."""
    (block,) = re.findall(r"```python\n(.*?)```", (TUTORIALS / page).read_text(), re.DOTALL)
    return str(block)


@deep
def test_the_first_change_fails_then_passes(tmp_path: Path) -> None:
    page = (TUTORIALS / "first-change.md").read_text()
    (name,) = re.findall(r"unit -k (\w+)", page)
    ((function, line),) = re.findall(r"at the end of `(\w+)`, write\n`(.*)`", page)
    for each in (SCORE, TEST):
        assert f"`{each.as_posix()}`" in page
    copy_sources(ROOT / "medvid", tmp_path / "medvid")
    (tmp_path / TEST).parent.mkdir(parents=True)
    (tmp_path / TEST).write_text((ROOT / TEST).read_text() + "\n\n" + code("first-change.md"))
    test = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "-k", name,
            f"--rootdir={tmp_path}", "--noconftest", str(TEST))  # fmt: skip

    before = run(tmp_path, *test)
    assert "1 failed" in before.stdout, before.stdout + before.stderr
    (body,) = re.findall(
        rf"^def {function}\(.*?\n(?=\n\n)", (ROOT / SCORE).read_text(), re.DOTALL | re.MULTILINE
    )
    changed = (ROOT / SCORE).read_text().replace(body, f"{body}    {line}\n")
    (tmp_path / SCORE).write_text(changed)
    after = run(tmp_path, *test)
    assert "1 passed" in after.stdout, after.stdout + after.stderr


def test_the_first_submission_has_the_answers_it_says(tmp_path: Path) -> None:
    page = (TUTORIALS / "first-submission.md").read_text()
    (tmp_path / "demo").mkdir()
    shutil.copy(ROOT / "demo" / "test_set.json.gz", tmp_path / "demo")
    (tmp_path / "predict.py").write_text(code("first-submission.md"))
    made = run(tmp_path, "predict.py")
    assert f"$ python3 predict.py\n{made.stdout}```" in page, made.stderr
    (command,) = re.findall(r"\$ \.venv/bin/medvid (validate .*)", page)
    validated = run(tmp_path, "-m", "medvid", *command.split())
    assert validated.returncode == 0, validated.stderr
    assert "Valid: 792 of 792 samples answered" in validated.stdout
    assert "Warnings" in validated.stdout
