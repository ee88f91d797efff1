"""What one more replica brings, and what a submission costs.

Submissions are the benchmark's `strong` file (6,245 samples), sent over HTTP to a real gateway;
the services are processes of their own over a throwaway Postgres and RabbitMQ. Replicas soon share
the cores of a small machine, so each figure stands beside the processor time it took: a second
divided by that is what a core of its own would do.
"""

from __future__ import annotations

import asyncio
import gzip
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import aiohttp
import asyncpg

from benchmarks.judge_processes import Servers, add_vhost
from benchmarks.scale_processes import Service, start_service
from benchmarks.scale_reads import read_load
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.benchmark.test_set import TestSet
from medvid.judging.estimates import estimate
from services.judge.open_judge import call_figures
from services.judge.planning import plan_file
from services.judge.settings import JudgeSettings
from services.operate.ground_truth import store_ground_truth
from shared.storage.database import connect

DATA: Final = Path(__file__).parent / "data"
BOARD: Final = "/api/v1/leaderboards/community"
PATIENCE_SECONDS: Final = 600
_UNLIMITED: Final = {
    "MEDVID_ADDRESS_SUBMISSIONS_PER_DAY": "1000000",
    "MEDVID_ADDRESS_BYTES_PER_DAY": str(1 << 50),
}


async def submissions(servers: Servers, *, scorers: int, count: int) -> dict[str, Any]:
    """Send submissions one after the other; return how fast they reach the board, at what cost."""
    async with AsyncExitStack() as stack:
        name = f"scale_{uuid4().hex[:8]}"
        url = await _database(servers, name)
        add_vhost(servers, name)
        settings = {"MEDVID_RABBITMQ_URL": f"{servers.rabbitmq}/{name}", **_UNLIMITED}
        started = await asyncio.gather(
            start_service(stack, "gateway", url, settings),
            start_service(stack, "ranker", url, settings),
            *(
                start_service(stack, "scorer", url, settings | {"MEDVID_SCORER_PROCESSES": "1"})
                for _ in range(scorers)
            ),
        )
        gateway, ranker, scoring = started[0], started[1], started[2:]
        connection = await asyncpg.connect(url)
        stack.push_async_callback(connection.close)
        await _send(gateway, connection, scorers * 2, "Warm-up")
        before = _cpu(gateway, ranker, scoring)
        size = await connection.fetchval("SELECT pg_database_size(current_database())")
        seconds = await _send(gateway, connection, count, "Model")
        spent = [after - earlier for after, earlier in zip(
            _cpu(gateway, ranker, scoring), before, strict=True
        )]  # fmt: skip
        grown = await connection.fetchval("SELECT pg_database_size(current_database())") - size
        return {
            "scorers": scorers,
            "submissions": count,
            "submissions_per_minute": 60 * count / seconds,
            "gateway_cpu_seconds": spent[0] / count,
            "ranker_cpu_seconds": spent[1] / count,
            "scorer_cpu_seconds": spent[2] / count,
            "database_mib": grown / count / (1 << 20),
        }


async def _database(servers: Servers, name: str) -> str:
    """Make a database with the benchmark's ground truth."""
    admin = await asyncpg.connect(servers.postgres_url("postgres"))
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {servers.template}")
    await admin.close()
    url = servers.postgres_url(name)
    async with connect(url, size=1, application_name="benchmark") as database:
        await store_ground_truth(database, (DATA / "ground_truth.json.gz").read_bytes(), "truth")
    return url


def _cpu(gateway: Service, ranker: Service, scorers: list[Service]) -> list[float]:
    return [gateway.cpu_seconds(), ranker.cpu_seconds(), sum(s.cpu_seconds() for s in scorers)]


async def _send(
    gateway: Service, connection: asyncpg.Connection[Any], count: int, name: str
) -> float:
    """Send so many submissions, four at a time; return seconds until all of them are ranked."""
    content = (DATA / "predictions_strong.json.gz").read_bytes()
    places = asyncio.Semaphore(4)

    async def send(http: aiohttp.ClientSession, number: int) -> None:
        form = aiohttp.FormData({"model_name": f"{name} {number}", "organization": "Benchmark"})
        form.add_field("file", content, filename="predictions.json.gz")
        async with places, http.post("/api/v1/submissions", data=form) as response:
            assert response.status == 202, await response.text()  # noqa: S101 - a benchmark's check

    started = time.perf_counter()
    async with aiohttp.ClientSession(gateway.address) as http:
        await asyncio.gather(*(send(http, number) for number in range(count)))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            open_ones = await connection.fetchval(
                "SELECT count(*) FROM submissions WHERE state <> 'ranked'"
            )
            if not open_ones:
                return time.perf_counter() - started
            await asyncio.sleep(0.02)


async def board_reads(servers: Servers, *, gateways: int, seconds: float) -> dict[str, Any]:
    """Read a board of forty entries from so many gateways at once."""
    async with AsyncExitStack() as stack:
        url = await _database(servers, f"scale_{uuid4().hex[:8]}")
        running = await asyncio.gather(
            *(start_service(stack, "gateway", url, {}) for _ in range(gateways))
        )
        before = sum(gateway.cpu_seconds() for gateway in running)
        done = sum(await asyncio.gather(
            *(read_load(gateway.address, BOARD, seconds) for gateway in running)
        ))  # fmt: skip
        spent = sum(gateway.cpu_seconds() for gateway in running) - before
        return {
            "gateways": gateways,
            "reads_per_second": done / seconds,
            "gateway_cpu_microseconds_a_read": 1e6 * spent / done,
        }


def judging_cost() -> dict[str, Any]:
    """Return what judging the strong file takes, by the judge's own estimate before any verdict."""
    settings = JudgeSettings(
        judge_model="gpt-4.1-2025-04-14",
        judge_prices={"gpt-4.1-2025-04-14": {"input": 2, "output": 8}},  # type: ignore[dict-item]
        judge_provider="openai",
    )
    truth = gzip.decompress((DATA / "ground_truth.json.gz").read_bytes())
    planned = plan_file(
        TestSet.from_ground_truth(load_ground_truth(truth)),
        (DATA / "predictions_strong.json.gz").read_bytes(),
    )
    lengths = [len(text.prediction) + len(text.reference) for text in planned.texts]
    return estimate(lengths, 1, 0, call_figures(settings)).public()
