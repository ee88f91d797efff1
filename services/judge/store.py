"""The judge's SQL about runs, their batches and judge versions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import orjson
import structlog

from medvid.judging.estimates import CallFigures
from medvid.judging.off import WhyOff
from medvid.judging.plans import task_of_metrics
from medvid.judging.versions import JudgeVersion
from services.judge.closing import close_run
from services.judge.fleet import Fleet
from services.judge.judges import Judges
from services.judge.runs import (
    Batch,
    Item,
    Pause,
    PlannedRun,
    RunNotes,
    RunPolicy,
    Settlement,
    given_up,
    wasted_too_much,
)
from services.judge.sizing import window
from services.judge.verdict import Pair, ProviderState, Waste
from services.judge.verdict_cache import save_verdict
from services.judge.versions import add_panel, add_version
from shared.contracts.messages import (
    Envelope,
    JudgingBatch,
    JudgingProgressed,
    JudgingRequested,
)
from shared.runtime.metrics import JUDGE_WASTED
from shared.storage.database import Connection, Database, Transaction, transient_errors
from shared.storage.queries import load_queries

CONSUMER: Final = "judge"
NEEDS_OPERATOR: Final = "needs_operator"
_SQL: Final = load_queries(__package__)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs that were planned: their batches are sent, settled and at last closed.

    `families`: part of a model's name -> its family, where the name does not tell. `fleet`: the
    replicas for which work is cut and sent.
    """

    database: Database
    policy: RunPolicy
    families: Mapping[str, str] = field(default_factory=dict)
    fleet: Fleet = field(default_factory=Fleet)

    async def batch(self, batch_id: int) -> Batch | None:
        """Return a batch that is not done."""
        async with self.database.pool.acquire() as connection:
            return await open_batch(connection, batch_id)

    async def settle(self, envelope: Envelope, batch: Batch, settlement: Settlement) -> None:
        """Record what was achieved for a batch, as this message's work, and send the run's next."""
        async with self.database.once(CONSUMER, envelope) as transaction:
            await self.settle_in(transaction, batch, settlement)

    async def settle_in(
        self, transaction: Transaction, batch: Batch, settlement: Settlement
    ) -> None:
        """Do the same within a transaction."""
        connection = transaction.connection
        await connection.fetchval(_SQL["run_settle_together"], batch.run_id)
        ended = [*settlement.scored, *settlement.unscored]
        rows = await connection.fetch(_SQL["items_terminal"], batch.id, *_places(ended))
        if settlement.retried:
            await connection.execute(_SQL["items_retry"], batch.id, *_places(settlement.retried))
        if settlement.throttled:
            places = _places(settlement.throttled)
            await connection.execute(_SQL["items_throttled"], batch.id, *places)
        if settlement.called:
            calls = [item.calls for item in settlement.called]
            await connection.execute(
                _SQL["items_called"], batch.id, *_places(settlement.called), calls
            )
        status = await connection.execute(_SQL["batch_settle"], batch.id, settlement.delay)
        if status == "UPDATE 0":
            return  # planned again since: what it says about the provider is outdated
        if batch.notes.is_cautious and settlement.scored:
            await connection.execute(_SQL["run_trusts"], batch.run_id)
        if settlement.pause is None:
            await self.send(transaction, batch.run_id)
        elif settlement.pause.is_of_member(batch):
            await _hold_member(transaction, batch, settlement.pause)
            await self.send(transaction, batch.run_id)
        else:
            await pause_run(transaction, batch, settlement.pause)
        if rows:
            unscored = {(item.ordinal, item.repeat) for item in settlement.unscored}
            newly = sum((row["ordinal"], row["repeat"]) in unscored for row in rows)
            if await connection.fetchval(_SQL["run_progress"], batch.run_id, len(rows), newly):
                await transaction.emit(
                    JudgingProgressed(submission_id=batch.submission_id, run_id=batch.run_id)
                )
        await self._note(transaction, batch, settlement)

    async def _note(self, transaction: Transaction, batch: Batch, settlement: Settlement) -> None:
        """Write down a run's lasting facts, and what it wasted; too much stops it."""
        notes = batch.notes
        is_new = (settlement.reply_form or notes.reply_form) != notes.reply_form or (
            settlement.cost_estimated and not notes.cost_estimated
        )
        if is_new:
            await transaction.connection.execute(
                _SQL["run_notes"], batch.run_id, settlement.reply_form, settlement.cost_estimated
            )
        pause = await self.count_waste(transaction.connection, batch.run_id, settlement.waste)
        if pause is not None:
            await pause_run(transaction, batch, pause)

    async def count_waste(
        self, connection: Connection | asyncpg.Pool, run_id: UUID, waste: Waste
    ) -> Pause | None:
        """Count what a run paid for nothing; returns why it must stop, if it must.

        Where it has stopped for that, calls that were under way correct what it says.
        """
        calls = sum(waste.calls.values())
        if not calls:
            return None
        JUDGE_WASTED.inc(calls)
        row = await connection.fetchrow(
            _SQL["run_wasted"],
            run_id,
            calls,
            waste.microusd,
            orjson.dumps(waste.calls).decode(),
            self.policy.waste_share,
            self.policy.waste_calls,
        )
        if row is None or not (row["too_many"] or row["is_stopped"]):
            return None
        detail = wasted_too_much(row["calls"], row["microusd"], orjson.loads(row["reasons"]))
        if row["is_stopped"]:
            await connection.execute(_SQL["run_detail"], run_id, detail)
            return None
        return Pause(NEEDS_OPERATOR, detail)

    async def close(self, run_id: UUID) -> None:
        """Complete or fail a running run whose items are all terminal; does so once."""
        if not await self.database.pool.fetchval(_SQL["run_is_finished"], run_id):
            return
        async with self.database.transaction() as transaction:
            run = await transaction.connection.fetchrow(_SQL["run_lock"], run_id)
            if run is not None and await transaction.connection.fetchval(
                _SQL["run_is_finished"], run_id
            ):
                await close_run(transaction, run_id, run, self.families, {})

    async def close_without(self, run_id: UUID) -> None:
        """End a panel's run without the members that are down, as nothing else is left of it."""
        async with self.database.transaction() as transaction:
            connection = transaction.connection
            await connection.fetchval(_SQL["run_plan_alone"], run_id)  # its pairs are rewritten
            run = await connection.fetchrow(_SQL["run_lock"], run_id)
            rows = await connection.fetch(_SQL["run_members_down"], run_id)
            down = {row["member_version"]: row["reason"] for row in rows}
            is_over = bool(down) and None not in down.values()
            if run is not None and run["state"] == "running" and is_over:
                await close_run(transaction, run_id, run, self.families, down)

    async def send_due(self, run_id: UUID) -> None:
        """Send batches of a running run whose time has come, as far as its window allows."""
        async with self.database.transaction() as transaction:
            if await transaction.connection.fetchval(_SQL["run_lock_free"], run_id):
                await self.send(transaction, run_id)

    async def retry_batch(
        self, transaction: Transaction, batch_id: int, detail: str, delay: float
    ) -> None:
        """Count a try of every open item of a batch whose message died; the last ends unscored."""
        batch = await open_batch(transaction.connection, batch_id)
        if batch is None:
            return
        last = [item for item in batch.items if item.tries + 1 >= self.policy.tries]
        for item in last:
            await save_verdict(
                transaction.connection, batch.judge_version, item.key, given_up(detail)
            )
        others = [item for item in batch.items if item not in last]
        settlement = Settlement(unscored=last, retried=others, delay=delay)
        await self.settle_in(transaction, batch, settlement)

    async def send(self, transaction: Transaction, run_id: UUID, *, at_least: int = 0) -> None:
        """Send what the windows allow of the runs of this run's owner."""
        rows = await transaction.connection.fetch(
            _SQL["batches_send"],
            run_id,
            window(self.fleet.batches, self.policy.window_batches),
            self.policy.least_batches,
            at_least,
        )
        for row in rows:
            await transaction.emit(
                JudgingBatch(
                    submission_id=row["submission_id"], run_id=row["run_id"], batch_id=row["id"]
                )
            )


