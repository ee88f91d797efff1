"""Validation and ranking: speed on good files, cost and memory of hostile ones.

    python benchmarks/validation.py [--json] [--quick]

Ratios are to `orjson.loads` of the same bytes in the same run. Every hostile file is 64 MiB (as
uploaded or unpacked) and validated in a process of its own, whose peak memory (Linux: VmHWM) is
read before and after. `--quick` leaves the hostile files out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import orjson  # noqa: E402 - after the path

from medvid.benchmark.ground_truth import load_ground_truth  # noqa: E402
from medvid.benchmark.ranking import Row, rank  # noqa: E402
from medvid.benchmark.tasks import METRIC_KEYS, Task  # noqa: E402
from medvid.benchmark.test_set import TestItem, TestSet  # noqa: E402
from medvid.benchmark.validation import validate_submission  # noqa: E402

DATA = ROOT / "benchmarks" / "data"
MIB = 1 << 20
SIZE = 64 * MIB
RECORD = b'{"id":"a","qa_type":"tal","prediction":"%s"}'


def records(prediction: bytes) -> bytes:
    """Return an array of equal records, 64 MiB or 50,000 of them."""
    record = RECORD % prediction
    return b"[" + b",".join([record] * min((SIZE - 2) // (len(record) + 1), 50_000)) + b"]"


def filled(piece: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """Return 64 MiB of one piece between two ends."""
    return before + piece * ((SIZE - len(before) - len(after)) // len(piece)) + after


def distinct_ids() -> bytes:
    """Return 50,000 records whose ids are long, unknown and cost four bytes a character."""
    line = '{"id":"\U0001f600%06d' + "y" * 240 + '","qa_type":"tal","prediction":"%s"}'
    return ("[" + ",".join(line % (i, "z" * 1000) for i in range(50_000)) + "]").encode()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "benign: 1.3 kB predictions": lambda: records(b"1.0-2.0 seconds of something " * 45),
    "benign: 64 kB predictions": lambda: records(b"word " * 13_000),
    "digits in predictions": lambda: records(b"9" * 40_000),
    "segments in predictions": lambda: records(b"1-2 seconds " * 5_000),
    "brackets in predictions": lambda: records(b"[" * 60_000),
    "spaces in predictions": lambda: records(b" " * 60_000),
    "emoji in predictions": lambda: records("\U0001f600".encode() + b"x" * 65_000),
    "NUL in predictions": lambda: records(b"\\u0000" * 10_000),
    "long unknown ids": distinct_ids,
    "opening brackets": lambda: b"[" * SIZE,
    "nested objects": lambda: filled(b'{"a":1,', b"["),
    "numbers": lambda: filled(b"1,", b"["),
    "inner numbers": lambda: filled(b"1,", b"[[", b"1]]"),
    "arrays of numbers": lambda: filled(b"[" + b"1," * 500_000 + b"1],", b"[", b"1]"),
    "arrays of objects": lambda: filled(b"[" + b"{}," * 300_000 + b"1],", b"[", b"1]"),
    "duplicate keys": lambda: filled(b"{" + b'"a":1,' * 15_000 + b'"b":1},', b"[", b"1]"),
    "quotes": lambda: b"[" + b'"' * (SIZE - 1),
    "escaped quotes": lambda: filled(b'\\"', b'["', b'"]'),
    "5,000-digit integers": lambda: filled(b"1" * 5_000 + b",", b"[", b"1]"),
    "gzip bomb": lambda: gzip.compress(b"[" + b" " * (5 * SIZE)),
    "gzip, empty members": lambda: gzip.compress(b"") * (SIZE // 20),
}


def best(work: Callable[[], object], rounds: int = 7) -> float:
    """Return the median time of a few rounds in seconds, after one to warm up."""
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def good_files() -> dict[str, dict[str, float]]:
    """Measure validation of the benchmark's own files."""
    samples = TestSet.from_ground_truth(
        load_ground_truth((DATA / "ground_truth.json.gz").read_bytes())
    )
    figures = {}
    for name in ("strong", "weak", "hostile"):
        data = gzip.decompress((DATA / f"predictions_{name}.json.gz").read_bytes())
        floor = best(partial(orjson.loads, data))
        aligned = best(partial(validate_submission, data, samples, diagnose=False))
        on_server = best(partial(validate_submission, data, samples.public), rounds=3)
        diagnosed = best(partial(validate_submission, data, samples), rounds=3)
        figures[name] = {
            "orjson_ms": floor * 1e3,
            "validate_ms": aligned * 1e3,
            "validate_ratio": aligned / floor,
            "as_the_server_ms": on_server * 1e3,
            "with_diagnosis_ms": diagnosed * 1e3,
        }
    return figures


def ranking(entries: int = 10_000) -> float:
    """Return the seconds it takes to rank a board with a tenth of its values missing."""
    chance = random.Random(0)  # noqa: S311 - repeatable figures, no secret
    rows: list[Row] = [
        {"model_name": f"model {index}"}
        | {key: None if chance.random() < 0.1 else chance.random() * 5 for key in METRIC_KEYS}
        for index in range(entries)
    ]
    return best(lambda: rank(rows))


def peak_mib() -> float:
    """Return this process's peak memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def one_hostile(name: str) -> dict[str, float | str]:
    """Validate one hostile file in this process, its content from standard input."""
    data = sys.stdin.buffer.read()
    samples = TestSet(tuple(TestItem(index, "a", Task.TAL, "") for index in range(50_000)))
    validate_submission(b"[]", samples)
    before, start = peak_mib(), time.perf_counter()
    report = validate_submission(data, samples).report
    seconds = time.perf_counter() - start
    codes = ", ".join(sorted({str(problem.code) for problem in report.problems}))
    return {
        "file": name, "seconds": seconds, "peak_growth_mib": peak_mib() - before,
        "found": codes or "valid",
    }  # fmt: skip


def hostile_files() -> list[dict[str, float | str]]:
    """Measure every hostile file in a process of its own."""
    figures = []
    for name, build in HOSTILE.items():
        command = [sys.executable, __file__, "--one", name]
        run = subprocess.run(command, input=build(), capture_output=True, check=True)  # noqa: S603
        figures.append(json.loads(run.stdout))
    return figures


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_hostile(options.one)))
        return
    good, seconds = good_files(), ranking()
    hostile = [] if options.quick else hostile_files()
    if options.json:
        print(json.dumps({"good": good, "rank_10000_s": seconds, "hostile": hostile}, indent=2))
        return
    for name, figures in good.items():
        print(f"{name:10s} " + "  ".join(f"{key} {value:.1f}" for key, value in figures.items()))
    print(f"ranking 10,000 entries: {seconds:.3f} s")
    for row in hostile:
        print(f"{row['file']:28s} {row['seconds']:6.2f} s  +{row['peak_growth_mib']:4.0f} MiB  "
              f"{row['found']}")  # fmt: skip


if __name__ == "__main__":
    main()
