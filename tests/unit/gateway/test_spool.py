"""The folder of uploads: what killed gateways left goes, what others use stays."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from services.gateway.submissions.spool import remove_stale, spool
from tests.patience import HANG_SECONDS

_HOLD = """
import sys, time
from pathlib import Path
from services.gateway.submissions.spool import spool
with spool(Path(sys.argv[1])) as folder:
    (folder / "upload").write_bytes(b"a" * 1000)
    print(folder, flush=True)
    time.sleep(60)
"""


async def other(place: Path) -> tuple[asyncio.subprocess.Process, Path]:
    """Start another process with a folder in `place`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _HOLD, str(place), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(HANG_SECONDS):
        return process, Path((await process.stdout.readline()).decode().strip())


def folders(place: Path) -> set[Path]:
    return set(place.glob("medvid-uploads-*"))


async def test_what_a_killed_gateway_left_is_removed_and_a_living_ones_folder_stays(
    tmp_path: Path,
) -> None:
    killed, left = await other(tmp_path)
    living, used = await other(tmp_path)
    killed.send_signal(signal.SIGKILL)
    await killed.wait()
    assert folders(tmp_path) == {left, used}
    try:
        with spool(tmp_path) as own:
            assert folders(tmp_path) == {used, own}
            assert (used / "upload").stat().st_size == 1000
            with spool(tmp_path) as second:  # a gateway of the same process
                assert folders(tmp_path) == {used, own, second}
        assert folders(tmp_path) == {used}
    finally:
        living.terminate()
        await living.wait()
    remove_stale(tmp_path)
    assert folders(tmp_path) == set()


def test_what_is_not_known_to_be_dead_stays(tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "place", tmp_path / "elsewhere"
    (place / "medvid-uploads-of-another-version" / "upload-a").mkdir(parents=True)
    (place / "medvid-uploads-begins").mkdir()
    (place / "medvid-uploads-begins" / "lock.new").touch()
    (place / "medvid-uploads-file").touch()
    (place / "another").mkdir()
    (place / "another" / "lock").touch()
    elsewhere.mkdir()
    (elsewhere / "lock").touch()
    (place / "medvid-uploads-link").symlink_to(elsewhere)
    before = set(tmp_path.rglob("*"))
    remove_stale(place)
    assert set(tmp_path.rglob("*")) == before
