"""Submissions after they are accepted, listed and withdrawn: the SQL."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args
from uuid import UUID

import asyncpg

from medvid.benchmark.tasks import Board
from medvid.models.submissions import State
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.accounts.rules import Role
from services.gateway.web.paging import Position
from shared.contracts.messages import BoardChanged, JudgingProgressed
from shared.runtime.errors import Transient
from shared.runtime.metrics import ACCOUNTS_SEARCHING
from shared.storage.database import Database, Transaction, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "lifecycle.sql")
MANY_FILES: Final = 10
"""Near-empty ones, or such as left again, in 30 days; fewer are somebody who tries things out."""
VERY_MANY_FILES: Final = 100
"""Of any kind: complete files tell more than near-empty ones, and need not be taken back."""
_STATES: Final = get_args(State)
_TRIES: Final = 200
_PAUSE_SECONDS: Final = 0.02


class NotThere(Exception):
    """The submission is in no state that could be withdrawn."""


@dataclass(frozen=True, slots=True)
class SubmissionSummary:
    """A line of a list of submissions."""

    id: UUID
    state: str
    board: Board
    model_name: str
    organization: str
    version: int
    evaluate_only: bool
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class SearchingAccount:
    """An account that may search the test set for its labels, with what it sent in 30 days.

    `withdrawn` counts replaced files, too: what they were scored is known, and they are gone.
    """

    account: str
    sent: int
    near_empty: int
    withdrawn: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class SubmissionFilter:
    """Which submissions are listed: one owner's (by token or key), or everybody's."""

    token_sha256: bytes | None = None
    key_id: UUID | None = None
    state: str | None = None


class Lifecycle:
    """Lists, counts and withdraws submissions. Raises Transient when it cannot answer now."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, wanted: SubmissionFilter, before: Position | None, limit: int
    ) -> Sequence[SubmissionSummary]:
        """Return submissions, newest first, older than the one with this time and id."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["submissions_page"],
                wanted.token_sha256,
                wanted.key_id,
                wanted.state,
                *(before or (None, None)),
                limit,
            )
        return [SubmissionSummary(**row) for row in rows]

    async def counts(self) -> dict[str, int]:
        """Return how many submissions are in each state that any is in."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["submissions_by_state"])
        return {row["state"]: row["submissions"] for row in rows}

    async def last_day(self) -> Mapping[str, tuple[int, int]]:
        """Return how many submissions came to each state, and verdicts: in 24 hours, and before.

        Raises Transient.
        """
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["last_day"], _STATES)
        found = {row["name"]: (row["lately"], row["before"]) for row in rows}
        return {name: found.get(name, (0, 0)) for name in (*_STATES, "verdicts")}

    async def searching(self) -> Sequence[SearchingAccount]:
        """Return the accounts that send or take back files as a search of the test set does."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["accounts_searching"], MANY_FILES, VERY_MANY_FILES
            )
        return [SearchingAccount(**row) for row in rows]

    async def count_searching(self) -> None:
        """Export how many these are."""
        ACCOUNTS_SEARCHING.set(len(await self.searching()))

    async def withdraw(
        self, submission_id: UUID, by: Role, note: str | None, action: AdminAction | None
    ) -> bool:
        """Withdraw a submission and announce it; False where its state does not allow it.

        An `action` is written into the audit log.
        """
        async with transient_errors():
            for _ in range(_TRIES):
                try:
                    await self._withdraw(submission_id, by, note, action)
                except NotThere:
                    return False
                except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                    await asyncio.sleep(_PAUSE_SECONDS)
                else:
                    return True
        raise Transient("the submission is at work all the time.")

    async def _withdraw(
        self, submission_id: UUID, by: Role, note: str | None, action: AdminAction | None
    ) -> None:
        async with self._database.transaction() as transaction:
            await withdraw_submission(transaction, submission_id, by, note)
            if action is not None:
                subject = Subject("submission", str(submission_id))
                after = {"state": "withdrawn"}
                await record(transaction, action, "withdraw_submission", subject, after=after)


async def withdraw_submission(
    transaction: Transaction, submission_id: UUID, by: Role, note: str | None
) -> None:
    """Withdraw a submission in an open transaction: its entry leaves the board, a run ends.

    The row stays, as a tombstone; the name is free again, or its waiting new version's. Raises
    NotThere where its state does not allow it, LockNotAvailableError while it is being scored.
    """
    connection = transaction.connection
    run_id = await connection.fetchval(_SQL["run_to_end"], submission_id)
    await connection.execute(_SQL["successor_lock"], submission_id)
    entry = await connection.fetchrow(_SQL["board_of_entry"], submission_id)
    changes = entry is not None and entry["shown"]
    if entry is not None and changes:
        await connection.execute(_SQL["board_changed"], entry["board"])
    await connection.execute(_SQL["submission_lock"], submission_id)
    moved = await connection.execute(_SQL["withdraw"], submission_id, by, note)
    if moved != "UPDATE 1":
        raise NotThere
    await connection.execute(_SQL["remove_entry"], submission_id)
    if run_id is not None:
        await connection.execute(_SQL["run_end"], run_id)
        await transaction.emit(JudgingProgressed(submission_id=submission_id, run_id=run_id))
    if entry is not None and changes:
        await transaction.emit(BoardChanged(board=entry["board"]))
