"""The gateway's SQL about API keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from medvid.models.accounts import Scope
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.accounts.quota_rules import too_many_keys
from services.gateway.accounts.rules import ApiKey, KeyQuotas
from services.gateway.web.addresses import sharing
from shared.storage.database import Connection, Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "keys.sql")


@dataclass(frozen=True, slots=True)
class KeyToStore:
    """A key to be stored."""

    id: UUID
    label: str
    owner: str
    key_sha256: bytes
    scopes: frozenset[Scope]
    quotas: KeyQuotas
    created_by: str


class KeyStore:
    """API keys in the database. Every method raises Transient when it does not answer.

    An `action` is written into the audit log.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, new: KeyToStore, *, most_a_day: int | None, action: AdminAction | None = None
    ) -> ApiKey:
        """Store a key; raises QuotaExhausted where its creator made `most_a_day` today."""
        async with transient_errors(), self._database.transaction() as transaction:
            connection = transaction.connection
            if most_a_day is not None:
                await _require_room(connection, new.created_by, most_a_day)
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
            key = _key(row)
            if action is not None:
                await record(transaction, action, "make_key", _subject(key), after=_facts(key))
        return key

    async def find(self, key_sha256: bytes) -> ApiKey | None:
        """Return a key, revoked or not."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL["key_find"], key_sha256)
        return _key(row) if row else None

    async def is_owner_token(self, token_sha256: bytes) -> bool:
        """Tell whether a submission has this owner token."""
        async with transient_errors():
            return bool(await self._database.pool.fetchval(_SQL["owner_token_find"], token_sha256))

    async def of_browser(self, cookie_sha256: bytes) -> ApiKey | None:
        """Return the account that a browser is signed in to, unless it was revoked."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL["key_of_browser"], cookie_sha256)
        return _key(row) if row else None

    async def used(self, key_id: UUID, secret_sha256: bytes) -> None:
        """Note that a key is used now, with this secret."""
        async with transient_errors():
            await self._database.pool.execute(_SQL["key_used"], key_id, secret_sha256)

    async def page(self, before: tuple[datetime, UUID] | None, limit: int) -> Sequence[ApiKey]:
        """Return keys, newest first, after the one with this time and id."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["keys_page"], *(before or (None, None)), limit
            )
        return [_key(row) for row in rows]

    async def revoke(self, key_id: UUID, action: AdminAction | None = None) -> ApiKey | None:
        """Revoke a key, if it is not; None where there is no such key."""
        return await self._change("key_revoke", action, "revoke_key", key_id)

    async def set_quotas(
        self, key_id: UUID, quotas: KeyQuotas, action: AdminAction | None = None
    ) -> ApiKey | None:
        """Replace a key's own quotas; None where there is no such key."""
        own = (quotas.submissions_per_day, quotas.bytes_per_day, quotas.judge_runs_per_month)
        return await self._change("key_set_quotas", action, "set_key_quotas", key_id, *own)

    async def _change(
        self, query: str, action: AdminAction | None, name: str, key_id: UUID, *facts: object
    ) -> ApiKey | None:
        async with transient_errors(), self._database.transaction() as transaction:
            connection = transaction.connection
            before = await connection.fetchrow(_SQL["key_lock"], key_id)
            row = await connection.fetchrow(_SQL[query], key_id, *facts)
            if before is None or row is None:
                return None
            old, new = _key(before), _key(row)
            if action is not None and old != new:
                await record(
                    transaction, action, name, _subject(new), before=_facts(old), after=_facts(new)
                )
        return new


async def _require_room(connection: Connection, creator: str, most_a_day: int) -> None:
    address = creator.removeprefix("address:")
    shares = sharing(address, most_a_day)
    for name, _ in reversed(shares):  # the widest first, as everybody locks them
        await connection.execute(_SQL["creator_lock"], f"address:{name}")
    for name, limit in shares:
        alone = name == address
        row = await connection.fetchrow(
            _SQL["keys_made_lately" if alone else "keys_made_nearby"], creator if alone else name
        )
        if row is not None and row["made"] >= limit:
            place = "address" if alone else f"network {name}"
            raise too_many_keys(limit, row["next_in"] or 0.0, place=place)


def _subject(key: ApiKey) -> Subject:
    return Subject("key", str(key.id))


def _facts(key: ApiKey) -> dict[str, object]:
    """Return what the audit log says about a key: nothing that opens anything."""
    return {
        "label": key.label,
        "owner": key.owner,
        "scopes": sorted(key.scopes),
        "quotas": asdict(key.quotas),
        "revoked_at": key.revoked_at,
    }


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
