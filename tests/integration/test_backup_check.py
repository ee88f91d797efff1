"""A backup is restored into a database of its own, and what is not as it was is found."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.operate.backup_check import newest, restored_and_checked
from services.ranker.consume import rank_board
from services.ranker.store import BoardStore
from shared.runtime.errors import InvalidInput
from shared.storage.backup import back_up
from shared.storage.database import Database
from tests.rows import add_listed_entry


async def ranked(database: Database) -> None:
    """Put two entries on the community's board and rank it."""
    await add_listed_entry(database, "First", {"cvs_acc": 0.5, "dvc_f1": 0.25})
    await add_listed_entry(database, "Second", {"cvs_acc": 0.75, "dvc_f1": 0.5})
    async with database.transaction() as transaction:
        await rank_board(BoardStore(transaction, "community"), None)


async def test_a_backup_that_holds_what_it_should_is_found_whole(
    database: Database, tmp_path: Path
) -> None:
    await ranked(database)
    await back_up(database, tmp_path / "medvid-1.tar")
    scratch = tmp_path / "scratch"
    findings = await restored_and_checked(newest(tmp_path), scratch)
    assert {finding.check: finding.state for finding in findings} == {
        "file": "ok", "restored": "ok", "migrations": "ok", "chains": "ok",
        "board official": "ok", "board community": "ok",
    }  # fmt: skip
    assert "2 entries" in findings[-1].says
    assert files(scratch) == []  # server and data are gone
    assert files(tmp_path) == ["medvid-1.tar", "scratch"]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_values_that_are_not_those_of_the_board_are_found_by_the_command(
    database: Database, tmp_path: Path
) -> None:
    """A value was changed behind the ranker's back: the file is whole, and yet it is wrong."""
    await ranked(database)
    await database.pool.execute("UPDATE scores SET compat = 0.01 WHERE compat > 0.4")
    await back_up(database, tmp_path / "medvid-1.tar")
    done = await asyncio.to_thread(checked, tmp_path)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    failed = [each for each in report["findings"] if each["state"] == "failed"]
    assert [each["check"] for each in failed] == ["board community"]
    assert "compat" in failed[0]["says"]


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "medvid", "admin", "check-backup", str(folder), "--json"],
        env={**os.environ, "MEDVID_DATA_DIR": str(folder / "data")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_newest_backup_is_taken(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no backup"):
        newest(tmp_path)
    for age, name in enumerate(("medvid-b.tar", "medvid-a.tar", "other.tar")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    assert newest(tmp_path).name == "medvid-b.tar"
    assert newest(tmp_path / "other.tar").name == "other.tar"
