"""Boards out as rows and in again: all rows or none, with a line in the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import orjson
import structlog

from medvid.benchmark.names import name_key
from medvid.benchmark.tasks import BOARDS, METRIC_KEYS, Board
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.accounts.fact_history import save_facts
from services.gateway.admin.board_import import BoardEntry, Existing, RowChange, plan_import
from services.gateway.admin.board_rows import BoardRow, read_boards
from services.gateway.admin.entries import announce, name_conflicts
from services.gateway.web.errors import RefusedBody
from shared.runtime.errors import Conflict
from shared.storage.database import (
    Connection,
    Database,
    Transaction,
    again_on_deadlock,
    transient_errors,
)
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "imports.sql")
_log = structlog.get_logger(__name__)


class BoardFiles:
    """Exports and imports boards, and adds single entries by hand."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def export(self, boards: Sequence[Board] = BOARDS) -> dict[Board, list[BoardRow]]:
        """Return the listed entries of boards by name, all of one moment; raises Transient."""
        async with self._database.moment() as connection:
            return {
                board: [entry.row for entry in await _entries(connection, board)]
                for board in boards
            }

    async def apply(
        self, content: object, action: AdminAction, *, existing: Existing, dry_run: bool
    ) -> list[RowChange]:
        """Import `{board: [row, ...]}` and return what becomes of each row; a dry run only says it.

        Raises RefusedBody with every problem of every row, Conflict, Transient.
        """
        boards, problems = read_boards(content)
        if problems:
            raise RefusedBody(problems)
        changes = await again_on_deadlock(lambda: self._apply(boards, action, existing, dry_run))
        if not dry_run:
            _log.info("boards_imported", rows=len(changes), who=action.who)
        return changes

    async def _apply(
        self,
        boards: Mapping[Board, Sequence[BoardRow]],
        action: AdminAction,
        existing: Existing,
        dry_run: bool,
    ) -> list[RowChange]:
        async with (
            name_conflicts(),
            transient_errors(),
            self._database.transaction() as transaction,
        ):
            changes = await _plan(transaction.connection, boards, existing)
            if not dry_run:
                await _carry_out(transaction, changes, action)
        return changes

    async def add(self, board: Board, row: BoardRow, action: AdminAction) -> RowChange:
        """Add an entry with given scores; one that is there exactly so stays as it is.

        Raises Conflict where the name is taken by another, Transient.
        """
        async with (
            name_conflicts(),
            transient_errors(),
            self._database.transaction() as transaction,
        ):
            (change,) = await _plan(transaction.connection, {board: [row]}, "keep")
            if change.kind == "kept":
                raise Conflict(
                    f"the {board} board has a model named {row.model_name!r} already.",
                    fix="Edit that one, or choose another name.",
                    code="model_name_taken",
                )
            if change.kind == "unchanged":
                return change
            entry_id = await _add(transaction.connection, change)
            await record(
                transaction, action, "add", Subject("entry", str(entry_id)),
                after={"board": board, **row.to_json()},
            )  # fmt: skip
            await announce(transaction, {board})
        return RowChange(board, "added", row, entry_id, {})


async def _plan(
    connection: Connection, boards: Mapping[Board, Sequence[BoardRow]], existing: Existing
) -> list[RowChange]:
    for board in sorted(boards):
        await connection.execute(_SQL["board_entries_lock"], board)
    present = {board: await _entries(connection, board) for board in boards}
    changes, problems = plan_import(boards, present, existing)
    if problems:
        raise RefusedBody(problems)
    return changes


async def _carry_out(
    transaction: Transaction, changes: Sequence[RowChange], action: AdminAction
) -> None:
    touched: dict[Board, list[RowChange]] = {}
    for change in changes:
        if change.kind == "added":
            await _add(transaction.connection, change)
        elif change.kind == "changed":
            await _update(transaction.connection, change)
        else:
            continue
        touched.setdefault(change.board, []).append(change)
    for board, done in touched.items():
        changed = {change.row.model_name: change.fields for change in done if change.fields}
        await record(
            transaction, action, "import", Subject("board", board),
            before={"changed": {name: _side(fields, 0) for name, fields in changed.items()}},
            after={
                "added": [change.row.model_name for change in done if change.kind == "added"],
                "changed": {name: _side(fields, 1) for name, fields in changed.items()},
            },
        )  # fmt: skip
    await announce(transaction, set(touched))


def _side(fields: Mapping[str, tuple[object, object]], side: int) -> dict[str, object]:
    return {name: values[side] for name, values in fields.items()}


async def _add(connection: Connection, change: RowChange) -> UUID:
    entry_id = uuid4()
    await connection.execute(_SQL["entry_add"], entry_id, change.board, *_columns(change.row))
    await _put_scores(connection, entry_id, change.row)
    await save_facts(connection, entry_id, "administrator", {}, change.row.facts or {})
    return entry_id


async def _update(connection: Connection, change: RowChange) -> None:
    assert change.entry_id is not None  # noqa: S101 - it is on the board
    await connection.execute(
        _SQL["entry_update"], change.entry_id, change.board, *_columns(change.row)
    )
    await _put_scores(connection, change.entry_id, change.row)
    if change.row.facts is not None:
        before = change.facts_before
        await save_facts(connection, change.entry_id, "administrator", before, change.row.facts)


async def _put_scores(connection: Connection, entry_id: UUID, row: BoardRow) -> None:
    await connection.executemany(
        _SQL["given_score_put"],
        [(entry_id, key, row.compat[key], row.strict[key]) for key in METRIC_KEYS],
    )


def _columns(row: BoardRow) -> tuple[object, ...]:
    return (
        row.model_name,
        name_key(row.model_name),
        row.organization,
        row.team,
        row.authors,
        row.model_url,
        row.track,
        list(row.badges),
        row.submitted_on,
        row.verified_on,
        row.verification_note,
    )


async def _entries(connection: Connection, board: Board) -> list[BoardEntry]:
    rows = await connection.fetch(_SQL["board_entries"], board, list(METRIC_KEYS))
    return [BoardEntry(row["id"], _row(row), row["scored"]) for row in rows]


def _row(row: asyncpg.Record) -> BoardRow:
    fields = {key: row[key] for key in row.keys() if key not in ("id", "board", "scored")}  # noqa: SIM118 - a Record iterates its values
    for scoring in ("compat", "strict"):
        fields[scoring] = dict(zip(METRIC_KEYS, row[scoring], strict=True))
    parsed = {"badges": tuple(row["badges"]), "facts": orjson.loads(row["facts"])}
    return BoardRow(**(fields | parsed))
