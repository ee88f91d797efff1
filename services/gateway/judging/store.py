"""Judge runs, results and verdicts: their SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID, uuid4

import asyncpg
import orjson

from medvid.benchmark.disclosure import withheld, withheld_sources
from medvid.benchmark.series import SeriesRule
from medvid.benchmark.tasks import ASPECTS
from medvid.models.judging import JudgeInForce, JudgeSeries
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.accounts.quota_rules import Account
from services.gateway.accounts.quotas import use_judge_run
from services.gateway.accounts.rules import Role
from shared.contracts.messages import JudgingProgressed, JudgingRequested
from shared.storage.database import Connection, Database, transient_errors
from shared.storage.judge_service import judge_in_force
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_UNFINISHED: Final = "judge_runs_one_unfinished"
RunState = Literal["queued", "running", "paused", "completed", "failed"]
VerdictFilter = Literal["scored", "unscored", "open"]
VerdictOrder = Literal["pair", "worst"]
ShownSources = Mapping[str, Set[str]]
"""The sources by which a metric's value is shown, by metric."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A judge run. An item is one distinct pair, one repeat of it."""

    id: UUID
    state: RunState
    reason: str | None
    detail: str | None
    judge_version: str | None
    requested_by: str
    repeats: int
    estimate: Mapping[str, object] | None
    items: int
    items_cached: int
    items_done: int
    items_unscored: int
    created_at: datetime
    changed_at: datetime
    reply_form: str | None
    cost_estimated: bool
    spent_microusd: int
    wasted_calls: int
    wasted_microusd: int
    wasted_reasons: Mapping[str, int]
    evaluate_only: bool = False
    fast: bool = False
    items_at_provider: int = 0


@dataclass(frozen=True, slots=True)
class StoredResult:
    """What a completed run published: facts about it, and about the judge."""

    run_id: UUID
    judge_version: str
    facts: Mapping[str, object]
    judge: Mapping[str, object]
    is_stub: bool
    completed_at: datetime
    calibration: Mapping[str, object] | None = None
    evaluate_only: bool = False


@dataclass(frozen=True, slots=True)
class VerdictQuery:
    """Which verdicts are asked for, and in what order."""

    metric: str | None
    state: VerdictFilter | None
    page: int
    page_size: int
    aspect: str | None = None
    at_most: int | None = None
    source: str | None = None
    model: str | None = None
    cut: bool | None = None
    order: VerdictOrder = "pair"


class RunExists(Exception):
    """The submission has an unfinished run already."""