async def open_batch(connection: Connection, batch_id: int) -> Batch | None:
    """Return a batch that is not done, with what is open of it."""
    row = await connection.fetchrow(_SQL["batch_open"], batch_id)
    if row is None:
        return None
    items = await connection.fetch(_SQL["batch_items"], batch_id)
    return Batch(
        id=row["id"],
        run_id=row["run_id"],
        submission_id=row["submission_id"],
        run_state=row["state"],
        judge_version=row["judge_version"],
        items=[item_of(item) for item in items],
        provider=_provider(row),
        notes=RunNotes(row["is_cautious"], row["reply_form"], row["cost_estimated"]),
        is_of_panel=row["is_of_panel"],
    )


async def add_calibration(
    transaction: Transaction, version: JudgeVersion, report: Mapping[str, object]
) -> None:
    """Keep how a judge version agreed with humans."""
    await add_version(transaction, version)
    await transaction.connection.execute(
        _SQL["calibration_add"], version.hash, orjson.dumps(report).decode()
    )


async def announce_judge(
    database: Database,
    version: JudgeVersion | None,
    repeats: int,
    figures: CallFigures | None = None,
    *,
    off: WhyOff | None = None,
) -> None:
    """Store for the gateway who judges now, how often each pair, and what a call takes.

    None when nobody judges; `off` says why.
    """
    facts = orjson.dumps(asdict(figures)).decode() if figures is not None else None
    async with transient_errors(), database.transaction() as transaction:
        if version is not None:
            await add_version(transaction, version)
        given = (version.hash if version is not None else None, repeats, facts, off)
        await transaction.connection.execute(_SQL["service_set"], *given)


