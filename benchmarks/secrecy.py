"""What three attackers learn of the private answers from a live server.

    python benchmarks/secrecy.py [--json] [--files N] [--withdrawals N]

Each pair of files differs in nothing but some answers: right ones in one, wrong ones in the other.
Whatever the server tells the two owners differently, it tells about the truth.

1. near-empty: one answer for each task and source, the rest without text; withdrawn at once;
2. complete: strong files that differ in one answer, or in one for each task and source;
3. withdrawals: sends a file and withdraws it, over and over, until its quota ends it.

The server is a standalone process of its own on loopback, with the demo's test set and the usual
settings. The attackers come from as many addresses as they like, the third from one.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import math
import operator
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from itertools import product
from pathlib import Path
from typing import Any, Final, cast

import aiohttp
import orjson

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.secrecy_attacker import (  # noqa: E402 - the path comes first
    Answers,
    Attacker,
    Kind,
    channels,
    distinguishable,
)
from services.operate.ground_truth import store_ground_truth  # noqa: E402
from shared.storage.database import connect  # noqa: E402

DEMO: Final = ROOT / "demo"
SERVER: Final = "from services.standalone import main; raise SystemExit(main())"
_OF_PARTS: Final = (
    ("cvs_acc", ("cvs_assessment", "Cholec80_CVS")),
    ("sa_acc", ("skill_assessment", "JIGSAWS")),
)
"""Metrics of answers that have several parts, and their tasks and sources."""
_LEVELS: Final = 10_001
"""Values that a share of 4 decimals can have."""


async def near_empty(attacker: Attacker, test_set: Answers, pairs: int) -> dict[str, object]:
    """Return how many labels near-empty files give away."""
    sent, recovered, differing = attacker.sent, 0, 0
    for number in range(pairs):
        right, wrong = test_set.pair(number)
        differences = distinguishable(
            await attacker.learn(test_set.file(right)), await attacker.learn(test_set.file(wrong))
        )
        recovered += len(channels(differences))
        differing += len(differences)
    labels = pairs * len(test_set.places)
    return {
        "uploads": attacker.sent - sent,
        "scored": 2 * pairs,
        "labels_aimed_at": labels,
        "labels_recovered": recovered,
        "numbers_told_apart": differing,
        "refused": dict(attacker.refused),
    }


async def complete(
    attacker: Attacker, test_set: Answers, strong: Sequence[str]
) -> dict[str, object]:
    """Return what complete files tell that differ in one answer, or in one of every kind."""
    right, wrong = test_set.pair(0)
    all_right = await attacker.learn(test_set.file(right, strong))
    all_wrong = await attacker.learn(test_set.file(wrong, strong))
    kinds = channels(distinguishable(all_right, all_wrong))
    single = test_set.places["next_action", "AVOS"][0]
    one_right = await attacker.learn(test_set.file({single: right[single]}, strong))
    one_wrong = await attacker.learn(test_set.file({single: wrong[single]}, strong))
    by_parts = sum([await parts_read(attacker, test_set, strong, *each) for each in _OF_PARTS])
    moment = test_set.places["tal", "AVOS"][0]
    guesses = [f"{start}.0-{start + 40}.0 seconds." for start in range(100, 260, 20)]
    outcomes = [await attacker.learn(test_set.file({moment: guess}, strong)) for guess in guesses]
    distinct = len({orjson.dumps(sorted(map(str, learnt.items()))) for learnt in outcomes})
    shown = {
        path for path, value in all_right.items()
        if path[0] == "entry" and path[-1] in ("compat", "strict", "value") and value is not None
    }  # fmt: skip
    return {
        "one_label_right_or_wrong_is_told": bool(distinguishable(one_right, one_wrong)),
        "bits_of_one_time_span_by_8_guesses": math.log2(distinct),
        "labels_by_one_submission_one_of_each_kind": len(kinds),
        "kinds": len(test_set.places),
        "labels_by_two_values_of_answers_with_parts": by_parts,
        "values_shown": len(shown),
        "bits_at_most": round(len(shown) * math.log2(_LEVELS)),
    }


async def parts_read(
    attacker: Attacker, test_set: Answers, strong: Sequence[str], metric: str, kind: Kind
) -> int:
    """Return how many labels one value of a task's only source tells, guessed part by part."""
    answers, right, counts = test_set.parts(kind)
    learnt = await attacker.learn(test_set.file(answers, strong))
    value = cast(float, learnt["entry", "scores", metric, "by_source", kind[1], "compat"])

    def value_of(guesses: Sequence[bool]) -> float:
        return sum(map(operator.truediv, guesses, counts)) / len(counts)

    read = min(product([False, True], repeat=len(counts)), key=lambda g: abs(value_of(g) - value))
    return sum(map(operator.eq, read, right))


