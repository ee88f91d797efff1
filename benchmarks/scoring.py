"""Scoring speed, as ratios measured side by side in one run.

    python benchmarks/scoring.py [--json] [--quick]

The floor is the least any evaluator does: parse both files with orjson and run one regular
expression over every prediction. `--quick` leaves out the 64 MiB files.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

ROOT: Final = Path(__file__).parents[1]
DATA: Final = ROOT / "benchmarks" / "data"
sys.path.insert(0, str(ROOT))

from medvid.benchmark.collection import paused_collection  # noqa: E402
from medvid.benchmark.embedder import Embedder  # noqa: E402
from medvid.benchmark.embedding import load_embedder  # noqa: E402
from medvid.benchmark.ground_truth import GroundTruth, load_ground_truth  # noqa: E402
from medvid.benchmark.scorecard import score  # noqa: E402
from medvid.benchmark.tasks import Task  # noqa: E402
from medvid.benchmark.test_set import TestSet  # noqa: E402
from medvid.benchmark.validation import validate_submission  # noqa: E402
from medvid.cli.scored_files import OFFLINE_LIMITS  # noqa: E402 - the path comes first

NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
HOSTILE: Final = {
    "digits": "9",
    "seconds": "1-2 seconds ",
    "brackets": "[",
    "double brackets": "[[1,2",
    "spaces": " ",
    "captions": "1-2 seconds: ",
    "caption lines": "1-2 seconds: \n",
    "distinct captions": "",
    "boxes": "1 seconds: [",
    "closed boxes": "1 seconds: [1,2,3,4] ",
    "aspects": "a: 1/5,",
    "segments": "1-2,",
    "free form": "1 - 2 seconds - a\n",
    "labels": "Start Time 1 - 2 seconds ",
    "components": "two structures: 1,",
}
HOSTILE_BYTES: Final = 40_000
LARGE_BYTES: Final = 64_000
LARGE_FILE: Final = 64 << 20
FILE_PATTERNS: Final = ("digits", "seconds", "brackets", "spaces", "captions", "boxes")
REPEATS: Final = 5


def best(action: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median time of an action in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def unpacked(name: str) -> bytes:
    """Return a bundled file."""
    return gzip.decompress((DATA / name).read_bytes())


def floor(truth: bytes, predictions: bytes) -> None:
    """Do the least an evaluator must do."""
    orjson.loads(truth)
    for record in orjson.loads(predictions):
        NUMBER.findall(record["prediction"])


def files_to_scores(truth: bytes, predictions: bytes, embedder: Embedder | None = None) -> None:
    """Read, check, align and score: everything between the two files and the scorecard."""
    with paused_collection():
        loaded = load_ground_truth(truth)
        submission = validate_submission(
            predictions,
            TestSet.from_ground_truth(loaded),
            minimum_records=0,
            limits=OFFLINE_LIMITS,
            diagnose=False,
        )
        if submission.predictions is None:
            raise SystemExit(str(submission.report))
        score(loaded.samples, submission.predictions, embedder)


def against_the_floor(truth: bytes, predictions: bytes) -> dict[str, float]:
    """Compare rule-based scoring of the full strong file with the floor."""
    loaded = load_ground_truth(truth)
    texts = [record["prediction"] for record in orjson.loads(predictions)]
    least = best(lambda: floor(truth, predictions))
    scoring = best(lambda: score(loaded.samples, texts, None))
    whole = best(lambda: files_to_scores(truth, predictions))
    return {
        "floor_s": least,
        "scoring_s": scoring,
        "files_to_scores_s": whole,
        "scoring_over_floor": scoring / least,
        "files_to_scores_over_floor": whole / least,
    }


def cold_command() -> dict[str, float]:
    """Time `medvid score` in a fresh process, embeddings included."""
    command = [sys.executable, "-m", "medvid", "score", str(DATA / "ground_truth.json.gz"),
               str(DATA / "predictions_strong.json.gz"), "--json"]  # fmt: skip

    def run() -> None:
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603

    return {"medvid_score_cold_s": best(run, 3)}


def growth(truth: bytes, predictions: bytes) -> dict[str, float]:
    """Time the test set and the predictions 1, 4 and 16 times over."""
    truths, records = orjson.loads(truth), orjson.loads(predictions)
    times = {}
    for factor in (1, 4, 16):
        files = orjson.dumps(truths * factor), orjson.dumps(records * factor)
        times[factor] = best(lambda files=files: files_to_scores(*files), 3)
    return {f"seconds_{factor}x": value for factor, value in times.items()} | {
        f"per_record_{factor}x_over_1x": times[factor] / times[1] / factor for factor in (4, 16)
    }


def hostile_text(name: str, size: int) -> str:
    """Return one hostile prediction of about `size` characters."""
    if name == "distinct captions":
        lines = (f"{index}-{index + 3} seconds: a\n" for index in range(size // 20))
        return "".join(lines)
    pattern = HOSTILE[name]
    return (pattern * (size // len(pattern) + 1))[:size]


def hostile_predictions(truth: GroundTruth) -> dict[str, Any]:
    """Time one hostile prediction in one sample of each task; without embeddings and with."""
    first = {sample.task: sample for sample in reversed(truth.samples)}
    embedder = load_embedder()
    slowest: dict[str, float] = {}
    for name in HOSTILE:
        text = hostile_text(name, HOSTILE_BYTES)
        for sample in first.values():
            taken = best(lambda s=sample, t=text: score([s], [t], None), 3)
            slowest[name] = max(slowest.get(name, 0), taken * 1000)
        if name in FILE_PATTERNS:
            action = first[Task.NEXT_ACTION]
            score([action], ["warm"], embedder)
            start = time.perf_counter()
            score([action], [text], embedder)
            slowest[f"{name}, encoded"] = (time.perf_counter() - start) * 1000
    return {"slowest_task_ms": slowest, "worst_ms": max(slowest.values())}


def large_files(truth: bytes, predictions: bytes) -> dict[str, float]:
    """Compare a 64 MiB file of hostile predictions with a benign one of the same size."""
    records = orjson.loads(predictions)
    each = LARGE_FILE // len(records) - 200
    benign = [
        record | {"prediction": ((record["prediction"] + "\n") * each)[:each]} for record in records
    ]
    count = LARGE_FILE // (LARGE_BYTES + 200)
    step = len(records) // count
    hostile = list(records)
    for index in range(count):
        name = FILE_PATTERNS[index % len(FILE_PATTERNS)]
        text = hostile_text(name, LARGE_BYTES)
        hostile[index * step] = records[index * step] | {"prediction": text}
    files = {name: orjson.dumps(content) for name, content in
             (("benign", benign), ("hostile", hostile))}  # fmt: skip
    times = {}
    for name, file in files.items():
        times[f"{name}_s"] = best(lambda file=file: files_to_scores(truth, file), 1)
        times[f"{name}_encoded_s"] = best(
            lambda file=file: files_to_scores(truth, file, load_embedder()), 1
        )
    return times | {
        "benign_mib": len(files["benign"]) / (1 << 20),
        "hostile_mib": len(files["hostile"]) / (1 << 20),
        "hostile_over_benign": times["hostile_s"] / times["benign_s"],
        "hostile_over_benign_encoded": times["hostile_encoded_s"] / times["benign_encoded_s"],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="leave out the 64 MiB files")
    options = parser.parse_args(arguments)
    truth, predictions = unpacked("ground_truth.json.gz"), unpacked("predictions_strong.json.gz")
    figures: dict[str, Any] = {
        "floor": against_the_floor(truth, predictions),
        "cold": cold_command(),
        "growth": growth(truth, predictions),
        "hostile": hostile_predictions(load_ground_truth(truth)),
    }
    if not options.quick:
        figures["large_files"] = large_files(truth, predictions)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for group, values in figures.items():
        print(group)
        for name, value in values.items():
            print(f"  {name}: {value:.3g}" if isinstance(value, float) else f"  {name}: {value}")


if __name__ == "__main__":
    main()
