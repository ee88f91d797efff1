"""Judges that send their pairs in batches to the stand-in, and die where a test wants them to."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4

import asyncpg
from pydantic import SecretStr

from medvid.judging.batch_api import BatchApi
from medvid.judging.forms import FormChoice
from medvid.judging.prompt import Form
from medvid.judging.versions import JudgeVersion
from services.judge.app import batch_steps
from services.judge.batch_money import BatchMoney
from services.judge.batch_steps import BatchSteps, Pace
from services.judge.budgets import Caps
from services.judge.open_judge import BatchProvider, endpoint_name
from services.judge.provider_batches import ProviderBatches
from services.judge.settings import JudgeSettings
from services.judge.stub.server import MODEL, Stub, running_stub
from shared.contracts.messages import Envelope, JudgingRequested
from shared.storage.database import Database
from tests.judging import FIGURES, Replica, replica, request_run, run_row
from tests.patience import HANG_SECONDS
from tests.providers import NO_CAPS, PRICE, calling

T = TypeVar("T")
AT_ONCE: Final = Pace(poll=0.0, lost=0.0, create=HANG_SECONDS)
_API: Final = ("upload", "find", "create", "look", "cancel", "read", "delete")
_WRITES: Final = ("put", "submitting", "fail")


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, transactions roll back, the lease stays."""


