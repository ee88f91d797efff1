"""Prints by how many KiB validating a 64 MiB file of one repeated piece raises the memory peak."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))

from medvid.benchmark.tasks import Task
from medvid.benchmark.test_set import TestItem, TestSet
from medvid.benchmark.validation import validate_submission

SIZE = 64 << 20
RECORD = b'{"id":"a","qa_type":"tal","prediction":"%s"},'


def peak_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def hostile_file(piece: bytes) -> bytearray:
    """An array of records that hold the piece; or of the piece itself where it is JSON."""
    if not piece.startswith(b"["):
        piece = RECORD % (piece * (65_000 // len(piece)))
    data = bytearray(b"[")
    while len(data) + len(piece) < SIZE:
        data += piece
    data[-1:] = b"]"
    return data


samples = TestSet(tuple(TestItem(index, "a", Task.TAL, "") for index in range(2_000)))
validate_submission(b"[]", samples)
data = bytes(hostile_file(sys.argv[1].encode()))
before = peak_kib()
validate_submission(data, samples)
print(peak_kib() - before)  # noqa: T201 - the result
