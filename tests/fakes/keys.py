"""API keys in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.gateway.accounts.admin_actions import Act
from services.gateway.accounts.keys_ports import NewKey
from services.gateway.accounts.quota_rules import too_many_keys
from services.gateway.accounts.rules import ApiKey, KeyQuotas
from services.gateway.web.addresses import sharing


class FakeKeys:
    """Implements KeyStore."""

    def __init__(self) -> None:
        self._keys: dict[bytes, ApiKey] = {}
        self.acts: list[Act] = []
        self.owner_tokens: set[bytes] = set()

    async def add(self, new: NewKey, *, most_a_day: int | None, act: Act | None = None) -> ApiKey:
        now = datetime.now(UTC)
        day = timedelta(hours=24)
        address = new.created_by.removeprefix("address:")
        for name, limit in sharing(address, most_a_day) if most_a_day is not None else ():
            made = [
                key.created_at
                for key in self._keys.values()
                if key.created_at > now - day
                and name in dict(sharing(key.created_by.removeprefix("address:"), 0))
            ]
            if len(made) >= limit:
                place = "address" if name == address else f"network {name}"
                wait = (min(made) + day - now).total_seconds()
                raise too_many_keys(limit, wait, place=place)
        key = ApiKey(
            new.id, new.label, new.owner, new.scopes, new.quotas, now, new.created_by, None, None
        )
        self._keys[new.key_sha256] = key
        self._record(act)
        return key

    async def find(self, key_sha256: bytes) -> ApiKey | None:
        return self._keys.get(key_sha256)

    async def is_owner_token(self, token_sha256: bytes) -> bool:
        return token_sha256 in self.owner_tokens

    async def used(self, key_id: UUID) -> None:
        key = self._by_id(key_id)
        now = datetime.now(UTC)
        stale = key is not None and (
            key.last_used_at is None or key.last_used_at < now - timedelta(minutes=1)
        )
        if stale:
            self._change(key_id, last_used_at=now)

    async def page(self, before: tuple[datetime, UUID] | None, limit: int) -> Sequence[ApiKey]:
        ordered = sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))
        return [
            key for key in reversed(ordered) if before is None or (key.created_at, key.id) < before
        ][:limit]

    async def revoke(self, key_id: UUID, act: Act | None = None) -> ApiKey | None:
        key = self._by_id(key_id)
        if key is None or key.revoked_at is not None:
            return key
        self._record(act)
        return self._change(key_id, revoked_at=datetime.now(UTC))

    async def set_quotas(
        self, key_id: UUID, quotas: KeyQuotas, act: Act | None = None
    ) -> ApiKey | None:
        self._record(act)
        return self._change(key_id, quotas=quotas)

    def _record(self, act: Act | None) -> None:
        if act is not None:
            self.acts.append(act)

    def _by_id(self, key_id: UUID) -> ApiKey | None:
        return next((key for key in self._keys.values() if key.id == key_id), None)

    def _change(self, key_id: UUID, **changes: object) -> ApiKey | None:
        for digest, key in self._keys.items():
            if key.id == key_id:
                self._keys[digest] = replace(key, **changes)  # type: ignore[arg-type]
                return self._keys[digest]
        return None
