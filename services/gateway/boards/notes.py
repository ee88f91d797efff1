"""Notes and changes of boards as the public reads them: `public_notes`, `public_changes`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from medvid.benchmark.tasks import Board
from medvid.models.notes import BoardChange, ChangesAnswer, NamedSnapshot, NoteReply, PublicNote
from services.gateway.web.urls import url
from shared.storage.database import Connection, Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "notes.sql")
_LENGTH: Final = 500
_PLAIN: Final = ("id", "kind", "state", "by", "name", "text", "published_at", "changed_at",
                 "withdrawn_at", "board")  # fmt: skip
_WHAT: Final = {
    "rule": "The ranking rule",
    "metric": "The version of the metrics' code",
    "ground_truth": "The ground truth",
    "judge": "The judge",
}
_SETTINGS: Final = {
    "ranking": "ranking",
    "other_judges": "values of other judges",
    "published": "values of judges that are not recorded",
}
_BRIEF: Final = 12
Row = asyncpg.Record | Mapping[str, Any]


class PublicNotes:
    """Notes and changes in the database. Raises Transient."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def errata(self, snapshot_id: int) -> list[PublicNote]:
        """Return the errata that correct a snapshot, or that it corrects."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["snapshot_errata"], snapshot_id)
        return [public_note(row) for row in rows]

    async def of_entry(self, entry_id: UUID) -> list[PublicNote]:
        """Return the notes on an entry, also on one that left its board."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["entry_notes"], [entry_id])
        return [public_note(row) for row in rows]

    async def changes(self, board: Board | None) -> ChangesAnswer:
        """Return what changed on a board, or on all, apart from entries."""
        async with transient_errors(), self._database.pool.acquire() as connection:
            changes = await connection.fetch(_SQL["changes_newest"], board, _LENGTH)
            notes = await connection.fetch(_SQL["notes_newest"], board, _LENGTH)
        return ChangesAnswer(
            changes=[board_change(row) for row in changes],
            notes=[public_note(row) for row in notes],
        )


async def notes_of_entries(
    connection: Connection, entry_ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    """Return the rows of notes on entries, each entry's newest first."""
    return await connection.fetch(_SQL["entry_notes"], entry_ids)


async def notes_of_board(connection: Connection, snapshot_id: int) -> list[asyncpg.Record]:
    """Return the rows of the notes that a board shows while this is its newest snapshot."""
    return await connection.fetch(_SQL["board_notes"], snapshot_id)


def public_note(row: Row) -> PublicNote:
    """Build the response from a row of `public_notes`."""
    return PublicNote(**note_values(row))


def note_values(row: Row) -> dict[str, Any]:
    """Return the fields that every view of a note has."""
    causes = orjson.loads(row["causes"] or "null") or ()
    return {
        **{name: row[name] for name in _PLAIN},
        "answer": _reply(row["answered_at"], row["answer"]),
        "resolution": _reply(row["resolved_at"], row["resolution"]),
        "corrects": _snapshot(row["board"], row["snapshot_id"]),
        "corrected_by": _snapshot(row["board"], row["corrected_by"]),
        "causes": [
            board_change({**each, "at": datetime.fromisoformat(each["at"])}) for each in causes
        ],
    }


def _reply(at: datetime | None, text: str | None) -> NoteReply | None:
    return None if at is None else NoteReply(at=at, text=text)


def _snapshot(board: str | None, number: int | None) -> NamedSnapshot | None:
    if board is None or number is None:
        return None
    return NamedSnapshot(
        number=number,
        url=url("api_snapshot", id=number),
        page=url("snapshot", board=board, number=number),
    )


def board_change(row: Row) -> BoardChange:
    """Build the response from a row of `public_changes`."""
    return BoardChange(
        id=row["id"],
        kind=row["kind"],
        board=row["board"],
        at=row["at"],
        before=row["before"],
        after=row["after"],
        text=change_sentence(row["kind"], row["board"], row["before"], row["after"]),
        snapshot=url("api_snapshot", id=row["snapshot_id"]),
        page=url("snapshot", board=row["board"], number=row["snapshot_id"]),
    )


def change_sentence(kind: str, board: str, before: Sequence[str], after: Sequence[str]) -> str:
    """Return a change as a sentence; what stayed is left out, hashes are cut."""
    was = [each for each in before if each not in after] or before
    now = [each for each in after if each not in before] or after
    if len(before) != len(after):  # versions beside one another: all of them are named
        was, now = before, after
    return f"{_WHAT[kind]} of the {board} board changed from {_list(was)} to {_list(now)}."


def _list(texts: Sequence[str]) -> str:
    return ", ".join(_plain(each) for each in texts)


def _plain(text: str) -> str:
    """Return a setting in words, and the beginning of a hash."""
    name, colon, value = text.partition(": ")
    if colon:
        return f"{value} {_SETTINGS.get(name, name)}"
    return text[:_BRIEF] if len(text) > 3 * _BRIEF else text