async def withdrawals(attacker: Attacker, test_set: Answers, times: int) -> dict[str, object]:
    """Return how many of so many files are taken from one address when each is withdrawn."""
    right, _ = test_set.pair(1)
    file, taken = test_set.file(right), 0
    for _ in range(times):
        status, receipt = await attacker.send(file, evaluate_only="true")
        if status == HTTPStatus.ACCEPTED:
            taken += 1
            await attacker.withdraw(receipt)
    return {"tried": times, "taken": taken, "refused": dict(attacker.refused)}


@asynccontextmanager
async def live_server() -> AsyncIterator[str]:
    """Run a standalone server with the demo's test set; gives its URL."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        environment = {
            **os.environ,
            "MEDVID_DATA_DIR": folder,
            "MEDVID_PORT": "0",
            "MEDVID_TRUSTED_PROXIES": "127.0.0.0/8",
            "MEDVID_LOG_FORMAT": "json",
        }
        with log.open("w") as stream:
            server = await asyncio.create_subprocess_exec(
                sys.executable, "-c", SERVER, env=environment, stderr=stream
            )
        try:
            url = await _address(log)
            socket = f"postgresql://postgres:@/postgres?host={folder}/postgres"
            async with connect(socket, size=1, application_name="secrecy") as database:
                truth = (DEMO / "ground_truth.json.gz").read_bytes()
                await store_ground_truth(database, truth, "demo")
            yield url
        finally:
            server.terminate()
            await server.wait()


async def _address(log: Path) -> str:
    async with asyncio.timeout(60):
        while True:
            for line in (await asyncio.to_thread(log.read_text)).splitlines():
                event = orjson.loads(line) if line.startswith("{") else {}
                if event.get("event") == "gateway_listens":
                    return str(event["url"])
            await asyncio.sleep(0.1)


async def measure(pairs: int, times: int) -> dict[str, Any]:
    """Run the three attacks, one after the other."""
    test_set = Answers.of((DEMO / "ground_truth.json.gz").read_bytes())
    predictions = orjson.loads(gzip.decompress((DEMO / "predictions.json.gz").read_bytes()))
    strong = [record["prediction"] for record in predictions]
    async with live_server() as url, aiohttp.ClientSession(url) as http:
        return {
            "near_empty": await near_empty(Attacker(http), test_set, pairs),
            "complete": await complete(Attacker(http, sent=1_000), test_set, strong),
            "withdrawals": await withdrawals(Attacker(http, "10.9.9.9"), test_set, times),
        }


def main() -> int:
    """Print what was learnt."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--files", type=int, default=28, help="near-empty files, two a pair")
    parser.add_argument("--withdrawals", type=int, default=1_000)
    given = parser.parse_args()
    found = asyncio.run(measure(given.files // 2, given.withdrawals))
    if given.json:
        print(json.dumps(found, indent=2))
        return 0
    for attack, facts in found.items():
        print(attack)
        for name, value in facts.items():
            print(f"  {name.replace('_', ' ')}: {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
