"""The audit log: a line is written in the transaction of the action; pages are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson

from services.gateway.accounts.admin_actions import AdminAction
from shared.storage.database import Database, Transaction, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "audit.sql")

Facts = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Subject:
    """What an action was done to."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One action as it is written down."""

    id: int
    at: datetime
    who: str
    action: str
    subject_kind: str
    subject: str
    before: Facts | None
    after: Facts | None
    why: str
    request_id: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which lines are asked for; None lets all pass. `until` is not included."""

    who: str | None = None
    action: str | None = None
    subject_kind: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def record(
    transaction: Transaction,
    action: AdminAction,
    name: str,
    subject: Subject,
    *,
    before: Facts | None = None,
    after: Facts | None = None,
) -> int:
    """Write the line of an action by its name; returns its id."""
    line: int = await transaction.connection.fetchval(
        _SQL["audit_add"],
        action.who,
        name,
        subject.kind,
        subject.name,
        _json(before),
        _json(after),
        action.why,
        action.request_id,
    )
    return line


def _json(facts: Facts | None) -> str | None:
    return None if facts is None else orjson.dumps(facts, default=str).decode()


class AuditLog:
    """Reads the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, wanted: AuditFilter, *, before: int | None, limit: int
    ) -> Sequence[AuditLine]:
        """Return the newest lines older than the line `before`; raises Transient."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["audit_page"],
                before,
                wanted.who,
                wanted.action,
                wanted.subject_kind,
                wanted.subject,
                wanted.since,
                wanted.until,
                limit,
            )
        parsed = ("before", "after")
        return [
            AuditLine(**(dict(row) | {key: _parsed(row[key]) for key in parsed})) for row in rows
        ]


def _parsed(text: str | None) -> Facts | None:
    facts: Facts | None = orjson.loads(text) if text is not None else None
    return facts
