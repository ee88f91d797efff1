"""Writes the audit log: a line is written in the transaction of its action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from services.gateway.accounts.admin_actions import AdminAction
from shared.storage.database import Transaction
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "audit.sql")

Facts = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Subject:
    """What an action was done to."""

    kind: str
    name: str


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
