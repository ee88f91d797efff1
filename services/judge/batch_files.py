"""Puts pairs of a run into a file for the provider: as many as its limits and the money allow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import orjson
import structlog

from medvid.judging.batch_lines import MOST_BYTES, LineKey, write_line
from medvid.judging.endpoint import OpenAiEndpoint
from medvid.judging.forms import named
from medvid.judging.pricing import Grant, TokenPrice
from medvid.judging.prompt import Form, build_messages, estimate_tokens
from medvid.judging.rubric import Rubric
from medvid.judging.versions import JudgeVersion
from services.judge.batch_money import BatchMoney
from services.judge.provider_batches import SQL
from services.judge.runs import Item, ItemKey, Pause, keys_apart
from services.judge.sizing import USUAL_PAIRS
from services.judge.store import Runs, item_of, pause_run
from shared.storage.database import Connection, Transaction
from shared.storage.queries import load_queries

_JUDGE_SQL: Final = load_queries(__package__)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LineWriter:
    """Writes the lines of a judge version; `price` is that of a batch."""

    endpoint: OpenAiEndpoint
    version: JudgeVersion
    rubric: Rubric
    price: TokenPrice

    def write(self, item: Item, form: Form) -> tuple[bytes, int]:
        """Return an item's line, and what it costs at most (millionths of a US dollar)."""
        messages = build_messages(
            self.rubric,
            item.pair.prediction,
            item.pair.reference,
            item.pair.task,
            form=form,
            limit=self.version.max_caption_characters,
        )
        line = write_line(LineKey(*item.key), self.endpoint.request(messages, form))
        prompt = estimate_tokens(messages, at_most=True)
        return line, self.price.most(prompt, self.version.max_tokens)

    def content(self, items: Iterable[Item], form: Form) -> bytes:
        """Return the file of these items."""
        return b"".join(self.write(item, form)[0] for item in items)


@dataclass(frozen=True, slots=True)
class FilePart:
    """One judge batch's part in a file: its lines, their bytes, and what they cost at most."""

    batch_id: int
    keys: Sequence[ItemKey]
    size: int
    microusd: int


def fitting(
    parts: Sequence[FilePart], *, lines: int, microusd: int, size: int = MOST_BYTES
) -> Sequence[FilePart]:
    """Return the first parts, as many as fit into a file and the money; one in any case."""
    count = 0
    for count, part in enumerate(parts):
        lines -= len(part.keys)
        size -= part.size
        microusd -= part.microusd
        if min(lines, size, microusd) < 0 and count:
            return parts[:count]
    return parts[: count + 1]


