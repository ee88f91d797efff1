"""Settles what a provider batch answered: verdicts, claims and money of a judge batch at once.

The claims that are left tell what is not settled yet. So if a replica dies amid it, another goes
on; a line that comes twice, or of which the verdict is known, is not used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import asyncpg
import structlog

from medvid.judging.batch_lines import BatchAnswers, LineKey, read_files
from medvid.judging.calls import Completion
from medvid.judging.forms import ReplyForm, named
from medvid.judging.rationale import load_rationale
from medvid.judging.replies import REASONING_LIMIT
from services.judge.batch_money import BatchMoney
from services.judge.model_calls import Tally
from services.judge.provider_batches import SQL, Ended, HeldBatch, ProviderBatches
from services.judge.runs import Batch, Item, ItemKey, Settlement, keys_apart
from services.judge.store import Runs, open_batch
from services.judge.verdict import NO_WASTE, Verdict, Waste
from services.judge.verdict_cache import count_verdict, save_verdict
from services.judge.verdict_reading import VerdictReader
from shared.storage.database import Connection
from shared.storage.queries import load_queries

_JUDGE_SQL: Final = load_queries(__package__)
_CHUNK: Final = 100
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SettledLine:
    """What came of a line: its verdict, if any, what it cost and what of that was for nothing."""

    verdict: Verdict | None = None
    calls: int = 0
    microusd: int = 0
    waste: Waste = NO_WASTE
    is_estimated: bool = False


NOT_ASKED: Final = SettledLine()


@dataclass(frozen=True, slots=True)
class LineReader:
    """Reads lines of a batch. What is no verdict is asked for online, where the guards are.

    But for what a second call would not change: a model that thinks for too long.
    """

    batch: HeldBatch
    reader: VerdictReader

    def read(self, key: LineKey, answers: BatchAnswers) -> SettledLine:
        """Return what came of a line."""
        completion, failure = answers.answered.get(key), answers.failed.get(key)
        tally = Tally(attempts=1)
        if completion is not None:
            return self._answered(completion, tally)
        if failure is None:
            return NOT_ASKED
        if failure.usage is not None or failure.maybe_billed:
            usage = failure.usage
            spent = self.batch.price.cost(*usage) if usage else self.batch.line_microusd
            tally.add(spent, is_billed=True, is_estimated=usage is None)
            tally.wasted(failure.outcome)
        return _line(tally)

    def _answered(self, completion: Completion, tally: Tally) -> SettledLine:
        usage = completion.usage
        if usage is not None:
            tally.add_usage(usage)
        spent = self.batch.price.cost(*usage) if usage else self.batch.line_microusd
        tally.add(spent, is_billed=True, is_estimated=usage is None)
        verdict = self.reader.read(completion, self.batch.form, tally)
        is_final = verdict.scores or verdict.unscored_reason == REASONING_LIMIT
        return _line(tally, verdict if is_final else None)


def _line(tally: Tally, verdict: Verdict | None = None) -> SettledLine:
    return SettledLine(verdict, tally.attempts, tally.cost, tally.waste, tally.is_estimated)


@dataclass(frozen=True, slots=True)
class AnswerSettler:
    """Settles batches. `model_prefix` is that of this replica's own version, `own`."""

    rows: ProviderBatches
    runs: Runs
    money: BatchMoney
    own: str
    model_prefix: str | None

    async def settle(self, batch: HeldBatch, files: Sequence[bytes]) -> None:
        """Settle all lines that these files answer; the others go online."""
        pool = self.runs.database.pool
        asked = {
            LineKey(row["pair"], row["repeat"]): _sent(row)
            for row in await pool.fetch(SQL["lines_open"], batch.id)
        }
        answers = await asyncio.to_thread(
            read_files, files, asked, batch.form, now=datetime.now(UTC)
        )
        reader = LineReader(batch, self._reader(batch))
        for row in await pool.fetch(SQL["open_judge_batches"], batch.id):
            await self._settle_judge_batch(batch, row["id"], reader, answers)
        # The run was planned again since: these verdicts belong to no judge batch.
        left = [
            (row["pair"], row["repeat"]) for row in await pool.fetch(SQL["lines_open"], batch.id)
        ]
        for start in range(0, len(left), _CHUNK):
            await self._settle_left(batch, left[start : start + _CHUNK], reader, answers)
        _log.info(
            "provider_batch_settled",
            provider_batch=str(batch.id),
            answered=len(answers.answered),
            failed=len(answers.failed),
            missing=len(answers.missing),
            repeated=answers.repeated,
        )
        await self.money.warn(batch.run_id)

    async def let_go(self, batch: HeldBatch, ended: Ended, *, wait: float = 0.0) -> None:
        """End a batch that nothing was asked of: its pairs wait for another file, so long at least.

        Of one that was lost, the provider may have answered everything: it is counted as spent, and
        its pairs go online.
        """
        async with self.runs.database.transaction() as transaction:
            connection = transaction.connection
            await connection.fetchval(_JUDGE_SQL["run_settle_together"], batch.run_id)
            await self.rows.lock(connection, batch)
            state = "planned" if ended == "lost" else "for_provider"
            open_ = len(await connection.fetch(SQL["lines_open"], batch.id))
            await connection.execute(SQL["let_go"], batch.id, state, wait)
            if ended == "lost":
                await self.money.charge(connection, batch, open_ * batch.line_microusd)
                await connection.execute(_JUDGE_SQL["run_notes"], batch.run_id, None, True)
            await self.money.give_back(connection, batch.id)
            await self.rows.put(batch, "deleting", ended=ended, connection=connection)

    def _reader(self, batch: HeldBatch) -> VerdictReader:
        rationale = load_rationale() if batch.version.rationale else None
        prefix = self.model_prefix if batch.judge_version == self.own else None
        return VerdictReader(batch.version, rationale, prefix)

    async def _settle_judge_batch(
        self, batch: HeldBatch, batch_id: int, reader: LineReader, answers: BatchAnswers
    ) -> None:
        async with self.runs.database.transaction() as transaction:
            connection = transaction.connection
            # In the order of planners, and of those who write files.
            await connection.fetchval(_JUDGE_SQL["run_settle_together"], batch.run_id)
            await self.rows.lock(connection, batch)
            await connection.fetchrow(_JUDGE_SQL["run_lock"], batch.run_id)
            judge_batch = await open_batch(connection, batch_id)
            if judge_batch is None:
                return  # planned again since
            calls = {item.key: item.calls for item in judge_batch.items}
            lines = await self._save(connection, batch, calls, reader, answers)
            settlement = await _settlement(connection, judge_batch, lines, named(batch.form))
            await self.runs.settle_in(transaction, judge_batch, settlement)
            await self.money.charge(
                connection, batch, sum(line.microusd for line in lines.values())
            )
        _count(lines)

    async def _settle_left(
        self,
        batch: HeldBatch,
        keys: Sequence[ItemKey],
        reader: LineReader,
        answers: BatchAnswers,
    ) -> None:
        async with self.runs.database.transaction() as transaction:
            connection = transaction.connection
            await self.rows.lock(connection, batch)
            await connection.fetchrow(_JUDGE_SQL["run_lock"], batch.run_id)
            lines = await self._save(connection, batch, dict.fromkeys(keys, 0), reader, answers)
            waste = Waste.sum(line.waste for line in lines.values())
            # Should it be too much, the run's next waste says so.
            await self.runs.count_waste(connection, batch.run_id, waste)
            await self.money.charge(
                connection, batch, sum(line.microusd for line in lines.values())
            )
        _count(lines)

    async def _save(
        self,
        connection: Connection,
        batch: HeldBatch,
        calls: Mapping[ItemKey, int],
        reader: LineReader,
        answers: BatchAnswers,
    ) -> dict[ItemKey, SettledLine]:
        """Store verdicts and release the claims; return what came of the lines that were open.

        `calls`: of each key, those that were made for it before.
        """
        rows = await connection.fetch(SQL["lines_settled"], batch.id, *keys_apart(calls))
        open_ = [(row["pair"], row["repeat"]) for row in rows]
        lines = {key: reader.read(LineKey(*key), answers) for key in open_}
        for key, line in lines.items():
            if line.verdict is not None:
                attempts = line.verdict.attempts + calls[key]
                verdict = replace(line.verdict, attempts=attempts)
                await save_verdict(connection, batch.judge_version, key, verdict)
        answered = sum(line.verdict is not None for line in lines.values())
        await connection.execute(SQL["count_settled"], batch.id, answered, _spent(lines))
        return lines


