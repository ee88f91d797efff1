"""Cuts the demo's sample out of the synthetic benchmark: some 30 records of each task and source.

Values of fewer than 30 answers are not shown, so each (task, source) keeps a few more than that.
Run from the project's root: `python -m demo.make_sample`. Deterministic.
"""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from medvid.benchmark.tasks import task_of

_BENCHMARK = Path("benchmarks/data")
_DEMO = Path("demo")
_RECORDS_EACH = 33


def main() -> None:
    """Write the ground truth, its public part and a model's predictions into `demo/`."""
    truth, public, predictions = map(_read, ("ground_truth", "test_set", "predictions_strong"))
    taken: Counter[object] = Counter()
    chosen = []
    for index, record in enumerate(truth):
        kind = task_of(record["qa_type"]), record["data_source"]
        if taken[kind] < _RECORDS_EACH:
            taken[kind] += 1
            chosen.append(index)
    _write("ground_truth", [truth[index] for index in chosen])
    _write("test_set", [public[index] for index in chosen])
    _write("predictions", [predictions[index] for index in chosen])


def _read(name: str) -> list[dict[str, Any]]:
    packed = (_BENCHMARK / f"{name}.json.gz").read_bytes()
    records: list[dict[str, Any]] = orjson.loads(gzip.decompress(packed))
    return records


def _write(name: str, records: list[dict[str, Any]]) -> None:
    packed = gzip.compress(orjson.dumps(records, option=orjson.OPT_INDENT_2), mtime=0)
    (_DEMO / f"{name}.json.gz").write_bytes(packed)


if __name__ == "__main__":
    main()
