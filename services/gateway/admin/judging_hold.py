"""Pauses and resumes all judging; each with its line in the audit log."""

from __future__ import annotations

from typing import Final

import structlog

from medvid.models.administration import JudgingView
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.admin.operations_models import judging_state
from shared.contracts.messages import JudgingProgressed, JudgingRequested
from shared.storage.database import Database, transient_errors
from shared.storage.judge_service import judge_in_force
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "judging.sql")
_SUBJECT: Final = Subject("judging", "all")
_log = structlog.get_logger(__name__)


class HoldJudging:
    """Pauses and resumes all judging. Calls under way end; no new one begins while it is held."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def state(self) -> JudgingView:
        """Return whether judging is held, and its runs; raises Transient."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL["judging_state"])
            judge = await judge_in_force(self._database.pool)
        assert row is not None  # noqa: S101 - the schema inserts it
        return judging_state(dict(row), judge)

    async def pause(self, action: AdminAction) -> bool:
        """Pause every run and all that will be queued; False where judging is held already."""
        async with transient_errors(), self._database.transaction() as transaction:
            connection = transaction.connection
            if await connection.execute(_SQL["judging_hold"], action.why) == "UPDATE 0":
                return False
            runs = await connection.fetch(_SQL["runs_hold"])
            for run in runs:
                await transaction.emit(
                    JudgingProgressed(submission_id=run["submission_id"], run_id=run["id"])
                )
            await record(transaction, action, "pause", _SUBJECT, after={"paused_runs": len(runs)})
        _log.warning("judging_held", runs=len(runs), who=action.who)
        return True

    async def resume(self, action: AdminAction) -> bool:
        """Queue every run that the hold paused; False where judging is not held."""
        async with transient_errors(), self._database.transaction() as transaction:
            connection = transaction.connection
            if await connection.execute(_SQL["judging_release"]) == "UPDATE 0":
                return False
            runs = await connection.fetch(_SQL["runs_release"])
            for run in runs:
                await transaction.emit(
                    JudgingRequested(submission_id=run["submission_id"], run_id=run["id"])
                )
            await record(transaction, action, "resume", _SUBJECT, after={"queued_runs": len(runs)})
        _log.info("judging_released", runs=len(runs), who=action.who)
        return True
