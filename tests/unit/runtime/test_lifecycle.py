"""How a process begins."""

from __future__ import annotations

import subprocess
import sys

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
