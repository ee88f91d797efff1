"""`medvid up` takes its port before it starts anything."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from shared.runtime.listening import close_door, open_door
from tests.patience import HANG_SECONDS


async def test_a_taken_port_is_named_before_a_server_is_started(tmp_path: Path) -> None:
    door = open_door("127.0.0.1", 0)
    port = door[0].getsockname()[1]
    data = tmp_path / "data"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "medvid", "up", "--port", str(port), "--data-dir", str(data)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    close_door(door)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"medvid: cannot serve on 127.0.0.1:{port}: ")
    assert "MEDVID_PORT" in line
    assert [path.name for path in data.iterdir()] == ["lock"]
