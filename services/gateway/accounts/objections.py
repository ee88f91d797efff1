"""Tells those who follow it what became of an objection that is, or was, public."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from shared.contracts.messages import BoardChanged
from shared.storage.database import Transaction
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "objections.sql")


async def announce_objection(transaction: Transaction, objection_id: UUID) -> None:
    """Have the entry's board ranked anew, whose row has a mark, and tell the entry's owner.

    The caller holds the objection; locks are taken in the usual order: board, watchers.
    """
    row = await transaction.connection.fetchrow(_SQL["objection_entry"], objection_id)
    assert row is not None  # noqa: S101 - its caller holds it
    if row["on_board"]:
        await transaction.connection.execute(_SQL["objection_board_changed"], row["board"])
        await transaction.emit(BoardChanged(board=row["board"]))
    if row["submission_id"] is not None:
        await transaction.connection.execute(
            _SQL["objection_tell"], row["submission_id"], row["state"], str(objection_id)
        )