async def _settlement(
    connection: Connection,
    judge_batch: Batch,
    lines: Mapping[ItemKey, SettledLine],
    form: ReplyForm,
) -> Settlement:
    keys = keys_apart([item.key for item in judge_batch.items])
    rows = await connection.fetch(_JUDGE_SQL["verdicts_of"], judge_batch.judge_version, *keys)
    known = {(row["pair"], row["repeat"]) for row in rows}

    def called(item: Item) -> Item:
        return replace(item, calls=item.calls + lines.get(item.key, NOT_ASKED).calls)

    def is_unscored(item: Item) -> bool:
        return item.key not in known and lines.get(item.key, NOT_ASKED).verdict is not None

    unscored = [item for item in judge_batch.items if is_unscored(item)]
    open_ = [item for item in judge_batch.items if item.key not in known and item not in unscored]
    return Settlement(
        scored=[item for item in judge_batch.items if item.key in known],
        unscored=unscored,
        called=[called(item) for item in open_ if lines.get(item.key, NOT_ASKED).calls],
        waste=Waste.sum(line.waste for line in lines.values()),
        reply_form=form if any(line.verdict for line in lines.values()) else None,
        cost_estimated=any(line.is_estimated for line in lines.values()),
    )


def _spent(lines: Mapping[ItemKey, SettledLine]) -> int:
    return sum(line.microusd for line in lines.values())


def _count(lines: Mapping[ItemKey, SettledLine]) -> None:
    for line in lines.values():
        if line.verdict is not None:
            count_verdict(line.verdict)


def _sent(row: asyncpg.Record) -> str:
    return f"{row['prediction'].decode()} {row['reference'].decode()}"
