"""The status, as JSON and as a page: read from the database every few seconds at most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from medvid.benchmark.tasks import BOARDS
from medvid.models.judging import JudgeInForce
from medvid.models.status import Notice, Status
from services.gateway.boards.current import Boards
from services.gateway.status.models import status
from services.gateway.status.rules import Figures, StatusLimits, assess
from services.gateway.web.endpoints import HTML, JSON
from services.gateway.web.representations import Representation, represent
from services.gateway.web.security import PAGE_HEADERS, READ_HEADERS
from shared.runtime.errors import Transient
from shared.runtime.figures import FiguresSample, read_sample
from shared.storage.database import Database, transient_errors
from shared.storage.judge_service import judge_in_force
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_CACHE_CONTROL: Final = "public, max-age=2"
_TTL_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 2.0
"""How long the database may take: the status is asked for when something is slow."""
_log = structlog.get_logger(__name__)


class StatusSource(Protocol):
    """Where the status comes from."""

    async def sample(self) -> FiguresSample:
        """Return the newest figures; raises Transient."""

    async def notice(self) -> Notice | None:
        """Return what operators say about an incident; raises Transient."""

    async def judge(self) -> JudgeInForce:
        """Return who judges now; raises Transient."""


class PostgresStatus:
    """Implements StatusSource."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sample(self) -> FiguresSample:
        """Return the newest figures; raises Transient."""
        async with transient_errors(), asyncio.timeout(_PATIENCE_SECONDS):
            return await read_sample(self._database)

    async def notice(self) -> Notice | None:
        """Return the notice, if there is one; raises Transient."""
        async with transient_errors(), asyncio.timeout(_PATIENCE_SECONDS):
            row = await self._database.pool.fetchrow(_SQL["notice"])
        return None if row is None else Notice(text=row["text"], since=row["since"])

    async def judge(self) -> JudgeInForce:
        """Return who judges now, or why nobody does; raises Transient."""
        async with transient_errors(), asyncio.timeout(_PATIENCE_SECONDS):
            return await judge_in_force(self._database.pool)


async def set_notice(database: Database, text: str | None) -> None:
    """Show a text on the status page, or none; raises InvalidInput where it is too long."""
    async with database.transaction() as transaction:
        if text is None:
            await transaction.connection.execute(_SQL["notice_clear"])
        else:
            await transaction.connection.execute(_SQL["notice_set"], text)


@dataclass(frozen=True, slots=True)
class ReadyStatus:
    """The status in both representations."""

    json: Representation
    page: Representation


class StatusReader:
    """Keeps the newest status ready. A database that does not answer is part of it, no error."""

    def __init__(
        self,
        source: StatusSource,
        boards: Boards,
        render: Callable[[Status], str],
        limits: StatusLimits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._boards = boards
        self._render = render
        self._limits = limits
        self._clock = clock
        self._lock = asyncio.Lock()
        self._ready: ReadyStatus | None = None
        self._until = 0.0
        self._sample: tuple[FiguresSample, float] | None = None
        self._notice: Notice | None = None
        self._judge: JudgeInForce | None = None

    async def ready(self) -> ReadyStatus:
        """Return the status, a few seconds old at most."""
        async with self._lock:
            if self._ready is None or self._clock() >= self._until:
                self._ready = self._build(await self._look())
                self._until = self._clock() + _TTL_SECONDS
            return self._ready

    async def _look(self) -> Status:
        try:
            self._sample = await self._source.sample(), self._clock()
            self._notice = await self._source.notice()
            self._judge = await self._source.judge()
        except Transient as error:
            _log.warning("status_not_known", error=error.detail)
        figures: Figures = {}
        age: float | None = None
        if self._sample is not None:
            sample, at = self._sample
            figures, age = sample.figures, sample.age + self._clock() - at
        updates = {board: self._boards.get(board, "compat").board.updated_at for board in BOARDS}
        assessed = assess(figures, age, self._limits)
        return status(assessed, updates, self._notice, self._judge, datetime.now(UTC))

    def _build(self, found: Status) -> ReadyStatus:
        return ReadyStatus(
            json=represent(
                found.model_dump_json().encode(),
                content_type=JSON,
                cache_control=_CACHE_CONTROL,
                headers=READ_HEADERS,
            ),
            page=represent(
                self._render(found).encode(),
                content_type=HTML,
                cache_control=_CACHE_CONTROL,
                headers=PAGE_HEADERS,
            ),
        )
