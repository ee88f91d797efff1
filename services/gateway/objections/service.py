"""What participants do about entries of others: object, take it back; and owners: answer once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from medvid.benchmark.names import ERASED
from medvid.benchmark.tasks import Board
from medvid.models.notes import Objection, Objections
from services.gateway.accounts.objections import announce_objection
from services.gateway.accounts.rules import Caller, not_the_owner, require_understood
from services.gateway.boards.notes import Row, note_values
from services.gateway.boards.store import entry_not_found
from services.gateway.objections.rules import (
    OBJECTIONS_A_DAY,
    OPEN_OBJECTIONS,
    require_answerable,
    require_withdrawable,
)
from services.gateway.submissions.access import SubmissionAccess
from services.gateway.web.errors import QuotaExhausted
from services.gateway.web.urls import url
from shared.runtime.errors import Conflict, NotAllowed, NotFound
from shared.storage.database import (
    Connection,
    Database,
    Transaction,
    again_on_deadlock,
    transient_errors,
)
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_DAY_SECONDS: Final = 86_400.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ObjectionService:
    """Objections of those who have a key. Raises Transient."""

    database: Database
    access: SubmissionAccess

    async def file(
        self, board: Board, entry_id: UUID, caller: Caller, text: str, name: str | None
    ) -> Objection:
        """Return a new objection, or the open one that says the same.

        Raises NotFound, NotAllowed, Conflict, QuotaExhausted.
        """
        account = account_of(caller)
        async with transient_errors(), self.database.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(_SQL["account_lock"], account)
            if await connection.fetchrow(_SQL["entry_on_board"], entry_id, board) is None:
                raise entry_not_found(board, str(entry_id))
            found = await self._open(connection, account, entry_id, text, name)
            if found is None:
                await _require_room(connection, account, entry_id)
                found = await connection.fetchval(
                    _SQL["objection_add"], entry_id, account, text, name
                )
                _log.info("objection_filed", objection_id=str(found), entry_id=str(entry_id))
            return _objection(await _find(connection, found))

    async def _open(
        self, connection: Connection, account: str, entry_id: UUID, text: str, name: str | None
    ) -> UUID | None:
        """Return the open objection that says the same; raises Conflict where it says another."""
        row = await connection.fetchrow(_SQL["objection_open"], account, entry_id)
        if row is None:
            return None
        if (row["text"], row["name"]) != (text, name):
            raise Conflict(
                "an objection of yours to this entry waits for the administrators.",
                fix=f"Withdraw it first: POST /api/v1/objections/{row['id']}/withdraw.",
                code="objection_open",
            )
        found: UUID = row["id"]
        return found

    async def of_account(self, caller: Caller) -> Objections:
        """Return what was filed with the caller's key; raises NotAllowed."""
        async with transient_errors():
            rows = await self.database.pool.fetch(_SQL["objections_of_account"], account_of(caller))
        return Objections(objections=[_objection(row) for row in rows])

    async def find(self, objection_id: UUID, caller: Caller) -> Objection:
        """Return an objection to those who may see it; raises NotFound."""
        async with transient_errors(), self.database.pool.acquire() as connection:
            row = await _find(connection, objection_id)
        self._require_seen(row, caller)
        return _objection(row, whole=self._knows_all(row, caller))

    async def withdraw(self, objection_id: UUID, caller: Caller) -> Objection:
        """Take an objection back; raises NotFound, NotAllowed, Conflict."""
        account = account_of(caller)

        async def once() -> Objection:
            async with transient_errors(), self.database.transaction() as transaction:
                row = await self._locked(transaction, objection_id, caller)
                if row["account"] != account:
                    raise NotAllowed(
                        "only who filed the objection takes it back.",
                        fix="Send the key that it was filed with; administrators have an action "
                        "of their own.",
                        code="not_the_objector",
                    )
                if row["state"] != "withdrawn":
                    require_withdrawable(row["state"])
                    await transaction.connection.execute(_SQL["objection_withdraw"], objection_id)
                    if row["published_at"] is not None:
                        await announce_objection(transaction, objection_id)
                return _objection(await _find(transaction.connection, objection_id))

        return await again_on_deadlock(once)

    async def require_owner(self, objection_id: UUID, caller: Caller) -> None:
        """Raise NotFound, NotAllowed unless the caller owns the entry that is objected to."""
        require_understood(caller)
        if caller.token is None and caller.key is None and not caller.root:
            raise not_the_owner(caller)
        async with transient_errors(), self.database.pool.acquire() as connection:
            row = await _find(connection, objection_id)
        self._require_seen(row, caller)
        role = None
        if row["submission_id"] is not None:
            _, role = await self.access.look(row["submission_id"], caller)
        if role != "owner":
            raise not_the_owner(caller)

    async def answer(self, objection_id: UUID, caller: Caller, text: str) -> Objection:
        """Answer a published objection, once; raises NotFound, NotAllowed, Conflict."""
        await self.require_owner(objection_id, caller)
        async with transient_errors(), self.database.transaction() as transaction:
            row = await self._locked(transaction, objection_id, caller)
            if row["answer"] != text:
                require_answerable(row["state"], row["answer"])
                await transaction.connection.execute(_SQL["objection_answer"], objection_id, text)
                _log.info("objection_answered", objection_id=str(objection_id))
            return _objection(await _find(transaction.connection, objection_id))

    async def _locked(
        self, transaction: Transaction, objection_id: UUID, caller: Caller
    ) -> asyncpg.Record:
        await transaction.connection.execute(_SQL["objection_lock"], objection_id)
        row = await _find(transaction.connection, objection_id)
        self._require_seen(row, caller)
        return row

    def _require_seen(self, row: asyncpg.Record, caller: Caller) -> None:
        """Raise NotFound where the objection is not public, and is not the caller's to see."""
        if row["published_at"] is None and not self._knows_all(row, caller):
            require_understood(caller)
            raise objection_not_found()

    def _knows_all(self, row: asyncpg.Record, caller: Caller) -> bool:
        is_author = caller.key is not None and row["account"] == caller.account
        return is_author or self.access.rules.is_administrator(caller)


