"""Cuts the demo's sample test set out of the synthetic benchmark: 30 samples of each qa_type.

Run from the project's root: `python -m demo.make_sample`. Deterministic.
"""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import orjson

_BENCHMARK = Path("benchmarks/data")
_DEMO = Path("demo")
_SAMPLES_A_TYPE = 30


def main() -> None:
    """Write `demo/ground_truth.json.gz` and `demo/predictions.json.gz`."""
    truth = _read("ground_truth")
    predictions = _read("predictions_strong")
    taken: Counter[str] = Counter()
    chosen = []
    for index, record in enumerate(truth):
        qa_type = str(record["qa_type"])
        if taken[qa_type] < _SAMPLES_A_TYPE:
            taken[qa_type] += 1
            chosen.append(index)
    _write("ground_truth", [truth[index] for index in chosen])
    _write("predictions", [predictions[index] for index in chosen])


def _read(name: str) -> list[dict[str, object]]:
    records: list[dict[str, object]] = orjson.loads(
        gzip.decompress((_BENCHMARK / f"{name}.json.gz").read_bytes())
    )
    return records


def _write(name: str, records: list[dict[str, object]]) -> None:
    packed = gzip.compress(orjson.dumps(records, option=orjson.OPT_INDENT_2), mtime=0)
    (_DEMO / f"{name}.json.gz").write_bytes(packed)


if __name__ == "__main__":
    main()
