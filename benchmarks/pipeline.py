"""How long a submission takes from its receipt to the board, in a warm standalone process.

    python benchmarks/pipeline.py [--json] [--submissions N]

The full test set (6,245 samples), sent over HTTP; the time runs from the 202 to the first board
JSON that shows the model. The floor it is compared with is scoring the same file in process.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from medvid.benchmark.embedding import load_embedder
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.scorecard import score
from services.operate.ground_truth import store_ground_truth
from shared.storage.database import connect

DATA = Path(__file__).parent / "data"
TRUTH = DATA / "ground_truth.json.gz"
STRONG = DATA / "predictions_strong.json.gz"
SERVER = "from services.standalone import main; raise SystemExit(main())"


async def measure(submissions: int) -> dict[str, Any]:
    """Run the server in a process of its own and send it submissions, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        environment = {
            **os.environ,
            "MEDVID_DATA_DIR": folder,
            "MEDVID_PORT": "0",
            "MEDVID_ADDRESS_SUBMISSIONS_PER_DAY": "100000",
            "MEDVID_ADDRESS_BYTES_PER_DAY": str(1 << 50),
            "MEDVID_LOG_FORMAT": "json",
        }
        with log.open("w") as stream:
            server = await asyncio.create_subprocess_exec(
                sys.executable, "-c", SERVER, env=environment, stderr=stream
            )
        try:
            url = await _address(log)
            await _load_truth(folder)
            seconds = await _send_all(url, submissions)
        finally:
            server.terminate()
            await server.wait()
    floor = _scoring_seconds()
    median = statistics.median(seconds)
    return {
        "submissions": submissions,
        "accepted_to_visible_seconds_median": median,
        "accepted_to_visible_seconds_max": max(seconds),
        "scoring_alone_seconds": floor,
        "ratio_to_scoring_alone": median / floor,
    }


async def _address(log: Path) -> str:
    """Return the server's URL once it has logged it."""
    async with asyncio.timeout(60):
        while True:
            for line in (await asyncio.to_thread(log.read_text)).splitlines():
                event = orjson.loads(line) if line.startswith("{") else {}
                if event.get("event") == "gateway_listens":
                    return str(event["url"])
            await asyncio.sleep(0.1)


async def _load_truth(folder: str) -> None:
    socket = f"postgresql://postgres:@/postgres?host={folder}/postgres"
    async with connect(socket, size=1, application_name="benchmark") as database:
        await store_ground_truth(database, TRUTH.read_bytes(), TRUTH.name)


async def _send_all(url: str, submissions: int) -> list[float]:
    content = await asyncio.to_thread(STRONG.read_bytes)
    async with aiohttp.ClientSession(url) as http:
        await _send(http, "warm-up 1", content)
        await _send(http, "warm-up 2", content)
        return [await _send(http, f"Model {number}", content) for number in range(submissions)]


async def _send(http: aiohttp.ClientSession, name: str, content: bytes) -> float:
    form = aiohttp.FormData({"model_name": name, "organization": "Benchmark"})
    form.add_field("file", content, filename="predictions.json.gz")
    async with http.post("/api/v1/submissions", data=form) as response:
        assert response.status == 202, await response.text()  # noqa: S101 - a benchmark's check
        await response.read()
    accepted = time.perf_counter()
    async with asyncio.timeout(60):
        while True:
            async with http.get("/api/v1/leaderboards/community") as response:
                board = await response.json()
            if any(row["model_name"] == name for row in board["entries"]):
                return time.perf_counter() - accepted
            await asyncio.sleep(0.02)


def _scoring_seconds() -> float:
    truth = load_ground_truth(TRUTH.read_bytes())
    packed = STRONG.read_bytes()
    predictions = [record["prediction"] for record in orjson.loads(gzip.decompress(packed))]
    embedder = load_embedder()
    score(truth.samples, predictions, embedder)
    started = time.perf_counter()
    score(truth.samples, predictions, embedder)
    return time.perf_counter() - started


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--submissions", type=int, default=15)
    arguments = parser.parse_args()
    figures = asyncio.run(measure(arguments.submissions))
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:40} {value:.3f}" if isinstance(value, float) else f"{name:40} {value}")


if __name__ == "__main__":
    main()