def account_of(caller: Caller) -> str:
    """Return whose objections are a caller's; raises NotAllowed without a key."""
    require_understood(caller)
    if caller.key is None:
        raise NotAllowed(
            "objections need an API key.",
            fix="Send one as 'Authorization: Bearer mvk_...'.",
            code="key_required",
        )
    return caller.account


def objection_not_found() -> NotFound:
    """Return the one error for unknown objections and those that the caller may not see."""
    return NotFound(
        "there is no objection with this id.", fix="Check the id.", code="objection_not_found"
    )


async def _require_room(connection: Connection, account: str, entry_id: UUID) -> None:
    day = await connection.fetchrow(_SQL["objections_of_day"], account)
    assert day is not None  # noqa: S101 - it counts
    if day["used"] >= OBJECTIONS_A_DAY:
        raise QuotaExhausted(
            f"{day['used']} objections were filed with this key in 24 hours.",
            fix="Say all in one objection; a pattern over many entries is for the maintainers.",
            code="objection_quota",
            retry_after=_DAY_SECONDS - day["seconds"],
        )
    if await connection.fetchval(_SQL["objections_waiting"], entry_id) >= OPEN_OBJECTIONS:
        raise QuotaExhausted(
            f"{OPEN_OBJECTIONS} objections to this entry wait for the administrators.",
            fix="Come back when they have looked at them.",
            code="objection_quota",
            retry_after=_DAY_SECONDS,
        )


async def _find(connection: Connection, objection_id: UUID) -> asyncpg.Record:
    row = await connection.fetchrow(_SQL["objection_find"], objection_id)
    if row is None:
        raise objection_not_found()
    return row


def _objection(row: Row, *, whole: bool = True) -> Objection:
    """Build the response; of what was withdrawn others than its author get no texts."""
    if row["state"] == "withdrawn" and not whole:
        row = {**dict(row), **dict.fromkeys(("text", "name", "answer", "resolution"))}
    here = {"board": row["entry_board"], "id": row["entry_id"]}
    return Objection(
        **note_values(row),
        entry_id=row["entry_id"],
        model_name=None if row["model_name"] == ERASED else row["model_name"],
        entry=url("api_entry", **here),
        page=url("entry", **here),
        created_at=row["created_at"],
    )
