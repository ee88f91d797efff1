"""A gateway or a ranker that dies while a succession is applied: it is applied once, whole."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from shared.storage.database import Database
from tests.acceptance.administration_harness import KEY, WHY, Site, running_site
from tests.acceptance.test_crashes import COMMITS, DELIVERIES, cases, dying, healthy
from tests.acceptance.test_succession import FIGURE, expected, fill, running_bench, told
from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.servers import free_port

MATRIX = [("gateway", point) for point in COMMITS] + [
    ("ranker", point) for point in (*COMMITS, *DELIVERIES)
]
ALWAYS = {("ranker", "before_commit")}


async def ready_job(database: Database) -> tuple[str, int]:
    """Have an entry of judge A judged by B; returns the job that waits, and its difference."""
    async with running_bench(database, None) as bench:
        submissions = await fill(bench, "One")
        async with bench.judge("a"):
            await bench.judged(submissions["One"])
        await bench.site.board("community")
        async with bench.judge("b"):
            _, cost = await bench.site.ask("GET", "/admin/successions/estimate")
            job = await bench.site.done("/successions", calls=cost["calls"])
            detail = await bench.job(job["id"], "ready")
        return job["id"], detail["job"]["preview"]


async def apply(url: str, path: str, body: dict[str, Any]) -> None:
    """Ask a gateway to apply, once it listens; it may die before it answers."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as client:
        while True:
            with suppress(aiohttp.ClientError):
                async with client.get(f"{url}/livez"):
                    break
            await asyncio.sleep(0.05)
        with suppress(aiohttp.ClientError):
            async with client.post(f"{url}/api/v1{path}", json=body) as response:
                assert response.status == 200, await response.text()


@deep
@pytest.mark.parametrize(("service", "point"), cases(MATRIX, ALWAYS))
async def test_a_job_is_applied_once_whoever_dies(
    service: str, point: str, database: Database, postgres_url: str, tmp_path: Path
) -> None:
    job, preview = await ready_job(database)
    path, body = f"/admin/successions/{job}/apply", {"why": WHY, "preview": preview}
    environment = {
        "MEDVID_DATABASE_URL": postgres_url,
        "MEDVID_DATA_DIR": str(tmp_path),
        "MEDVID_PORT": str(free_port()),
        "MEDVID_VALIDATION_WORKERS": "1",
        "MEDVID_ADMIN_KEY": KEY,
    }
    url = f"http://127.0.0.1:{environment['MEDVID_PORT']}"
    async with asyncio.timeout(HANG_SECONDS), dying(service, point, environment) as process:
        if service == "gateway":
            await apply(url, path, body)
        else:  # whose own relay must find what it sends
            async with healthy("gateway", environment, poll_seconds=3600):
                await apply(url, path, body)
                await process.wait()
        assert await process.wait() == -signal.SIGKILL
    async with running_site(database) as site:
        await check_applied_once(site, path, body, lost=(service, point) == MATRIX[0])


async def check_applied_once(site: Site, path: str, body: dict[str, Any], *, lost: bool) -> None:
    """Ask again: only what was lost whole is done now. All is B's, on the board too."""
    status, answer = await site.ask("POST", path, body)
    assert (status, answer) == (200, {"changed": lost})
    rows = await site.board("community")
    pool = site.database.pool
    judge = await pool.fetchval("SELECT hash FROM judge_versions ORDER BY created_at DESC LIMIT 1")
    assert rows["One"]["series"][FIGURE] == judge
    assert rows["One"]["not_ranked"] == {}
    value = expected(told("One"), "b")
    assert value is not None
    assert rows["One"]["values"][FIGURE] == round(round(value, 4), 3)
    assert len(await site.audit(action="apply_succession")) == 1
    assert await pool.fetchval("SELECT count(*) FROM shadow_scores") == 0
    assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0
    doubled = "SELECT board, scoring, revision FROM snapshots GROUP BY 1, 2, 3 HAVING count(*) > 1"
    assert await pool.fetch(doubled) == []
