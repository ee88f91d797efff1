"""Dead letters: read, replayed, discarded; each with its line in the audit log.

To replay is to send the same message anew, with an id of its own, and to bring back what its death
had settled: a failed submission waits for its scores again, a failed run is queued.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from medvid.models.administration import LetterState
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.admin.entries import name_conflicts
from shared.contracts.messages import (
    Envelope,
    JudgingRequested,
    MalformedMessage,
    Message,
    RescoringRequested,
    SubmissionAccepted,
)
from shared.runtime.errors import Conflict, NotFound
from shared.storage.database import Database, Transaction, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "dead_letters.sql")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be handled, and why."""

    id: int
    queue: str
    message_id: UUID
    type: str | None
    reason: str
    detail: str
    attempts: int
    body: bytes
    died_at: datetime
    replayed_at: datetime | None
    discarded_at: datetime | None

    @property
    def state(self) -> LetterState:
        """What became of it."""
        if self.replayed_at is not None:
            return "replayed"
        return "open" if self.discarded_at is None else "discarded"

    @property
    def message(self) -> Message | None:
        """What it says; None where it cannot be read, and so not be replayed."""
        try:
            return Envelope.parse(self.body).message()
        except MalformedMessage:
            return None


class DeadLetters:
    """What administrators do about dead letters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        state: LetterState | None,
        queue: str | None,
        reason: str | None,
        *,
        before: int | None,
        limit: int,
    ) -> Sequence[DeadLetter]:
        """Return the newest letters older than the letter `before`; raises Transient."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["letters_page"], before, queue, reason, state, limit
            )
        return [DeadLetter(**row) for row in rows]

    async def open_ids(self, queue: str | None, reason: str | None, limit: int) -> Sequence[int]:
        """Return the open letters that match, oldest first; raises Transient."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["letters_open"], queue, reason, limit)
        return [row["id"] for row in rows]

    async def replay(self, letter_id: int, action: AdminAction) -> bool:
        """Send a letter's message anew; False where it was replayed or discarded before.

        Raises NotFound, Conflict (it cannot be read, or what it is about cannot come back),
        Transient.
        """
        async with (
            _run_conflicts(),
            name_conflicts(),
            transient_errors(),
            self._database.transaction() as transaction,
        ):
            letter = await _lock(transaction, letter_id)
            if letter.state != "open":
                return False
            message = letter.message
            if message is None:
                raise Conflict(
                    "the letter holds no message that could be sent again.",
                    fix="Discard it.",
                    code="not_replayable",
                )
            await _revive(transaction, message)
            transaction.correlation_id = Envelope.parse(letter.body).correlation_id
            sent = await transaction.emit(message)
            await transaction.connection.execute(_SQL["letter_replayed"], letter_id)
            await record(
                transaction, action, "replay", _subject(letter_id),
                before=_facts(letter), after={"message_id": sent},
            )  # fmt: skip
        _log.info(
            "dead_letter_replayed", dead_letter=letter_id, message_id=str(sent), who=action.who
        )
        return True

    async def discard(self, letter_id: int, action: AdminAction) -> bool:
        """Close a letter without sending it; False where it was closed before.

        Raises NotFound, Transient.
        """
        async with transient_errors(), self._database.transaction() as transaction:
            letter = await _lock(transaction, letter_id)
            if letter.state != "open":
                return False
            await transaction.connection.execute(_SQL["letter_discarded"], letter_id)
            await record(
                transaction, action, "discard_letter", _subject(letter_id), before=_facts(letter)
            )
        _log.info("dead_letter_discarded", dead_letter=letter_id, who=action.who)
        return True


async def _lock(transaction: Transaction, letter_id: int) -> DeadLetter:
    row = await transaction.connection.fetchrow(_SQL["letter_lock"], letter_id)
    if row is None:
        raise NotFound(
            f"there is no dead letter {letter_id}.",
            fix="GET /api/v1/admin/dead-letters lists them.",
            code="dead_letter_not_found",
        )
    return DeadLetter(**row)


async def _revive(transaction: Transaction, message: Message) -> None:
    connection = transaction.connection
    match message:
        case SubmissionAccepted():
            await connection.execute(_SQL["replaying"])
            status = await connection.execute(_SQL["submission_revive"], message.submission_id)
            if status == "UPDATE 1":
                await connection.execute(_SQL["submission_entry_revive"], message.submission_id)
        case RescoringRequested():
            # A job that is over stays so; one that waits for a decision waits for this entry again.
            await connection.execute(_SQL["rescore_item_revive"], message.job_id, message.entry_id)
        case JudgingRequested():
            await connection.execute(_SQL["run_revive"], message.run_id)
        case _:
            pass  # its rows wait for the message as they are


@asynccontextmanager
async def _run_conflicts() -> AsyncIterator[None]:
    """Turn a second unfinished run of one submission into Conflict."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "judge_runs_one_unfinished":
            raise
        raise Conflict(
            "the submission is being judged by another run.",
            fix="Discard the letter.",
            code="already_running",
        ) from error


def _subject(letter_id: int) -> Subject:
    return Subject("dead_letter", str(letter_id))


def _facts(letter: DeadLetter) -> dict[str, object]:
    return {
        "queue": letter.queue,
        "type": letter.type,
        "reason": letter.reason,
        "detail": letter.detail,
        "message_id": letter.message_id,
    }
