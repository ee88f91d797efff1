"""Actions on one entry: each is one transaction of the change, its audit line and its message."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

import asyncpg
import orjson
import structlog

from medvid.benchmark.names import SAME_NAMES, name_key
from medvid.benchmark.tasks import Board
from medvid.models.facts import FactsChange
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.accounts.fact_history import (
    erase_facts,
    hold_only,
    save_facts,
    stated_after,
)
from services.gateway.admin import rules
from services.gateway.admin.notes import erase_notes
from services.gateway.admin.rules import ManagedEntry
from shared.contracts.messages import BoardChanged, JudgingProgressed
from shared.runtime.errors import Conflict, NotFound
from shared.storage.database import (
    Database,
    Transaction,
    again_on_deadlock,
    transient_errors,
)
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "entries.sql")
_LOCK_ORDER: Final[Sequence[Board]] = ("community", "official")
_log = structlog.get_logger(__name__)

Step = Callable[[ManagedEntry], ManagedEntry]


@dataclass(frozen=True, slots=True)
class Changed:
    """An entry after an action; `changed` is False where it was so before."""

    entry: ManagedEntry
    changed: bool


class EntryActions:
    """What administrators do to entries. Every action repeated changes nothing more.

    Each raises NotFound, Conflict, Transient.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def promote(
        self, entry_id: UUID, action: AdminAction, verified_on: date | None, note: str | None
    ) -> Changed:
        """Bring an entry to the official board; without a date it is verified today."""

        def step(entry: ManagedEntry) -> ManagedEntry:
            kept = entry.verified_on if entry.board == "official" else None
            day = verified_on or kept or datetime.now(UTC).date()
            return rules.promoted(entry, day, note or entry.verification_note)

        return await self._do("promote", entry_id, action, step)

    async def demote(self, entry_id: UUID, action: AdminAction) -> Changed:
        """Bring an entry back to the community board."""
        return await self._do("demote", entry_id, action, rules.demoted)

    async def rename(self, entry_id: UUID, action: AdminAction, model_name: str) -> Changed:
        """Give an entry another name, which must be free on its board."""
        return await self._do(
            "rename", entry_id, action, lambda entry: rules.renamed(entry, model_name)
        )

    async def edit(
        self, entry_id: UUID, action: AdminAction, fields: dict[str, str | None]
    ) -> Changed:
        """Change an entry's metadata; only the fields that are given."""
        return await self._do("edit", entry_id, action, lambda entry: rules.edited(entry, fields))

    async def state_facts(
        self,
        entry_id: UUID,
        action: AdminAction,
        stated: FactsChange,
        release: Collection[str] = (),
    ) -> Changed:
        """Change facts of an entry's model, and release those that owners may change again.

        Raises RefusedBody too.
        """
        return await self._do(
            "facts",
            entry_id,
            action,
            lambda entry: rules.with_facts(entry, stated_after(entry.facts, stated), release),
        )

    async def remove(self, entry_id: UUID, action: AdminAction) -> Changed:
        """Take an entry off its board and free its name; its row and scores stay."""
        now = datetime.now(UTC)
        return await self._do("remove", entry_id, action, lambda entry: rules.removed(entry, now))

    async def restore(self, entry_id: UUID, action: AdminAction) -> Changed:
        """Bring a removed entry back, if its name is still free."""
        return await self._do("restore", entry_id, action, rules.restored)

    async def erase(self, entry_id: UUID, action: AdminAction) -> Changed:
        """Erase the names of an entry that left its board; its tombstone stays without them.

        The audit log does not write down what was erased.
        """

        async def once() -> Changed:
            async with transient_errors(), self._database.transaction() as transaction:
                before = await lock_entry(transaction, entry_id)
                after = rules.erased(before)
                if after == before:
                    return Changed(before, changed=False)
                await _save(transaction, before, after)
                await transaction.connection.execute(_SQL["note_erase"], after.submission_id)
                await erase_facts(transaction.connection, entry_id)
                await erase_notes(transaction.connection, entry_id)
                subject = Subject("entry", str(entry_id))
                await record(transaction, action, "erase", subject, after={"erased": True})
            return Changed(after, changed=True)

        return await again_on_deadlock(once)

    async def find(self, entry_id: UUID) -> ManagedEntry:
        """Return an entry; raises NotFound, Transient."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL["entry_find"], entry_id)
        return _entry(row)

    async def page(
        self,
        board: Board | None,
        model_name: str | None,
        after: tuple[str, UUID] | None,
        limit: int,
        *,
        removed: bool,
    ) -> Sequence[ManagedEntry]:
        """Return entries by name, after the one with this key and id; raises Transient."""
        key = name_key(model_name) if model_name is not None else None
        last = after or (None, None)
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["entries_page"], board, key, removed, *last, limit
            )
        return [_entry(row) for row in rows]

    async def _do(self, name: str, entry_id: UUID, action: AdminAction, step: Step) -> Changed:
        return await again_on_deadlock(lambda: self._once(name, entry_id, action, step))

    async def _once(self, name: str, entry_id: UUID, action: AdminAction, step: Step) -> Changed:
        async with (
            name_conflicts(),
            transient_errors(),
            self._database.transaction() as transaction,
        ):
            before = await lock_entry(transaction, entry_id)
            after = step(before)
            if after == before:
                return Changed(before, changed=False)
            await _save(transaction, before, after)
            await save_facts(
                transaction.connection, entry_id, "administrator", before.facts, after.facts
            )
            await hold_only(transaction.connection, entry_id, after.facts_held)
            was, now = rules.changes(before, after)
            subject = Subject("entry", str(entry_id))
            named = {"model_name": before.model_name, "board": before.board}
            await record(
                transaction, action, name, subject, before={**named, **was}, after={**named, **now}
            )
            await announce(transaction, {before.board, after.board})
        _log.info(
            "administrator_changed_entry", action=name, entry_id=str(entry_id), who=action.who
        )
        return Changed(after, changed=True)


async def lock_entry(transaction: Transaction, entry_id: UUID) -> ManagedEntry:
    """Return an entry that nobody else can change until the end; raises NotFound."""
    connection = transaction.connection
    await connection.execute(_SQL["judge_runs_lock"], entry_id)
    await connection.execute(_SQL["entry_lock"], entry_id)
    # Read after locking, so that a change made before it is seen.
    return _entry(await connection.fetchrow(_SQL["entry_find"], entry_id))


async def announce(transaction: Transaction, boards: set[Board]) -> None:
    """Raise the boards' revisions and tell the ranker; always in the same order of boards."""
    for board in _LOCK_ORDER:
        if board in boards:
            await transaction.connection.execute(_SQL["board_changed"], board)
            await transaction.emit(BoardChanged(board=board))


