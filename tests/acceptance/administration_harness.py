"""A gateway and a ranker that an administrator works on, for the tests of administration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import orjson

from services.gateway import app as gateway
from services.gateway.settings import GatewaySettings
from services.ranker import app as ranker
from services.ranker.settings import RankerSettings
from services.scorer import app as scorer
from services.scorer.settings import ScorerSettings
from shared.messaging.bus import Bus
from shared.messaging.local import LocalBus
from shared.messaging.rabbit.bus import connect_rabbit
from shared.messaging.relay import Relay
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.ops import Readiness
from shared.storage.database import Database
from tests.patience import HANG_SECONDS
from tests.servers import free_port

KEY: Final = "the-administrators-own-and-long-key"
WHY: Final = "a test asked for it"


@dataclass(slots=True)
class Site:
    """A running site and its administrator."""

    url: str
    database: Database
    bus: Bus
    client: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, body: object = None, *, key: str | None = KEY
    ) -> tuple[int, Any]:
        """Ask the API; gives status and the answer."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with self.client.request(
            method, f"/api/v1{path}", json=body, headers=headers
        ) as response:
            data = await response.read()
            json = response.content_type.endswith("json")
            return response.status, orjson.loads(data) if json else data.decode()

    async def done(self, path: str, **body: object) -> dict[str, Any]:
        """Do something as the administrator; it must succeed."""
        status, answer = await self.ask("POST", f"/admin{path}", {"why": WHY, **body})
        assert status in (200, 201, 202), answer
        found: dict[str, Any] = answer
        return found

    async def refused(self, path: str, **body: object) -> tuple[int, str]:
        """Do something that must not succeed; gives status and code."""
        status, answer = await self.ask("POST", f"/admin{path}", {"why": WHY, **body})
        assert status >= 400, answer
        return status, answer["code"]

    async def audit(self, **wanted: str) -> list[dict[str, Any]]:
        """Return the newest lines of the audit log."""
        query = "&".join(f"{name}={value}" for name, value in wanted.items())
        status, answer = await self.ask("GET", f"/admin/audit?{query}")
        assert status == 200, answer
        lines: list[dict[str, Any]] = answer["lines"]
        return lines

    async def board(self, board: str) -> dict[str, dict[str, Any]]:
        """Return a board's entries by name, once every change is ranked, measured and served."""
        async with asyncio.timeout(HANG_SECONDS):
            while True:
                _, found = await self.ask("GET", f"/leaderboards/{board}", key=None)
                newest = await self.database.pool.fetchrow(
                    "SELECT b.revision = b.ranked_revision AS ranked,"
                    " coalesce(max(s.revision), 0) AS snapshot,"
                    " (array_agg(s.replicates_sha256 ORDER BY s.id DESC))[1] AS replicates"
                    " FROM boards b"
                    " LEFT JOIN snapshots s ON s.board = b.board AND s.scoring = 'compat'"
                    " WHERE b.board = $1 GROUP BY b.revision, b.ranked_revision",
                    board,
                )
                assert newest is not None
                entries = {entry["model_name"]: entry for entry in found["entries"]}
                measured = [entry for entry in entries.values() if entry["statistics"]]
                if (
                    newest["ranked"]
                    and found["revision"] >= newest["snapshot"]
                    and (measured or not newest["replicates"])
                ):
                    return entries
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running_site(
    database: Database, rabbit_url: str | None = None, *, scoring: bool = False, **changes: Any
) -> AsyncIterator[Site]:
    """Run gateway and ranker (and the scorer) on one bus; `changes` are the gateway's settings."""
    settings = GatewaySettings(
        host="127.0.0.1",
        port=free_port(),
        **{
            "validation_workers": 1,
            "admin_key": KEY,
            "admin_guesses": 10_000,
            "board_poll_seconds": 0.1,
            **changes,
        },
    )
    bus: Bus = await connect_rabbit(rabbit_url) if rabbit_url else LocalBus(database)
    base = Infrastructure(database, bus, Readiness({"database": database.check}))
    base.readiness.started = True
    base.background("relay", Relay(database, bus, poll_seconds=0.1).run)
    url = f"http://127.0.0.1:{settings.port}"
    try:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(aiohttp.ClientSession(url))
            await stack.enter_async_context(ranker.run(base, RankerSettings(patrol_seconds=1)))
            if scoring:
                own = ScorerSettings(
                    scorer_processes=1, similarities=False, patrol_seconds=0.5, still_seconds=2
                )
                await stack.enter_async_context(scorer.run(base, own))
            await stack.enter_async_context(gateway.run(base, settings))
            yield Site(url, database, bus, client)
    finally:
        await base.close()
        await bus.close()
