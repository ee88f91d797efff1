"""What `./scripts/participant` starts from: 340 samples in the real layout, 40 with frames.

    python -m demo.participant FOLDER

Writes the test set, its ground truth, the predictions of a base model, a subset of 40 samples of
spatiotemporal grounding, and generated frames for these.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from demo.frames import make_frames, read
from medvid.benchmark import subsets
from medvid.benchmark.test_set_file import load_test_set

_DATA: Final = Path(__file__).parents[1] / "benchmarks" / "data"
_TASK: Final = "stg"
_ASKED: Final = 40
_OTHERS: Final = 30
"""Of each other qa_type."""


def main() -> None:
    """Write the folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    truth, base = read(_DATA / "ground_truth.json.gz"), read(_DATA / "predictions_strong.json.gz")
    chosen = _chosen(truth)
    samples = [truth[index] for index in chosen]
    _write(folder / "ground_truth.json.gz", samples)
    _write(folder / "base.json.gz", [base[index] for index in chosen])
    test_set = [_public(record) for record in samples]
    _write(folder / "test_set.json.gz", test_set)
    asked = [place for place, record in enumerate(test_set) if record["qa_type"] == _TASK]
    items = load_test_set(json.dumps(test_set).encode()).items
    (folder / "subset.json").write_bytes(subsets.dump(items, asked, {"task": _TASK}))
    frames = make_frames((test_set[place] for place in asked), folder / "frames")
    sys.stdout.write(f"{len(samples)} samples, {len(asked)} of {_TASK} with {frames} frames\n")


def _chosen(truth: Sequence[dict[str, Any]]) -> list[int]:
    """Return the indices of the first samples of each qa_type, in test-set order."""
    by_type: dict[str, list[int]] = {}
    for index, record in enumerate(truth):
        by_type.setdefault(record["qa_type"], []).append(index)
    kept = (islice(indices, _ASKED if qa_type == _TASK else _OTHERS)
            for qa_type, indices in by_type.items())  # fmt: skip
    return sorted(index for indices in kept for index in indices)


def _public(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without its truth, as the public test set has it."""
    public = {key: value for key, value in record.items() if key != "struc_info"}
    return public | {"conversations": record["conversations"][:1]}


def _write(path: Path, records: Sequence[dict[str, Any]]) -> None:
    path.write_bytes(gzip.compress(json.dumps(records).encode(), mtime=0))


if __name__ == "__main__":
    main()