async def _save(transaction: Transaction, before: ManagedEntry, after: ManagedEntry) -> None:
    connection = transaction.connection
    await connection.execute(
        _SQL["entry_save"],
        after.id,
        after.board,
        after.model_name,
        name_key(after.model_name),
        after.organization,
        after.team,
        after.authors,
        after.model_url,
        after.track,
        list(after.badges),
        after.submitted_on,
        after.verified_on,
        after.verification_note,
        after.removed_at,
    )
    if after.contact != before.contact:
        await connection.execute(_SQL["contact_save"], after.submission_id, after.contact)
    if after.removed_at is not None and after.submission_id is not None:
        await _end_judging(transaction, after.submission_id)


async def _end_judging(transaction: Transaction, submission_id: UUID) -> None:
    """Nothing is paid for an entry that is on no board."""
    for row in await transaction.connection.fetch(_SQL["judge_runs_end"], submission_id):
        await transaction.emit(JudgingProgressed(submission_id=submission_id, run_id=row["id"]))


@asynccontextmanager
async def name_conflicts() -> AsyncIterator[None]:
    """Turn a taken name, and other violated constraints, into Conflict."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "entries_unique_name":
            raise
        raise Conflict(
            f"the board has a model of this name already ({SAME_NAMES}).",
            fix="Rename or remove that one first, or choose another name.",
            code="model_name_taken",
        ) from error


def _entry(row: asyncpg.Record | None) -> ManagedEntry:
    if row is None:
        raise NotFound(
            "there is no entry with this id.",
            fix="GET /api/v1/admin/entries lists them.",
            code="entry_not_found",
        )
    parsed = {"badges": tuple(row["badges"]), "facts": orjson.loads(row["facts"])}
    parsed["facts_held"] = tuple(row["facts_held"])
    return ManagedEntry(**(dict(row) | parsed))