@dataclass(frozen=True, slots=True)
class FilePlanner:
    """Plans files for an endpoint, `is_on` while pairs shall travel so.

    `known_form`: the form in which the endpoint replies, None while no call has found it.
    `retry_seconds`: until money is asked for again that other calls and files hold.
    """

    runs: Runs
    writer: LineWriter
    money: BatchMoney
    endpoint: str
    known_form: Callable[[], Awaitable[Form | None]]
    lines: int
    is_on: bool
    retry_seconds: float = 30.0

    async def look(self) -> None:
        """Put everything that waits into files."""
        version = self.writer.version.hash
        for run in await self.runs.database.pool.fetch(SQL["runs_for_provider"], version):
            while await self._plan(run["id"]):
                pass

    async def _plan(self, run_id: UUID) -> bool:
        """Plan a file of a run; tell whether there may be another."""
        form = await self.known_form()
        async with self.runs.database.transaction() as transaction:
            connection = transaction.connection
            run = await connection.fetchrow(SQL["run_take"], run_id, self.writer.version.hash)
            if run is None:
                return False
            if run["fast"] or not self.is_on:
                await connection.execute(SQL["run_goes_online"], run_id)
                return False
            if run["is_cautious"] or form is None:
                await connection.execute(SQL["run_tries_online"], run_id)
                return False
            return await self._write(transaction, _Run(**dict(run)), form)

    async def _write(self, transaction: Transaction, run: _Run, form: Form) -> bool:
        connection, batch_id = transaction.connection, uuid4()
        most = -(-self.lines // (self.runs.policy.batch_items or USUAL_PAIRS))
        rows = await connection.fetch(SQL["items_for_provider"], run.run_id, most)
        if not rows:
            return False
        free = await self._claim(connection, batch_id, [item_of(row) for row in rows])
        parts = await asyncio.to_thread(self._parts, rows, free, form)
        # Of these, all is known or at the provider: the online way finds out.
        idle = [part.batch_id for part in parts if not part.keys]
        await connection.execute(SQL["judge_batches_online"], idle)
        parts = [part for part in parts if part.keys]
        if not parts:
            await connection.execute(SQL["lines_unclaim"], batch_id, [], [])
            return True
        granted = await self.money.room(
            connection,
            batch_id,
            run.run_id,
            parts[0].microusd,
            sum(part.microusd for part in parts),
        )
        if granted.scope:
            await connection.execute(SQL["let_go"], batch_id, "for_provider", 0.0)
            await self._refused(transaction, run, granted)
            return False
        chosen = fitting(parts, lines=self.lines, microusd=granted.amount)
        await self._add(connection, batch_id, run, form, chosen)
        return True

    async def _claim(
        self, connection: Connection, batch_id: UUID, items: Sequence[Item]
    ) -> set[ItemKey]:
        """Claim items without a verdict that nobody asks for."""
        version = self.writer.version.hash
        keys = keys_apart([item.key for item in items])
        taken = await connection.fetch(SQL["lines_claim"], version, *keys, batch_id)
        known = await connection.fetch(_JUDGE_SQL["verdicts_of"], version, *keys)
        return {(row["pair"], row["repeat"]) for row in taken} - {
            (row["pair"], row["repeat"]) for row in known
        }

    def _parts(
        self, rows: Sequence[asyncpg.Record], free: Collection[ItemKey], form: Form
    ) -> list[FilePart]:
        items: dict[int, list[Item]] = {}
        for row in rows:
            item = item_of(row)
            of_batch = items.setdefault(row["batch_id"], [])
            if item.key in free:
                of_batch.append(item)
        parts = []
        for batch_id, asked in items.items():
            written = [self.writer.write(item, form) for item in asked]
            size, cost = sum(len(line) for line, _ in written), sum(cost for _, cost in written)
            parts.append(FilePart(batch_id, [item.key for item in asked], size, cost))
        return parts

    async def _add(
        self,
        connection: Connection,
        batch_id: UUID,
        run: _Run,
        form: Form,
        parts: Sequence[FilePart],
    ) -> None:
        keys = [key for part in parts for key in part.keys]
        microusd = sum(part.microusd for part in parts)
        await connection.execute(SQL["lines_unclaim"], batch_id, *keys_apart(keys))
        price = orjson.dumps(asdict(self.writer.price)).decode()
        await connection.execute(
            SQL["file_add"], batch_id, run.run_id, run.judge_version, self.endpoint, named(form),
            price, len(keys), microusd,
        )  # fmt: skip
        await connection.execute(
            SQL["judge_batches_file"], [part.batch_id for part in parts], batch_id
        )
        if microusd:
            await self.money.hold(connection, batch_id, run.run_id, microusd)
        _log.info("provider_batch_planned", provider_batch=str(batch_id), lines=len(keys))

    async def _refused(self, transaction: Transaction, run: _Run, refused: Grant) -> None:
        """Pause a run whose money is spent; while others hold the rest, wait."""
        if refused.is_final:
            detail = f"the judge's budget of this {refused.scope} is spent"
            await pause_run(transaction, run, Pause(f"budget_{refused.scope}", detail))
        else:
            await transaction.connection.execute(
                SQL["judge_batches_wait"], run.run_id, self.retry_seconds
            )


@dataclass(frozen=True, slots=True)
class _Run:
    """A PlannedRun, and how it goes."""

    run_id: UUID
    submission_id: UUID
    judge_version: str
    is_cautious: bool
    fast: bool
