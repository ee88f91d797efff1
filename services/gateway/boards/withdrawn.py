"""Entries that left their board: what stays of them, at their own addresses and in a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from medvid.benchmark.names import ERASED
from medvid.benchmark.tasks import Board
from medvid.models.tombstones import RanksHad, Successor, Tombstone, WithdrawnPage
from services.gateway.boards.notes import PublicNotes
from services.gateway.web.errors import Gone
from services.gateway.web.paging import Position, cursor_of, cut
from services.gateway.web.urls import url
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "withdrawn.sql")


@dataclass(frozen=True, slots=True)
class GoneEntries:
    """What is kept of entries that are not on their board any more. Raises Transient."""

    database: Database

    async def page(self, board: Board, before: Position | None, limit: int) -> Sequence[Tombstone]:
        """Return those that were withdrawn or removed, the last one first."""
        async with transient_errors():
            rows = await self.database.pool.fetch(
                _SQL["entries_gone"], board, *(before or (None, None)), limit
            )
        return [_tombstone(row) for row in rows]

    async def find(self, board: Board, entry_id: UUID) -> Tombstone | None:
        """Return what is kept of an entry; None where it never had a rank on this board."""
        async with transient_errors():
            row = await self.database.pool.fetchrow(_SQL["entry_gone"], board, entry_id)
        if row is None:
            return None
        notes = await PublicNotes(self.database).of_entry(entry_id)
        return _tombstone(row).model_copy(update={"notes": notes})


def withdrawn_page(board: Board, found: Sequence[Tombstone], limit: int) -> WithdrawnPage:
    """Return a page of a board's withdrawn entries; `found` has one more where there is a next."""
    shown, cursor = cut(found, limit, _cursor)
    return WithdrawnPage(board=board, entries=list(shown), next_cursor=cursor)


def _cursor(entry: Tombstone) -> str:
    assert entry.at is not None  # noqa: S101 - those of the list were taken off
    return cursor_of((entry.at, entry.entry_id))


def gone(found: Tombstone) -> Gone:
    """Return the answer at the address of an entry that left its board."""
    words = {
        "withdrawn": "was withdrawn",
        "removed": "was taken off the board by an administrator",
        "replaced": "was replaced by a newer version",
        "moved": "is on another board now",
    }
    on = f" on {found.at:%Y-%m-%d}" if found.at else ""
    fix = f"See {found.successor.url}." if found.successor else "What is kept of it is in 'entry'."
    return Gone(
        f"the entry {words.get(found.state, 'left the board')}{on}.",
        fix=fix,
        code="entry_gone",
        tombstone=found,
    )


def _tombstone(row: asyncpg.Record) -> Tombstone:
    erased = row["model_name"] == ERASED
    facts: dict[str, Any] = {
        name: row[name]
        for name in ("board", "state", "at", "by", "note", "version", "submitted_on")
    }
    return Tombstone(
        entry_id=row["id"],
        model_name=None if erased else row["model_name"],
        organization=None if erased else row["organization"],
        url=url("api_entry", board=row["board"], id=row["id"]),
        page=url("entry", board=row["board"], id=row["id"]),
        ranks=[RanksHad(**each) for each in orjson.loads(row["ranks"])],
        successor=_successor(row["next_board"], row["next_id"]),
        **facts,
    )


def _successor(board: Board | None, entry_id: UUID | None) -> Successor | None:
    if board is None or entry_id is None:
        return None
    return Successor(
        board=board,
        entry_id=entry_id,
        url=url("api_entry", board=board, id=entry_id),
        page=url("entry", board=board, id=entry_id),
    )
