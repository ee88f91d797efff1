"""What a reward costs: milliseconds a sample by task, rules and next actions by similarity.

.venv/bin/python -m benchmarks.rewards
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Any, Final

from medvid.benchmark.tasks import QA_TYPES
from medvid.rewards.easyr1 import compute_score as batch
from medvid.rewards.verl import compute_score

GOLDEN: Final = Path(__file__).parents[1] / "tests" / "golden"
ROUNDS: Final = 20


def main() -> None:
    """Print the median and the slowest case of each qa_type, samples known from a first round."""
    for qa_type in QA_TYPES:
        path = GOLDEN / f"{qa_type}.json"
        if path.exists() and not qa_type.startswith(("video", "region")):
            cases = [(json.dumps(case["ground_truth"]), case["prediction"])
                     for case in json.loads(path.read_text())["cases"]]  # fmt: skip
            times = [_milliseconds(*case) for case in cases]
            print(f"{qa_type:24} median {statistics.median(times):6.3f} ms, "
                  f"slowest {max(times):6.3f} ms")  # fmt: skip
    _next_actions()


def _milliseconds(record: str, text: str, **options: Any) -> float:
    compute_score("", text, record, **options)
    started = time.perf_counter()
    for _ in range(ROUNDS):
        compute_score("", text, record, **options)
    return (time.perf_counter() - started) * 1000 / ROUNDS


def _next_actions() -> None:
    """Distinct texts, in batches as a trainer sends them; labels are known after the first."""
    cases = json.loads((GOLDEN / "next_action.json").read_text())["cases"]
    records = [json.dumps(case["ground_truth"]) for case in cases]
    for size in (1, 32, 256):
        for round_ in range(3):
            inputs = [{"ground_truth": records[place % len(records)],
                       "response": f"the surgeon will now retract layer {size} {round_} {place}"}
                      for place in range(size)]  # fmt: skip
            started = time.perf_counter()
            batch(inputs, nap="compat")
            spent = (time.perf_counter() - started) * 1000 / size
        print(f"next_action, compat, batches of {size:3}: {spent:6.2f} ms a sample")


if __name__ == "__main__":
    main()
