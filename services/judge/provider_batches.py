"""Provider batches: their rows, and who takes the next step of one.

A row owns the claims on its lines and the money for them; a replica holds it for one step at a time
and writes what came of it only while it holds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, Self
from uuid import UUID, uuid4

import asyncpg
import orjson
import structlog

from medvid.judging.batch_api import End
from medvid.judging.forms import form_named
from medvid.judging.pricing import TokenPrice
from medvid.judging.prompt import Form
from medvid.judging.versions import JudgeVersion
from shared.runtime.errors import Transient
from shared.storage.database import TRANSIENT_ERRORS, Connection, Database
from shared.storage.queries import load_queries

SQL: Final = load_queries(__package__, "provider_batches.sql")
State = Literal[
    "planned", "uploaded", "submitting", "in_progress", "collecting", "deleting", "done"
]
Ended = End | Literal["abandoned", "lost"]
_log = structlog.get_logger(__name__)


class NotHeld(Transient):
    """Another replica has taken the batch over: nothing more may be written for it."""

    code = "batch_not_held"


@dataclass(frozen=True, slots=True)
class HeldBatch:
    """A provider batch whose next step this replica takes.

    `reserved`: what is set aside for it at first (millionths of a US dollar). `tries`: of this step
    so far. `may_begin`: its run is under way; `is_wanted`: what is answered may be used.
    `is_overdue`: submitted so long ago that the provider must have ended it; `is_hopeless`: it was
    asked to end it since, and nothing came of that.
    """

    id: UUID
    run_id: UUID
    submission_id: UUID
    version: JudgeVersion
    endpoint: str
    form: Form
    price: TokenPrice
    lines: int
    reserved: int
    state: State
    file_id: str | None
    provider_id: str | None
    outputs: Sequence[str]
    is_cancelled: bool
    may_begin: bool
    is_wanted: bool
    is_overdue: bool
    is_hopeless: bool
    tries: int

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        """Build one from a row of `hold`."""
        facts = dict(row)
        del facts["judge_version"]
        return cls(
            version=JudgeVersion.read(orjson.loads(facts.pop("facts"))),
            form=form_named(facts.pop("reply_form")),
            price=TokenPrice(**orjson.loads(facts.pop("price"))),
            reserved=facts.pop("reserved_microusd"),
            **facts,
        )

    @property
    def judge_version(self) -> str:
        """Return the hash of who judges."""
        return self.version.hash

    @property
    def line_microusd(self) -> int:
        """Return what a line counts whose usage nobody knows."""
        return self.reserved // self.lines


@dataclass(frozen=True, slots=True)
class ProviderBatches:
    """The rows of one endpoint, as one replica takes them for `seconds` each.

    `others`: versions of judges that have the same endpoint with keys of their own.
    """

    database: Database
    endpoint: str
    seconds: float
    others: Sequence[str] = ()
    holder: UUID = field(default_factory=uuid4)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[HeldBatch | None]:
        """Hold the batch that is due longest, None where none is.

        Where the lease is lost amid the work, it is cancelled and NotHeld raised.
        """
        row = await self._take("due_batch", self.endpoint, list(self.others))
        async with self._holding(row) as batch:
            yield batch

    @asynccontextmanager
    async def taken_stray(self, endpoints: Sequence[str]) -> AsyncIterator[HeldBatch | None]:
        """Hold one of an endpoint that no judge has any more, nor `endpoints`; as `taken`."""
        row = await self._take("stray_batch", list(endpoints))
        async with self._holding(row) as batch:
            yield batch

    async def _take(self, which: str, *given: object) -> asyncpg.Record | None:
        """Hold the batch that a query finds and locks, if any."""
        async with self.database.transaction() as transaction:
            batch_id = await transaction.connection.fetchval(SQL[which], *given)
            if batch_id is None:
                return None
            held = (batch_id, self.holder, self.seconds)
            return await transaction.connection.fetchrow(SQL["hold"], *held)

    @asynccontextmanager
    async def _holding(self, row: asyncpg.Record | None) -> AsyncIterator[HeldBatch | None]:
        if row is None:
            yield None
            return
        batch = HeldBatch.of(row)
        work = asyncio.current_task()
        assert work is not None  # noqa: S101 - this is a coroutine
        keeping = asyncio.create_task(self._keep(batch.id, work))
        try:
            yield batch
        except asyncio.CancelledError:
            if keeping.done() and not keeping.cancelled() and work.uncancel() == 0:
                raise NotHeld(str(batch.id)) from None
            raise
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _keep(self, batch_id: UUID, work: asyncio.Task[object]) -> None:
        """Renew the lease until cancelled; where it is lost, cancel the work and return."""
        while True:
            await asyncio.sleep(self.seconds / 4)
            try:
                kept = await self.database.pool.fetchval(
                    SQL["keep"], batch_id, self.holder, self.seconds
                )
            except TRANSIENT_ERRORS as error:
                _log.warning("provider_batch_not_kept", error=str(error))
                continue
            if not kept:
                work.cancel()
                return

    async def lock(self, connection: Connection, batch: HeldBatch) -> None:
        """Keep the row from everybody else for this transaction; raises NotHeld."""
        self._held(await connection.fetchval(SQL["lock"], batch.id, self.holder))

    async def put(
        self,
        batch: HeldBatch,
        state: State,
        *,
        due: float = 0.0,
        file_id: str | None = None,
        provider_id: str | None = None,
        outputs: Sequence[str] | None = None,
        ended: Ended | None = None,
        is_cancelled: bool = False,
        connection: Connection | None = None,
    ) -> None:
        """Record the next step, due in `due` seconds, and release the batch."""
        self._held(
            await (connection or self.database.pool).fetchval(
                SQL["put"], batch.id, self.holder, state, due, file_id, provider_id, outputs, ended,
                is_cancelled,
            )
        )  # fmt: skip
        _log.info(
            "provider_batch_moved", provider_batch=str(batch.id), state=state, ended=ended or ""
        )

    async def submitting(self, batch: HeldBatch, seconds: float) -> None:
        """Write down that it is about to be created: after a death it is looked for so late."""
        self._held(
            await self.database.pool.fetchval(SQL["submitting"], batch.id, self.holder, seconds)
        )

    async def others_under_way(self, batch: HeldBatch) -> bool:
        """Tell whether other batches are at its endpoint."""
        given = (batch.id, batch.endpoint)
        return bool(await self.database.pool.fetchval(SQL["others_under_way"], *given))

    async def fail(self, batch: HeldBatch, due: float, problem: str) -> None:
        """Retry the same step in `due` seconds."""
        self._held(
            await self.database.pool.fetchval(SQL["fail"], batch.id, self.holder, due, problem)
        )
        _log.warning(
            "provider_batch_waits", provider_batch=str(batch.id), state=batch.state, problem=problem
        )

    def _held(self, found: object) -> None:
        if not found:
            raise NotHeld("another replica has it")
