"""The gateway's SQL about judging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import orjson

from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.accounts.quota_rules import Account
from services.gateway.accounts.quotas import use_judge_run
from services.gateway.judging.ports import (
    JudgeNow,
    Requester,
    RunExists,
    StoredEvent,
    StoredResult,
    StoredRun,
    StoredVerdict,
    VerdictQuery,
)
from shared.contracts.messages import JudgingProgressed, JudgingRequested
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_UNFINISHED: Final = "judge_runs_one_unfinished"


class PostgresJudging:
    """Implements JudgingStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def judge_now(self) -> JudgeNow:
        """Return who judges."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL["judge_now"])
        return (
            JudgeNow(row["judge_version"], bool(row["is_stub"])) if row else JudgeNow(None, False)
        )

    async def latest_run(self, submission_id: UUID) -> StoredRun | None:
        """Return the newest run of a submission."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL["run_latest"], submission_id)
        return _run(row) if row else None

    async def run(self, run_id: UUID) -> StoredRun | None:
        """Return a run."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL["run_find"], run_id)
        return _run(row) if row else None

    async def latest_result(self, submission_id: UUID) -> StoredResult | None:
        """Return the newest result of a submission."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL["result_latest"], submission_id)
        if row is None:
            return None
        parsed = {key: orjson.loads(row[key]) for key in ("facts", "judge")}
        parsed["calibration"] = orjson.loads(row["calibration"] or "null")
        return StoredResult(**(dict(row) | parsed))

    async def add_run(
        self, submission_id: UUID, requester: Requester, account: Account | None
    ) -> UUID:
        """Queue a new run and announce it; raises RunExists, QuotaExhausted."""
        run_id = uuid4()
        try:
            async with transient_errors(), self._database.transaction() as transaction:
                await transaction.connection.execute(
                    _SQL["run_add"], run_id, submission_id, requester
                )
                if account is not None:
                    await use_judge_run(transaction.connection, account, run_id)
                await transaction.emit(JudgingRequested(submission_id=submission_id, run_id=run_id))
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name == _UNFINISHED:
                raise RunExists from error
            raise
        return run_id

    async def requeue(
        self,
        submission_id: UUID,
        run: StoredRun,
        requester: Requester,
        action: AdminAction | None = None,
    ) -> bool:
        """Queue a paused or failed run again and announce it; an act goes into the audit log."""
        try:
            async with transient_errors(), self._database.transaction() as transaction:
                status = await transaction.connection.execute(
                    _SQL["run_requeue"], run.id, run.state, requester
                )
                if status == "UPDATE 0":
                    return False
                await transaction.emit(JudgingRequested(submission_id=submission_id, run_id=run.id))
                if action is not None:
                    await record(
                        transaction, action, "resume_run", _subject(run), before=_steered(run)
                    )
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name == _UNFINISHED:
                raise RunExists from error
            raise
        return True

    async def pause(
        self, submission_id: UUID, run: StoredRun, detail: str, action: AdminAction
    ) -> bool:
        """Pause a queued or running run, with a line in the audit log; False when it is neither."""
        async with transient_errors(), self._database.transaction() as transaction:
            status = await transaction.connection.execute(_SQL["run_pause"], run.id, detail)
            if status == "UPDATE 0":
                return False
            await transaction.emit(JudgingProgressed(submission_id=submission_id, run_id=run.id))
            await record(transaction, action, "pause_run", _subject(run), before=_steered(run))
        return True

    async def items_per_second(self, submission_id: UUID, run_id: UUID) -> float | None:
        """Return how fast a run comes along, None while that is not known."""
        async with transient_errors():
            rate: float | None = await self._database.pool.fetchval(
                _SQL["items_per_second"], submission_id, run_id
            )
        return rate

    async def verdicts(
        self, run: StoredRun, query: VerdictQuery
    ) -> tuple[Sequence[StoredVerdict], int]:
        """Return a page of a run's items, and how many there are on all pages."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["verdicts_page"],
                run.id,
                run.judge_version,
                query.metric,
                query.state,
                query.page_size,
                (query.page - 1) * query.page_size,
            )
        return [_verdict(row) for row in rows], rows[0]["total"] if rows else 0

    async def newest_events(self, submission_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return the number of the newest event of each submission that has any."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["events_newest"], submission_ids)
        return {row["submission_id"]: row["newest"] for row in rows}

    async def events_after(
        self, submission_id: UUID, event_id: int, limit: int
    ) -> Sequence[StoredEvent]:
        """Return what happened to a submission after an event, oldest first."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["events_after"], submission_id, event_id, limit
            )
        return [StoredEvent(**row) for row in rows]


def _subject(run: StoredRun) -> Subject:
    return Subject("judge_run", str(run.id))


def _steered(run: StoredRun) -> dict[str, object]:
    return {"state": run.state, "reason": run.reason}


def _run(row: asyncpg.Record) -> StoredRun:
    estimate = orjson.loads(row["estimate"]) if row["estimate"] else None
    return StoredRun(**(dict(row) | {"estimate": estimate}))


def _verdict(row: asyncpg.Record) -> StoredVerdict:
    fields = dict(row) | {"prediction": row["prediction"].decode()}
    del fields["total"]
    return StoredVerdict(**fields)
