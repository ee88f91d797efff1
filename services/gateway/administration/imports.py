"""Adding entries whose scores are given, straight into the database."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import uuid4

from services.gateway.administration.audit import Subject, record
from services.gateway.domain.acts import Act
from shared.benchmark.names import check_entry_fields, clean_name, name_key
from shared.benchmark.tasks import BOARDS, METRICS
from shared.contracts.messages import BoardChanged
from shared.runtime.errors import InvalidInput
from shared.storage.database import Database, Transaction
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "imports.sql")


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows became entries, and how many names were on the board before."""

    added: int
    kept: int


async def import_boards(database: Database, boards: object, act: Act) -> dict[str, Imported]:
    """Add entries from `{board: [row, ...]}`; all or nothing, with a line in the audit log.

    A row has model_name, organization, date (ISO) and the metric keys (null = missing); further
    entry fields are optional, others ignored. A name that the board has is left as it is, so that
    importing twice changes nothing. Raises InvalidInput with every problem of every row.
    """
    if not isinstance(boards, dict) or not set(boards) <= set(BOARDS):
        raise InvalidInput(f"expected an object with the keys {' and '.join(BOARDS)}.")
    problems = [
        problem
        for board, rows in boards.items()
        for index, row in enumerate(rows if isinstance(rows, list) else [rows])
        for problem in _problems(f"{board}[{index}]", row)
    ]
    if problems:
        raise InvalidInput("\n".join(["the board cannot be imported:", *problems]))
    async with database.transaction() as transaction:
        return {
            board: await _import_rows(transaction, board, rows, act)
            for board, rows in boards.items()
        }


async def _import_rows(
    transaction: Transaction, board: str, rows: list[dict[str, object]], act: Act
) -> Imported:
    added: list[str] = []
    connection = transaction.connection
    for row in rows:
        entry_id = uuid4()
        name = clean_name(str(row["model_name"]))
        status = await connection.execute(
            _SQL["add_entry"],
            entry_id,
            board,
            name,
            name_key(name),
            clean_name(str(row["organization"])),
            *(row.get(field) for field in ("team", "authors", "model_url", "track")),
            date.fromisoformat(str(row["date"])),
        )
        if status == "INSERT 0 0":
            continue
        added.append(name)
        scores = [(entry_id, metric.key, row.get(metric.key)) for metric in METRICS]
        await connection.executemany(_SQL["add_given_score"], scores)
    if added:
        await connection.execute(_SQL["board_changed"], board)
        await transaction.emit(BoardChanged.model_validate({"board": board}))
        await record(
            transaction, act, "import", Subject("board", board), after={"added": sorted(added)}
        )
    return Imported(len(added), len(rows) - len(added))


def _problems(where: str, row: object) -> list[str]:
    if not isinstance(row, Mapping):
        return [f"{where}: expected an object with model_name, organization, date and metrics"]
    problems = [
        f"{where}{problem.path[1:]}: found {problem.found}, expected {problem.expected}"
        for problem in check_entry_fields(row)
    ]
    try:
        date.fromisoformat(str(row.get("date")))
    except ValueError:
        problems.append(f"{where}.date: found {row.get('date')!r}, expected a date as 2026-04-15")
    for metric in METRICS:
        value = row.get(metric.key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not (
            math.isfinite(value) and 0 <= value <= metric.maximum
        ):  # fmt: skip
            problems.append(
                f"{where}.{metric.key}: found {value!r}, expected a number from 0 to "
                f"{metric.maximum:g} or null"
            )
    return problems