async def announce_panel(database: Database, judges: Judges, repeats: int) -> None:
    """Store the same of a panel, and of a single judge as before."""
    if judges.panel.is_single:
        (judge,) = judges.by_version.values()
        await announce_judge(database, judge.grader.version, repeats, judge.figures)
        return
    figures = {version: asdict(each.figures) for version, each in judges.by_version.items()}
    facts = orjson.dumps({"members": figures}).decode()
    async with transient_errors(), database.transaction() as transaction:
        await add_judges(transaction, judges)
        await transaction.connection.execute(
            _SQL["service_set"], judges.version, repeats, facts, None
        )


async def add_judges(transaction: Transaction, judges: Judges) -> None:
    """Make judges and their panel known."""
    for grader in judges.graders:
        await add_version(transaction, grader.version)
    await add_panel(transaction, judges.panel)


async def request_automatically(
    database: Database, envelope: Envelope, submission_id: UUID, repeats: int, version: str
) -> None:
    """Ask for a run of a submission that was just scored."""
    run_id = uuid4()
    async with database.once(CONSUMER, envelope) as transaction:
        status = await transaction.connection.execute(
            _SQL["run_add_automatic"], run_id, submission_id, repeats, version
        )
        if status == "INSERT 0 1":
            await transaction.emit(JudgingRequested(submission_id=submission_id, run_id=run_id))


async def request_known(database: Database, envelope: Envelope, submission_id: UUID) -> None:
    """Ask for a run of known verdicts alone, where a new version waits for its judging."""
    async with database.once(CONSUMER, envelope) as transaction:
        await announce_known(transaction, submission_id)


async def announce_known(transaction: Transaction, submission_id: UUID | None = None) -> None:
    """Ask for such runs in an open transaction: of every version that waits and had no run."""
    for row in await transaction.connection.fetch(_SQL["runs_add_known"], submission_id):
        await transaction.emit(JudgingRequested(**row))


async def fail_queued(transaction: Transaction, run_id: UUID, reason: str, detail: str) -> None:
    """End a queued run with a reason."""
    submission_id = await transaction.connection.fetchval(
        _SQL["run_fail_queued"], run_id, reason, detail
    )
    if submission_id is not None:
        await transaction.emit(JudgingProgressed(submission_id=submission_id, run_id=run_id))
        _log.warning("judge_run_failed", run_id=str(run_id), reason=reason)


async def pause_run(transaction: Transaction, run: PlannedRun, pause: Pause) -> None:
    """Pause a running run, and note where its provider is to blame."""
    status = await transaction.connection.execute(
        _SQL["run_pause"], run.run_id, pause.reason, pause.detail
    )
    if status == "UPDATE 1":
        await transaction.emit(
            JudgingProgressed(submission_id=run.submission_id, run_id=run.run_id)
        )
        _log.warning("judge_run_paused", run_id=str(run.run_id), reason=pause.reason)
    if pause.down_seconds is not None:
        await _note_down(transaction, run.judge_version, pause)


async def _hold_member(transaction: Transaction, batch: Batch, pause: Pause) -> None:
    """Note that a panel's member is down: its batches wait, and the run says so."""
    await transaction.connection.execute(_SQL["run_detail"], batch.run_id, pause.detail)
    await _note_down(transaction, batch.judge_version, pause)


async def _note_down(transaction: Transaction, version: str, pause: Pause) -> None:
    await transaction.connection.execute(
        _SQL["provider_is_down"], version, pause.detail, pause.down_seconds
    )


def item_of(row: asyncpg.Record) -> Item:
    """Build an item from a row with its texts."""
    pair = Pair(
        prediction=row["prediction"].decode(),
        reference=row["reference"].decode(),
        task=task_of_metrics(row["metrics"]),
    )
    return Item(
        row["ordinal"], row["repeat"], row["pair"], pair, row["tries"], row["calls"],
        row["throttled"],
    )  # fmt: skip


def _provider(row: asyncpg.Record) -> ProviderState | None:
    if row["found_at"] is None:
        return None
    down = row["down_reason"] is not None
    seconds = max(0.0, row["down_seconds"]) if down else None
    return ProviderState(row["found_at"], seconds, row["down_reason"] or "")


def _places(items: Collection[Item]) -> tuple[list[int], list[int]]:
    return [item.ordinal for item in items], [item.repeat for item in items]
