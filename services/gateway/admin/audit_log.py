"""Reads the audit log."""

from __future__ import annotations

from typing import Final

from medvid.models.administration import AuditLineView
from services.gateway.admin.models import AuditQuery, audit_line
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "audit.sql")


class AuditLog:
    """Reads the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, wanted: AuditQuery, limit: int) -> list[AuditLineView]:
        """Return the newest lines older than the one at the cursor; raises Transient."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["audit_page"],
                wanted.cursor,
                wanted.who,
                wanted.action,
                wanted.subject_kind,
                wanted.subject,
                wanted.since,
                wanted.until,
                limit,
            )
        return [audit_line(dict(row)) for row in rows]

    async def known(self) -> dict[str, list[str]]:
        """Return who, which actions and which kinds of subject lines name; raises Transient."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL["audit_known"])
        return dict(row or {})
