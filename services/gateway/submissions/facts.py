"""Facts of a model that its owner changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import orjson
import structlog

from medvid.models.facts import FactsAnswer, FactsChange, facts_of
from services.gateway.accounts.fact_history import require_free, save_facts, stated_after
from services.gateway.accounts.rules import Caller
from services.gateway.submissions.access import SubmissionAccess, not_found
from services.gateway.web.errors import QuotaExhausted
from shared.contracts.messages import BoardChanged
from shared.runtime.errors import Conflict, InvalidInput
from shared.storage.database import (
    Connection,
    Database,
    Transaction,
    again_on_deadlock,
    transient_errors,
)
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "facts.sql")
_LIFECYCLE_SQL: Final = load_queries(__package__, "lifecycle.sql")
CHANGES_A_DAY: Final = 20
"""Of one model by its owner: with each its board is ranked anew."""
_DAY_SECONDS: Final = 86_400.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OwnFacts:
    """Changes the facts of submissions for their owners."""

    database: Database
    access: SubmissionAccess

    async def change(self, submission_id: UUID, caller: Caller, stated: FactsChange) -> FactsAnswer:
        """Return the facts after a change, which is announced where their board shows them.

        Raises NotFound, NotAllowed, InvalidInput, Conflict, QuotaExhausted, Transient.
        """
        _, role = await self.access.check(submission_id, caller)
        if role == "administrator":
            raise InvalidInput(
                "an administrator's change of facts needs a reason.",
                fix="Send it to POST /api/v1/admin/entries/{id}/facts, with 'why'.",
                code="reason_required",
            )
        answer = await again_on_deadlock(lambda: self._change(submission_id, stated))
        if answer.changed:
            _log.info("facts_changed", submission_id=str(submission_id))
        return answer

    async def _change(self, submission_id: UUID, stated: FactsChange) -> FactsAnswer:
        async with transient_errors(), self.database.transaction() as transaction:
            connection = transaction.connection
            entry = await connection.fetchrow(_SQL["entry_facts_lock"], submission_id)
            if entry is None:
                raise not_found()
            if entry["removed_at"] is not None:
                raise Conflict(
                    "the model is not on its board any more.",
                    fix="Facts of what was withdrawn, replaced or removed stay as they are.",
                    code="entry_removed",
                )
            before = orjson.loads(entry["facts"])
            after = stated_after(before, stated)
            require_free(entry["facts_held"], before, after)
            if after != before:
                await _require_room(connection, entry["id"])
                await save_facts(connection, entry["id"], "owner", before, after)
                await _announce(transaction, entry)
        return FactsAnswer(facts=facts_of(after), changed=after != before)


async def _require_room(connection: Connection, entry_id: UUID) -> None:
    day = await connection.fetchrow(_SQL["own_changes_of_day"], entry_id)
    assert day is not None  # noqa: S101 - it counts
    if day["used"] >= CHANGES_A_DAY:
        raise QuotaExhausted(
            f"the model's facts were changed {day['used']} times in 24 hours.",
            fix="Change several facts at once, later.",
            code="facts_quota",
            retry_after=_DAY_SECONDS - day["seconds"],
        )


async def _announce(transaction: Transaction, entry: asyncpg.Record) -> None:
    if entry["listed"]:
        await transaction.connection.execute(_LIFECYCLE_SQL["board_changed"], entry["board"])
        await transaction.emit(BoardChanged(board=entry["board"]))
