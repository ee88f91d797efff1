"""What administrators do with objections, notes and errata; each with its line in the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from medvid.benchmark.names import ERASED
from medvid.benchmark.tasks import Board
from medvid.models.notes import ManagedNote, NoteAction, NoteKind, NoteState
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.accounts.objections import announce_objection
from services.gateway.admin.note_rules import BECOMES, Step, is_due
from services.gateway.boards.notes import note_values
from services.gateway.web.paging import Position
from services.gateway.web.urls import url
from shared.runtime.errors import InvalidInput, NotFound
from shared.storage.database import Connection, Database, again_on_deadlock, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "notes.sql")
_log = structlog.get_logger(__name__)


class ManageNotes:
    """Notes of every state. An action repeated changes nothing. Raises Transient."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, kind: NoteKind | None, state: NoteState | None, before: Position | None, limit: int
    ) -> Sequence[ManagedNote]:
        """Return notes, the newest first."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["notes_page"], kind, state, *(before or (None, None)), limit
            )
        return [_managed(row) for row in rows]

    async def open(self) -> int:
        """Return how many objections wait for somebody to look at them."""
        async with transient_errors():
            found: int = await self._database.pool.fetchval(_SQL["notes_open"])
        return found

    async def add_to_entry(self, entry_id: UUID, text: str, action: AdminAction) -> NoteAction:
        """Write a public note on an entry, also on one that left its board; raises NotFound."""
        return await self._add("note", (entry_id, None, None, None), text, action)

    async def add_to_board(self, board: Board, text: str, action: AdminAction) -> NoteAction:
        """Write a public note on a board."""
        return await self._add("note", (None, board, None, None), text, action)

    async def add_erratum(
        self, snapshot_id: int, corrected_by: int, text: str, action: AdminAction
    ) -> NoteAction:
        """State that a snapshot is corrected by a later one; raises NotFound, InvalidInput."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["note_snapshots"], [snapshot_id, corrected_by]
            )
        found = {row["id"]: (row["board"], row["scoring"]) for row in rows}
        for number in (snapshot_id, corrected_by):
            if number not in found:
                raise NotFound(
                    f"there is no snapshot {number}, or it is no longer kept.",
                    fix="Boards name theirs in 'permalink'.",
                    code="snapshot_not_found",
                )
        if corrected_by <= snapshot_id or found[snapshot_id] != found[corrected_by]:
            raise InvalidInput(
                f"snapshot {corrected_by} is no later one of the same board and scoring.",
                fix="Name a later snapshot that the history of the same board and scoring has.",
                code="invalid_erratum",
            )
        board = found[snapshot_id][0]
        return await self._add("erratum", (None, board, snapshot_id, corrected_by), text, action)

    async def _add(
        self,
        kind: NoteKind,
        subject: tuple[UUID | None, str | None, int | None, int | None],
        text: str,
        action: AdminAction,
    ) -> NoteAction:
        entry_id = subject[0]
        async with transient_errors(), self._database.transaction() as transaction:
            connection = transaction.connection
            if entry_id and not await connection.fetchval(_SQL["note_entry"], entry_id):
                raise NotFound(
                    "there is no entry with this id.", fix="Check the id.", code="entry_not_found"
                )
            made = await connection.fetchval(_SQL["note_add"], kind, *subject, text)
            if made is None:
                same = await connection.fetchval(_SQL["note_same"], kind, *subject, text)
                return NoteAction(note=await _find(connection, same), changed=False)
            note = await _find(connection, made)
            await record(
                transaction, action, f"add_{kind}", Subject("note", str(made)), after=_facts(note)
            )
        _log.info("note_added", note_id=str(made), kind=kind, who=action.who)
        return NoteAction(note=note, changed=True)

    async def publish(self, note_id: UUID, action: AdminAction) -> NoteAction:
        """Publish an objection; raises NotFound, Conflict, as do the others."""
        return await self._step(note_id, "publish", action)

    async def refuse(self, note_id: UUID, action: AdminAction) -> NoteAction:
        """Leave an objection unpublished."""
        return await self._step(note_id, "refuse", action)

    async def resolve(self, note_id: UUID, resolution: str, action: AdminAction) -> NoteAction:
        """Say in public what came of an objection or a note."""
        return await self._step(note_id, "resolve", action, resolution)

    async def withdraw(self, note_id: UUID, action: AdminAction) -> NoteAction:
        """Take back what is public: its texts are shown no longer."""
        return await self._step(note_id, "withdraw", action)

    async def _step(
        self, note_id: UUID, step: Step, action: AdminAction, resolution: str | None = None
    ) -> NoteAction:
        async def once() -> NoteAction:
            async with transient_errors(), self._database.transaction() as transaction:
                connection = transaction.connection
                await connection.execute(_SQL["note_lock"], note_id)
                before = await _find(connection, note_id)
                if not is_due(before.state, step):
                    return NoteAction(note=before, changed=False)
                if step == "publish":
                    await connection.execute(_SQL["note_publish"], note_id)
                elif step == "resolve":
                    await connection.execute(_SQL["note_resolve"], note_id, resolution)
                else:
                    await connection.execute(_SQL["note_end"], note_id, BECOMES[step])
                after = await _find(connection, note_id)
                await record(
                    transaction, action, f"{step}_{after.kind}", Subject("note", str(note_id)),
                    before=_facts(before), after=_facts(after),
                )  # fmt: skip
                if after.kind == "objection" and after.published_at is not None:
                    await announce_objection(transaction, note_id)
            _log.info("note_changed", note_id=str(note_id), state=after.state, who=action.who)
            return NoteAction(note=after, changed=True)

        return await again_on_deadlock(once)


async def erase_notes(connection: Connection, entry_id: UUID) -> None:
    """Delete the texts of the notes on an entry; that there were some stays."""
    await connection.execute(_SQL["notes_erase"], entry_id)


async def _find(connection: Connection, note_id: UUID) -> ManagedNote:
    row = await connection.fetchrow(_SQL["note_find"], note_id)
    if row is None:
        raise NotFound("there is no note with this id.", fix="Check the id.", code="note_not_found")
    return _managed(row)


def _facts(note: ManagedNote) -> Mapping[str, object]:
    """Return what the audit log has of a note: no texts, which may have to be erased."""
    found: dict[str, object] = {
        "state": note.state,
        "entry_id": note.entry_id,
        "board": note.board,
        "snapshot": note.corrects and note.corrects.number,
        "corrected_by": note.corrected_by and note.corrected_by.number,
    }
    return {name: value for name, value in found.items() if value is not None}


def _managed(row: asyncpg.Record) -> ManagedNote:
    entry = {"board": row["entry_board"], "id": row["entry_id"]} if row["entry_id"] else None
    return ManagedNote(
        **note_values(row),
        entry_id=row["entry_id"],
        model_name=None if row["model_name"] == ERASED else row["model_name"],
        entry=url("api_entry", **entry) if entry else None,
        page=url("entry", **entry) if entry else None,
        created_at=row["created_at"],
        account=row["account"],
    )
