"""A service that dies anywhere and comes back loses nothing and doubles nothing.

Each case: one service is a process that kills itself at the point; the others run here, unharmed.
After its death the dead service is started again, and the board must be what it is without a crash.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from medvid.benchmark.tasks import RULE_METRIC_KEYS
from shared.runtime.infrastructure import infrastructure
from shared.storage.database import Database
from tests.crashing import SERVICES
from tests.crashing import service as service_of
from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.preloaded import Forked, forked
from tests.rows import DEMO, add_listed_entry, load_demo_ground_truth
from tests.servers import free_port

PATIENCE_SECONDS = HANG_SECONDS
COMMITS = ("before_commit", "after_commit", "before_publish", "after_publish")
DELIVERIES = ("before_work", "before_settle")
ON_RABBIT = [("gateway", point) for point in COMMITS] + [
    (service, point) for service in ("scorer", "ranker") for point in (*COMMITS, *DELIVERIES)
]
# The standalone bus shares the code but for leases, which it takes ten seconds to lose.
ON_LOCAL = [("scorer", "before_commit"), ("ranker", "before_settle"), ("gateway", "after_commit")]
# Each service dies once, each at a point of another kind; './scripts/test all' runs every case.
ALWAYS_ON_RABBIT = {("scorer", "before_settle")}
ALWAYS_ON_LOCAL = {("scorer", "before_commit")}

Environment = dict[str, str]


@pytest.fixture
def environment(postgres_url: str, tmp_path: Path) -> Environment:
    return {
        "MEDVID_DATABASE_URL": postgres_url,
        "MEDVID_DATA_DIR": str(tmp_path),
        "MEDVID_PORT": str(free_port()),
        "MEDVID_SCORER_PROCESSES": "1",
        "MEDVID_SIMILARITIES": "false",  # a step of its own, with tests of its own
        "MEDVID_VALIDATION_WORKERS": "1",
        "MEDVID_BOARD_POLL_SECONDS": "0.1",
    }


def cases(matrix: list[tuple[str, str]], always: set[tuple[str, str]]) -> list[Any]:
    return [pytest.param(*case, marks=() if case in always else deep) for case in matrix]


@deep
@pytest.mark.parametrize(("service", "point"), cases(ON_RABBIT, ALWAYS_ON_RABBIT))
async def test_a_crash_changes_nothing_on_rabbit(
    service: str, point: str, environment: Environment, database: Database, rabbit_url: str
) -> None:
    environment["MEDVID_RABBITMQ_URL"] = rabbit_url
    await crash_and_recover(service, point, environment, database)


@pytest.mark.parametrize(("service", "point"), cases(ON_LOCAL, ALWAYS_ON_LOCAL))
async def test_a_crash_changes_nothing_on_the_local_bus(
    service: str, point: str, environment: Environment, database: Database
) -> None:
    await crash_and_recover(service, point, environment, database)


async def crash_and_recover(
    service: str, point: str, environment: Environment, database: Database
) -> None:
    await load_demo_ground_truth(database)
    await add_listed_entry(database, "A rival", dict.fromkeys(RULE_METRIC_KEYS, 0.75))
    async with asyncio.timeout(PATIENCE_SECONDS), AsyncExitStack() as stack:
        for other in SERVICES:
            if other != service:
                # Their relays must not find the outbox of the one that is to die before it does.
                await stack.enter_async_context(healthy(other, environment, poll_seconds=3600))
        async with dying(service, point, environment) as process:
            submitting = asyncio.create_task(submit(environment))
            assert await process.wait() == -signal.SIGKILL
        await stack.enter_async_context(healthy(service, environment, poll_seconds=0.1))
        status_url = await submitting
        await until_ranked(environment, status_url)
        await until_outbox_is_empty(database)
        await assert_undisturbed(environment, database)


@asynccontextmanager
async def healthy(
    service: str, environment: Mapping[str, str], *, poll_seconds: float
) -> AsyncIterator[None]:
    """The service in this process."""
    settings_type, run = service_of(service)
    values = {name.removeprefix("MEDVID_").lower(): value for name, value in environment.items()}
    settings = settings_type(**values, outbox_poll_seconds=poll_seconds)
    async with infrastructure(settings, name=service) as base, run(base, settings):
        base.readiness.started = True
        yield


@asynccontextmanager
async def dying(service: str, point: str, environment: Mapping[str, str]) -> AsyncIterator[Forked]:
    process = await forked("tests.crashing", service, point, env={**os.environ, **environment})
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def submit(environment: Mapping[str, str]) -> str:
    """Submit as a careful client: on a broken connection, again with the same key."""
    url = f"http://127.0.0.1:{environment['MEDVID_PORT']}/api/v1/submissions"
    content = (DEMO / "predictions.json.gz").read_bytes()
    async with aiohttp.ClientSession() as http:
        while True:
            form = aiohttp.FormData({"model_name": "A model", "organization": "Us"})
            form.add_field("file", content, filename="predictions.json.gz")
            try:
                headers = {"Idempotency-Key": "8f1d2c1e-demo-demo-demo"}
                async with http.post(url, data=form, headers=headers) as response:
                    assert response.status == 202, await response.text()
                    return str((await response.json())["status_url"])
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


async def get(environment: Mapping[str, str], path: str) -> dict[str, Any]:
    url = f"http://127.0.0.1:{environment['MEDVID_PORT']}{path}"
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(url) as response:
                    return dict(await response.json())
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


async def until_ranked(environment: Mapping[str, str], status_url: str) -> None:
    while True:
        status = await get(environment, status_url)
        assert status["state"] != "failed", status
        if status["state"] == "ranked":
            assert [step["state"] for step in status["timeline"]] == [
                "accepted", "scored", "ranked",
            ]  # fmt: skip
            return
        await asyncio.sleep(0.05)


async def until_outbox_is_empty(database: Database) -> None:
    while await database.pool.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL"):
        await asyncio.sleep(0.05)


async def assert_undisturbed(environment: Mapping[str, str], database: Database) -> None:
    """The submission took effect once.

    How often its rival was ranked alone before that depends on how long starting took.
    """
    counts = await database.pool.fetchrow(
        "SELECT (SELECT count(*) FROM submissions) AS submissions,"
        " (SELECT count(*) FROM entries) AS entries,"
        " (SELECT count(*) FROM scores WHERE metric_version IS NOT NULL) AS scores,"
        " (SELECT count(*) FROM dead_letters) AS dead_letters,"
        " (SELECT count(*) FROM snapshots WHERE scoring = 'compat' AND entries = 2)"
        "  AS snapshots"
    )
    assert dict(counts or {}) == {
        "submissions": 1, "entries": 2, "scores": 7, "dead_letters": 0, "snapshots": 1,
    }  # fmt: skip
    board = await until_board_has_two(environment)
    assert await broken_links(database) == 0
    stored = await database.pool.fetchval(
        "SELECT content FROM snapshots WHERE scoring = 'compat' ORDER BY id DESC LIMIT 1"
    )
    for shown, row in zip(board["entries"], json.loads(stored), strict=True):
        assert shown.pop("statistics")  # a document of its own
        assert row == {key: shown[key] for key in row}
        assert not any(shown[key] for key in shown.keys() - row), "of what such a row has not"
    rows = {row["model_name"]: row for row in board["entries"]}
    assert rows["A model"]["values"]["cvs_acc"] == 0.798
    assert {name: row["rank"] for name, row in rows.items()} == {"A model": 1, "A rival": 2}


async def broken_links(database: Database) -> int:
    """Return how many documents have not exactly one link; constraints keep the chain whole."""
    count: int = await database.pool.fetchval(
        "SELECT count(*) FROM (SELECT id, 'snapshot' AS kind FROM snapshots"
        " UNION ALL SELECT snapshot_id, 'statistics' FROM snapshot_statistics) AS documents"
        " FULL JOIN links ON links.snapshot_id = documents.id AND links.kind = documents.kind"
        " WHERE links.number IS NULL OR documents.id IS NULL"
    )
    return count


async def until_board_has_two(environment: Mapping[str, str]) -> dict[str, Any]:
    while True:
        board = await get(environment, "/api/v1/leaderboards/community")
        entries = board.get("entries", ())
        if len(entries) == 2 and all(row["statistics"] for row in entries):
            return board
        await asyncio.sleep(0.05)
