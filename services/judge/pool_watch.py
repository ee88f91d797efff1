"""Keeps a pool as all replicas and administrators have it: drained, or of another model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import structlog

from medvid.judging.calls import CallFailed
from medvid.judging.model_names import counts_as
from services.judge.ends import ListModels
from services.judge.pool import PooledEndpoint, PoolGrader
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

LOOK_SECONDS: Final = 2.0
"""Within which every replica follows an administrator."""
_LIST_SECONDS: Final = 10.0
"""One that hangs must not keep the others' changes waiting."""
_MOST_NAMES: Final = 5
_SQL: Final = load_queries(__package__, "pool.sql")
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class PoolState:
    """What the database says of a pool's endpoints. Each method raises Transient."""

    database: Database

    async def seen(self, endpoint: PooledEndpoint, version: str) -> tuple[str, datetime]:
        """Report an endpoint; return why it gets no call ("" where it does), and since when."""
        async with transient_errors():
            row = await self.database.pool.fetchrow(
                _SQL["endpoint_seen"], endpoint.name, version, endpoint.down or None
            )
        assert row is not None  # noqa: S101 - it was just written
        drained = f"drained: {row['why']}" if row["state"] == "drained" else row["why"]
        return drained or "", row["changed_at"]

    async def take_out(self, name: str, reason: str) -> None:
        """Write down that an endpoint serves another model; all replicas follow."""
        async with transient_errors():
            await self.database.pool.execute(_SQL["endpoint_out"], name, reason)


@dataclass(slots=True)
class PoolWatch:
    """Looks after the endpoints of one replica's pool. `models`: their lists, by name."""

    pool: PoolGrader
    state: PoolState
    models: Mapping[str, ListModels]
    model_prefix: str | None
    _checked: dict[str, datetime] = field(default_factory=dict, init=False)
    """When the change was made after which an endpoint's list was read."""

    async def look(self) -> None:
        """Take over what holds for all replicas; read the list of one that came into use."""
        version = self.pool.version.hash
        came: list[PooledEndpoint] = []
        for each in self.pool.endpoints:
            out, changed_at = await self.state.seen(each, version)
            if out != each.out:
                _log.info("judge_endpoint_changed", endpoint=each.name, out=out)
                each.out = out
                await self.pool.tell()
            if not out and self._checked.get(each.name) != changed_at:
                self._checked[each.name] = changed_at
                came.append(each)
        await asyncio.gather(*map(self._check, came))

    async def _check(self, endpoint: PooledEndpoint) -> None:
        """Take an endpoint out whose list names other models alone; one that lists none is kept."""
        read = self.models.get(endpoint.name)
        if read is None:
            return
        try:
            async with asyncio.timeout(_LIST_SECONDS):
                listed = await read()
        except (CallFailed, TimeoutError) as failure:
            _log.info("judge_endpoint_lists_nothing", endpoint=endpoint.name, why=str(failure))
            return
        reason = other_models(self.pool.version.model, listed, self.model_prefix)
        if reason:
            endpoint.out = reason
            _log.error("judge_endpoint_taken_out", endpoint=endpoint.name, reason=reason)
            await self.state.take_out(endpoint.name, reason)


def other_models(model: str, listed: Mapping[str, date | None], prefix: str | None) -> str:
    """Return why an endpoint with this list cannot serve the model, "" where it may."""
    if not listed or model in listed:
        return ""
    if any(counts_as(model, name, prefix=prefix) for name in listed):
        return ""
    named = ", ".join(sorted(listed)[:_MOST_NAMES])
    others = len(listed) - _MOST_NAMES
    more = f" and {others} more" if others > 0 else ""
    return f"its list of models has no {model}, but {named}{more}"
