"""The gateway's SQL about API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.gateway.domain.access import ApiKey, KeyQuotas
from services.gateway.domain.quotas import too_many_keys
from services.gateway.keys_ports import NewKey
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries("services.gateway", "keys.sql")


class PostgresKeys:
    """Implements KeyStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, new: NewKey, *, most_a_day: int | None) -> ApiKey:
        """Store a key; raises QuotaExhausted where its creator made `most_a_day` today."""
        async with transient_errors(), self._database.transaction() as transaction:
            connection = transaction.connection
            if most_a_day is not None:
                await connection.execute(_SQL["creator_lock"], new.created_by)
                row = await connection.fetchrow(_SQL["keys_made_lately"], new.created_by)
                if row is not None and row["made"] >= most_a_day:
                    raise too_many_keys(most_a_day, row["next_in"] or 0.0)
            row = await connection.fetchrow(
                _SQL["key_add"],
                new.id,
                new.label,
                new.owner,
                new.key_sha256,
                sorted(new.scopes),
                new.quotas.submissions_per_day,
                new.quotas.bytes_per_day,
                new.quotas.judge_runs_per_month,
                new.created_by,
            )
        assert row is not None  # noqa: S101 - RETURNING of one inserted row
        return _key(row)

    async def find(self, key_sha256: bytes) -> ApiKey | None:
        """Return a key, revoked or not."""
        return await self._one("key_find", key_sha256)

    async def used(self, key_id: UUID) -> None:
        """Note that a key is used now."""
        async with transient_errors():
            await self._database.pool.execute(_SQL["key_used"], key_id)

    async def page(self, before: tuple[datetime, UUID] | None, limit: int) -> Sequence[ApiKey]:
        """Return keys, newest first, after the one with this time and id."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["keys_page"], *(before or (None, None)), limit
            )
        return [_key(row) for row in rows]

    async def revoke(self, key_id: UUID) -> ApiKey | None:
        """Revoke a key, if it is not; None where there is no such key."""
        return await self._one("key_revoke", key_id)

    async def set_quotas(self, key_id: UUID, quotas: KeyQuotas) -> ApiKey | None:
        """Replace a key's own quotas; None where there is no such key."""
        return await self._one(
            "key_set_quotas",
            key_id,
            quotas.submissions_per_day,
            quotas.bytes_per_day,
            quotas.judge_runs_per_month,
        )

    async def _one(self, query: str, *arguments: object) -> ApiKey | None:
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL[query], *arguments)
        return _key(row) if row else None


def _key(row: asyncpg.Record) -> ApiKey:
    return ApiKey(
        id=row["id"],
        label=row["label"],
        owner=row["owner"],
        scopes=frozenset(row["scopes"]),
        quotas=KeyQuotas(
            row["submissions_per_day"], row["bytes_per_day"], row["judge_runs_per_month"]
        ),
        created_at=row["created_at"],
        created_by=row["created_by"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
    )
