"""A fault in any background task of any service ends neither the service nor the task."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import pytest

from services.gateway import app as gateway
from services.judge import app as judge
from services.ranker import app as ranker
from services.scorer import app as scorer
from services.standalone import StandaloneSettings
from shared.messaging.local import LocalBus
from shared.messaging.topology import QUEUES
from shared.runtime.errors import Misconfigured
from shared.runtime.infrastructure import Infrastructure, infrastructure
from shared.runtime.lifecycle import serve
from shared.runtime.ops import Readiness
from shared.runtime.supervision import Backoff, Supervision, Work
from shared.storage.database import Database
from tests.depth import some_of
from tests.patience import HANG_SECONDS

APPS: Final[dict[str, Any]] = {
    "scorer": scorer.run,
    "ranker": ranker.run,
    "judge": judge.run,
    "gateway": gateway.run,
}
TASKS: Final = {
    "scorer": {"scorer_warm_up", "scorer_reaper"},
    "ranker": {"ranker_reaper", "ranker_links", "pruner"},
    "judge": {
        "judge_claims", "judge_due_batches", "judge_end", "judge_fleet", "judge_own_families",
        "judge_places", "judge_planner_warm_up", "judge_provider_batches", "judge_reaper",
        "judge_rereading", "judge_spending", "judge_successions", "judge_upkeep",
    },
    "gateway": {
        "gateway_boards", "gateway_events", "gateway_webhooks", "gateway_quotas",
        "webhooks_forget", "accounts_searching",
    },
}  # fmt: skip
ALWAYS: Final = {"outbox_relay", "sampler"}
WITHOUT_DATABASE: Final = {"gateway_events", "judge_places"}
"""They need not ask it: their first start fails instead."""


_task: Final[ContextVar[str]] = ContextVar("task")  # what a task starts inherits it


class Fault(Exception):
    """What nobody expected."""


class FaultyPool:
    """A pool whose first use by each task raises; counts uses by the task's name."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.uses: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        if name in ("acquire", "execute", "executemany", "fetch", "fetchrow", "fetchval"):
            self.use()
        return getattr(self._pool, name)

    def use(self) -> None:
        task = asyncio.current_task()
        name = _task.get(task.get_name() if task else "")
        self.uses[name] += 1
        if self.uses[name] == 1 and not name.startswith("Task-"):  # nobody named it: no background
            raise Fault(name)


class Hurried(Supervision):
    """Does now what is done every hour."""

    def __init__(self, pool: FaultyPool) -> None:
        super().__init__(Backoff(0.05, 0.5))
        self._pool = pool
        self.names: set[str] = set()

    def run(self, name: str, work: Work) -> None:
        super().run(name, self._noted(name, work))

    def repeat(self, name: str, work: Work, seconds: float) -> None:
        super().repeat(name, self._noted(name, work), min(seconds, 0.05))

    def _noted(self, name: str, work: Work) -> Work:
        self.names.add(name)

        async def noted() -> None:
            _task.set(name)
            if name in WITHOUT_DATABASE:
                self._pool.use()
            await work()

        return noted


@pytest.mark.parametrize("name", some_of([*APPS, "standalone"], "standalone"))
async def test_each_background_task_survives_a_fault(
    name: str, postgres_url: str, tmp_path: Path
) -> None:
    settings = StandaloneSettings(
        database_url=postgres_url,
        data_dir=tmp_path,
        port=0,
        validation_workers=1,
        scorer_processes=1,
        outbox_poll_seconds=0.05,
        sample_seconds=1,
        judge_provider="openai",
        judge_base_url="http://127.0.0.1:9/v1",
        judge_api_key="none",
        judge_model="a-model",
        judge_prices={"a-model": {"input": 2, "output": 8}},
        judge_month_cap_usd=1,
        judge_claim_seconds=1,
    )
    apps = list(APPS) if name == "standalone" else [name]
    expected = set().union(*(TASKS[app] for app in apps))
    async with infrastructure(settings, name=name) as base, AsyncExitStack() as stack:
        pool = FaultyPool(base.database.pool)
        base.database.pool = pool  # type: ignore[assignment]
        started_before, base.tasks = base.tasks, Hurried(pool)
        stack.push_async_callback(started_before.close)
        for app in apps:
            await stack.enter_async_context(APPS[app](base, settings))
        assert base.tasks.names == expected  # type: ignore[attr-defined]
        claims = {f"claims {queue.name}" for queue in QUEUES if queue.name.split(".")[0] in apps}
        base.readiness.started = True
        async with asyncio.timeout(HANG_SECONDS):
            while not all(pool.uses[task] > 1 for task in expected | ALWAYS | claims):
                await asyncio.sleep(0.02)
        assert not base.failed.done()
        assert await base.readiness.problems() == {}


async def test_what_it_cannot_live_without_ends_the_process(database: Database) -> None:
    """As an embedded Postgres that died and does not start again."""

    async def gone() -> None:
        raise Misconfigured("the embedded Postgres does not start")

    base = Infrastructure(database, LocalBus(database), Readiness())
    base.depend_on(asyncio.create_task(gone()))
    with pytest.raises(Misconfigured, match="does not start"):
        await serve(base, asyncio.Event())
    await base.close()
