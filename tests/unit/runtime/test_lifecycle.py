"""How a process begins, and ends when it is told."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

from shared.runtime.lifecycle import run_process
from tests.depth import deep

PROGRAM = """
import resource
from shared.runtime.lifecycle import allow_many_files
resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))
allow_many_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def limits(hard: int) -> list[int]:
    argv = [sys.executable, "-c", PROGRAM.format(hard=hard)]
    done = subprocess.run(argv, capture_output=True, check=True, text=True)  # noqa: S603 - ours
    return [int(number) for number in done.stdout.split()]


@deep
def test_the_limit_of_open_files_is_raised_to_what_is_allowed() -> None:
    assert limits(1_000) == [1_000, 1_000]
    assert limits(256) == [256, 256]


def test_a_process_that_is_told_to_end_while_it_starts_does_not_start_first() -> None:
    seen: list[str] = []

    async def starts(_: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.Event().wait()  # for a database that does not come
        finally:
            seen.append("closed")

    assert run_process(starts) == 0
    assert seen == ["closed"]


def test_one_that_serves_ends_in_order_and_at_once_when_told_twice() -> None:
    seen: list[str] = []

    async def serves(stop: asyncio.Event) -> None:
        waits = asyncio.create_task(stop.wait())
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGTERM)
        await waits
        seen.append("drains")
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    assert run_process(serves) == 130
    assert seen == ["drains"]