class Death:
    """Comes at one of the points before and after each request and each write.

    At the point of a number, or of a name: the first so called, or the n-th of "name n".
    """

    def __init__(self, at: int | str | None = None) -> None:
        self._at = at
        self._count = 0
        self._named = Counter[str]()
        self._is_armed = False

    def arm(self) -> None:
        """Count from here."""
        self._is_armed = True

    def pass_(self, point: str) -> None:
        """Be at a point; raises Killed if it is the one."""
        if not self._is_armed:
            return
        self._named[point] += 1
        here = (self._count, point, f"{point} {self._named[point]}")
        self._count += 1
        if self._at in here:
            raise Killed(point)

    def around(self, name: str, work: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
        async def dying(*arguments: Any, **named: Any) -> T:
            self.pass_(f"before {name}")
            result = await work(*arguments, **named)
            self.pass_(f"after {name}")
            return result

        return dying


class MortalApi(BatchApi):
    """Dies around requests."""

    death: Death

    @classmethod
    def of(cls, api: BatchApi, death: Death) -> MortalApi:
        made = cls(api.endpoint, api.seconds)
        for name in _API:
            object.__setattr__(made, name, death.around(name, getattr(api, name)))
        return made


class MortalBatches(ProviderBatches):
    """Dies around writes of single statements."""

    @classmethod
    def of(cls, rows: ProviderBatches, death: Death) -> MortalBatches:
        made = cls(rows.database, rows.endpoint, rows.seconds, rows.others, rows.holder)
        for name in _WRITES:
            object.__setattr__(made, name, death.around(name, getattr(rows, name)))
        return made


class MortalDatabase(Database):
    """Dies before and after commits."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], death: Death) -> None:
        super().__init__(pool)
        self._death = death

    @asynccontextmanager
    async def transaction(self, *, correlation_id: UUID | None = None) -> AsyncIterator[Any]:
        async with super().transaction(correlation_id=correlation_id) as transaction:
            yield transaction
            self._death.pass_("before commit")
        self._death.pass_("after commit")


@dataclass
class Batcher:
    """A replica that sends batches, and the stand-in that takes them."""

    stub: Stub
    one: Replica
    steps: BatchSteps
    url: str

    async def until(self, database: Database, run_id: UUID, *states: str) -> asyncpg.Record:
        """Take steps until the run is in one of the states."""
        async with asyncio.timeout(HANG_SECONDS):
            while (row := await run_row(database, run_id))["state"] not in states:
                await self.steps.look()
                await self.one.runs.close(run_id)
                await asyncio.sleep(0.01)
        return row

    async def start(self, database: Database, submission_id: UUID, *, fast: bool = False) -> UUID:
        """Ask for a run and plan it, without a bus."""
        run_id = await request_run(database, submission_id, fast=fast)
        await self.plan(submission_id, run_id)
        return run_id

    async def plan(self, submission_id: UUID, run_id: UUID) -> None:
        """Plan a run that is queued."""
        message = JudgingRequested(submission_id=submission_id, run_id=run_id)
        await self.one.start(Envelope.wrap(message), message)


@asynccontextmanager
async def batching(
    database: Database,
    stub: Stub | None = None,
    *,
    url: str | None = None,
    death: Death | None = None,
    lines: int = 10_000,
    caps: Caps = NO_CAPS,
    form: FormChoice | None = None,
    is_on: bool = True,
    model: str = MODEL,
    judge: JudgeVersion | None = None,
) -> AsyncIterator[Batcher]:
    """A replica that sends its pairs in batches, at once and without a pause between looks."""
    stub, death = stub or Stub(), death or Death()
    async with AsyncExitStack() as stack:
        url = url or await stack.enter_async_context(running_stub(stub))
        form = form or FormChoice(Form.JSON)
        mortal = MortalDatabase(database.pool, death)
        grader = await stack.enter_async_context(
            calling(database, url, model=model, caps=caps, form=form, judge=judge)
        )
        figures = replace(FIGURES, by_batch=is_on)
        one = replica(mortal, grader, figures=figures)
        settings = JudgeSettings(
            database_url=SecretStr("postgresql://nowhere"),
            judge_batch_api="openai" if is_on else "none",
            judge_batch_lines=lines,
        )
        provider = BatchProvider(
            endpoint_name(url), grader.endpoint, grader.rubric, PRICE,
            BatchMoney(database, caps), grader.known_form,
        )  # fmt: skip
        steps = batch_steps(settings, provider, grader.version, one.runs)
        rows = MortalBatches.of(steps.rows, death)
        steps = replace(
            steps,
            rows=rows,
            planner=replace(steps.planner, retry_seconds=0),
            settler=replace(steps.settler, rows=rows),
            api=MortalApi.of(steps.api, death),
            pace=AT_ONCE,
        )
        yield Batcher(stub, one, steps, url)


async def add_provider_batch(database: Database, run_id: UUID, state: str) -> UUID:
    """Add a batch of one line, at an endpoint that there is not."""
    batch_id = uuid4()
    submitted = state not in ("planned", "uploaded", "submitting")
    ended = "completed" if state in ("collecting", "deleting", "done") else None
    await database.pool.execute(
        "INSERT INTO judge_provider_batches (id, run_id, judge_version, endpoint, reply_form,"
        " price, lines, state, ended, file_id, provider_id)"
        " SELECT $1, $2, judge_version, 'nowhere', 'schema', '{\"input\": 1, \"output\": 1}', 1,"
        " $3, $4, $5, $6 FROM judge_runs WHERE id = $2",
        batch_id, run_id, state, ended, None if state == "planned" else "file-0",
        "batch-0" if submitted else None,
    )  # fmt: skip
    return batch_id


async def lose_leases(database: Database) -> None:
    """Let what dead replicas hold run out."""
    await database.pool.execute(
        "UPDATE judge_provider_batches SET held_until = now() - interval '1 second'"
    )


async def states(database: Database) -> list[tuple[str, str | None]]:
    """Return state and end of each provider batch, the oldest first."""
    rows = await database.pool.fetch(
        "SELECT state, ended FROM judge_provider_batches ORDER BY created_at, id"
    )
    return [(row["state"], row["ended"]) for row in rows]


async def leftovers(database: Database) -> dict[str, int]:
    """Return claims and leases of money that are left: none, once all is over."""
    return {
        table: await database.pool.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608
        for table in ("judge_claims", "judge_spending_leases")
    }