class JudgingStore:
    """Judge runs and their results. Every method raises Transient when it cannot answer now.

    Those that take a connection read at its moment.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def judge_now(self) -> JudgeInForce:
        """Return the judge in force."""
        async with transient_errors():
            return await judge_in_force(self._database.pool)

    async def series(
        self, submission_id: UUID, connection: Connection | None = None
    ) -> JudgeSeries | None:
        """Return what becomes of values of the judge in force; None without an entry."""
        async with transient_errors():
            reader = connection or self._database.pool
            row = await reader.fetchrow(_SQL["series_of_submission"], submission_id)
        if row is None:
            return None
        rule = SeriesRule(row["series"], row["other_judges"], row["published"])
        judge = row["judge_version"]
        return JudgeSeries(
            board=row["board"],
            board_judge=rule.current,
            judge=judge,
            ranked=not rule.not_ranked({"": judge}),
            by_batch=row["by_batch"],
        )

    async def latest_run(
        self, submission_id: UUID, connection: Connection | None = None
    ) -> StoredRun | None:
        """Return the newest run of a submission."""
        async with transient_errors():
            reader = connection or self._database.pool
            row = await reader.fetchrow(_SQL["run_find"], None, submission_id)
        return _run(row) if row else None

    async def run(self, run_id: UUID) -> StoredRun | None:
        """Return a run."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL["run_find"], run_id, None)
        return _run(row) if row else None

    async def latest_result(
        self, submission_id: UUID, connection: Connection | None = None
    ) -> StoredResult | None:
        """Return the newest result of a submission."""
        async with transient_errors():
            reader = connection or self._database.pool
            row = await reader.fetchrow(_SQL["result_latest"], submission_id)
        if row is None:
            return None
        parsed = {key: orjson.loads(row[key]) for key in ("facts", "judge")}
        parsed["calibration"] = orjson.loads(row["calibration"] or "null")
        return StoredResult(**(dict(row) | parsed))

    async def add_run(
        self, submission_id: UUID, requester: Role, account: Account | None, *, fast: bool
    ) -> UUID:
        """Queue a new run, which `account` pays for, and announce it.

        Raises RunExists, and QuotaExhausted where the account has no room for it.
        """
        run_id = uuid4()
        try:
            async with transient_errors(), self._database.transaction() as transaction:
                await transaction.connection.execute(
                    _SQL["run_add"], run_id, submission_id, requester, fast
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
        requester: Role,
        action: AdminAction | None = None,
        *,
        fast: bool = False,
    ) -> bool:
        """Queue a paused or failed run again and announce it; False when its state has changed.

        An `action` is written into the audit log. Raises RunExists when another run of the
        submission is unfinished.
        """
        try:
            async with transient_errors(), self._database.transaction() as transaction:
                status = await transaction.connection.execute(
                    _SQL["run_requeue"], run.id, run.state, requester, fast
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

    async def hasten(self, submission_id: UUID, run: StoredRun) -> bool:
        """Have an unfinished run judged online; False when it is already, or has ended."""
        async with transient_errors(), self._database.transaction() as transaction:
            status = await transaction.connection.execute(_SQL["run_hasten"], run.id)
            if status == "UPDATE 0":
                return False
            await transaction.emit(JudgingProgressed(submission_id=submission_id, run_id=run.id))
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

    async def items_per_second(
        self, submission_id: UUID, run_id: UUID, connection: Connection
    ) -> float | None:
        """Return the rate of a run, None while it is not known."""
        rate: float | None = await connection.fetchval(
            _SQL["items_per_second"], submission_id, run_id
        )
        return rate

    async def shown_sources(self, submission_id: UUID, run: StoredRun) -> ShownSources:
        """Return by which sources a completed run's values are shown; of another run, none.

        How many pairs a source has, and how they were judged, is a value like the board's.
        """
        if run.state != "completed":
            return {}
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["scores_by_source"], submission_id, run.judge_version
            )
        return {row["metric"]: _shown_sources(row) for row in rows}

    async def verdict_models(self, run: StoredRun) -> list[str]:
        """Return the models that gave a run's verdicts, as they call themselves."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["verdict_models"], run.id, run.judge_version
            )
        return [row["model"] for row in rows]

    async def asks_reasons(self, run: StoredRun) -> bool:
        """Tell whether the run's judge gives reasons."""
        async with transient_errors():
            found: bool = await self._database.pool.fetchval(
                _SQL["asks_reasons"], run.judge_version
            )
        return found

    async def rationales(
        self, run: StoredRun, rows: Sequence[asyncpg.Record]
    ) -> dict[tuple[int, int, str | None], str]:
        """Return the reasons for rows of `verdicts_page`, by ordinal, repeat and judge version.

        They may repeat references: for administrators alone.
        """
        places = [row["ordinal"] for row in rows], [row["repeat"] for row in rows]
        async with transient_errors():
            found = await self._database.pool.fetch(
                _SQL["rationales"], run.id, run.judge_version, *places
            )
        return {
            (row["ordinal"], row["repeat"], row["judge_version"]): row["rationale"] for row in found
        }

    async def verdicts(
        self, run: StoredRun, query: VerdictQuery, shown: ShownSources
    ) -> tuple[Sequence[asyncpg.Record], int]:
        """Return a page of `verdicts_page` of a run, and the number of rows on all pages."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["verdicts_page"],
                run.id,
                run.judge_version,
                query.metric,
                query.state,
                query.page_size,
                (query.page - 1) * query.page_size,
                list(ASPECTS).index(query.aspect) + 1 if query.aspect else None,
                query.source,
                [metric for metric, sources in shown.items() if query.source in sources],
                query.model,
                query.cut,
                query.at_most,
                query.order == "worst",
            )
        return rows, rows[0]["total"] if rows else 0


def _shown_sources(score: asyncpg.Record) -> set[str]:
    parts = orjson.loads(score["by_source"])
    why = withheld(score["metric"], score["answered"], score["expected"])
    return {source for source, each in withheld_sources(why, parts).items() if each is None}


def _subject(run: StoredRun) -> Subject:
    return Subject("judge_run", str(run.id))


def _steered(run: StoredRun) -> dict[str, object]:
    return {"state": run.state, "reason": run.reason}


def _run(row: asyncpg.Record) -> StoredRun:
    estimate = orjson.loads(row["estimate"]) if row["estimate"] else None
    reasons = orjson.loads(row["wasted_reasons"])
    return StoredRun(**(dict(row) | {"estimate": estimate, "wasted_reasons": reasons}))
