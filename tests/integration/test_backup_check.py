"""A backup is restored into a database of its own, and what is not as it was is found."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from services.operate.backup_check import newest
from services.ranker.consume import rank_board
from services.ranker.store import BoardStore
from shared.runtime.errors import InvalidInput
from shared.storage import postmaster, scratch
from shared.storage.backup import back_up
from shared.storage.database import Database
from shared.storage.scratch import scratch_folder
from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.preloaded import Forked, with_pipes
from tests.rows import add_listed_entry


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def check(folder: Path) -> Forked:
    return await with_pipes(
        *("medvid", "admin", "check-backup", str(folder), "--json"),
        env={**os.environ, "MEDVID_DATA_DIR": str(folder / "data")},
    )


async def test_values_that_are_not_those_of_the_board_are_found_and_nothing_is_left(
    database: Database, tmp_path: Path
) -> None:
    """A value was changed behind the ranker's back: the file is whole, and yet it is wrong."""
    await add_listed_entry(database, "First", {"cvs_acc": 0.5, "dvc_f1": 0.25})
    await add_listed_entry(database, "Second", {"cvs_acc": 0.75, "dvc_f1": 0.5})
    async with database.transaction() as transaction:
        await rank_board(BoardStore(transaction, "community"), None)
    await database.pool.execute("UPDATE scores SET compat = 0.01 WHERE compat > 0.4")
    await back_up(database, tmp_path / "medvid-1.tar")
    process = await check(tmp_path)
    said, complaint = await process.communicate()
    assert await process.wait() == 1, complaint
    findings = json.loads(said)["findings"]
    assert {each["check"]: each["state"] for each in findings} == {
        "file": "ok", "restored": "ok", "migrations": "ok", "chains": "ok",
        "board official": "ok", "board community": "failed",
    }  # fmt: skip
    assert "compat" in findings[-1]["says"]
    assert "2 entries" in findings[1]["says"]
    assert files(tmp_path) == ["data", "medvid-1.tar"]
    assert files(tmp_path / "data") == []  # server and data are gone


def test_the_newest_backup_is_taken(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no backup"):
        newest(tmp_path)
    for age, name in enumerate(("medvid-b.tar", "medvid-a.tar", "other.tar")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    assert newest(tmp_path).name == "medvid-b.tar"
    assert newest(tmp_path / "other.tar").name == "other.tar"


async def test_a_folder_whose_process_is_gone_goes_and_no_other(tmp_path: Path) -> None:
    dead, lock = scratch._make(tmp_path, ".a-")  # by another process
    (dead / "database").mkdir()
    (dead / "database" / "dump").touch()
    lock.close()  # as the kernel does when it dies
    alive, held = scratch._make(tmp_path, ".a-")
    (tmp_path / ".a-person's").mkdir()
    (tmp_path / ".a-file").touch()
    with held:
        async with scratch_folder(tmp_path, ".a-") as folder:
            (folder / "dump").touch()
            assert files(tmp_path) == sorted({alive.name, folder.name, ".a-person's", ".a-file"})
        assert files(tmp_path) == sorted({alive.name, ".a-person's", ".a-file"})


@deep
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_check_that_is_ended_leaves_neither_server_nor_folder(
    database: Database, tmp_path: Path, number: signal.Signals
) -> None:
    """At once where it can; what a killed one left goes with the next."""
    await back_up(database, tmp_path / "medvid-1.tar")
    data = tmp_path / "data"
    process = await check(tmp_path)
    async with asyncio.timeout(HANG_SECONDS):
        while not (found := [*data.glob(".medvid-check-*/postgres/postmaster.pid")]):
            await asyncio.sleep(0.01)
    server = int(found[0].read_text().split()[0])
    os.kill(process.pid, number)
    await process.communicate()
    assert await process.wait() == (130 if number == signal.SIGTERM else -number)
    if number == signal.SIGKILL:
        assert files(data) != []
        following = await check(tmp_path)
        _, complaint = await following.communicate()
        assert await following.wait() == 0, complaint
    assert files(data) == []
    assert not postmaster._serves(server, found[0].parent)  # noqa: SLF001 - what stops it asks so
