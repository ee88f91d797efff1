"""What the handlers of API keys need: keys in storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.gateway.accounts.admin_actions import Act
from services.gateway.accounts.rules import ApiKey, KeyQuotas, Scope


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be stored."""

    id: UUID
    label: str
    owner: str
    key_sha256: bytes
    scopes: frozenset[Scope]
    quotas: KeyQuotas
    created_by: str


class KeyStore(Protocol):
    """API keys in durable storage. Every method raises Transient when it cannot answer now."""

    async def add(self, new: NewKey, *, most_a_day: int | None, act: Act | None = None) -> ApiKey:
        """Store a key; an `act` is written into the audit log, here and below.

        Raises QuotaExhausted where its creator made `most_a_day` in the last 24 hours.
        """

    async def find(self, key_sha256: bytes) -> ApiKey | None:
        """Return a key, revoked or not."""

    async def is_owner_token(self, token_sha256: bytes) -> bool:
        """Tell whether a submission has this owner token."""

    async def used(self, key_id: UUID) -> None:
        """Note that a key is used now; to the minute, so that it costs next to nothing."""

    async def page(self, before: tuple[datetime, UUID] | None, limit: int) -> Sequence[ApiKey]:
        """Return keys, newest first, after the one with this time and id."""

    async def revoke(self, key_id: UUID, act: Act | None = None) -> ApiKey | None:
        """Revoke a key, if it is not; None where there is no such key."""

    async def set_quotas(
        self, key_id: UUID, quotas: KeyQuotas, act: Act | None = None
    ) -> ApiKey | None:
        """Replace a key's own quotas; None where there is no such key."""
