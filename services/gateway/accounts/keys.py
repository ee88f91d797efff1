"""The gateway's use cases about access: who a caller is, and the making and revoking of keys."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog

from services.gateway.accounts import credentials
from services.gateway.accounts.admin_actions import Act
from services.gateway.accounts.guesses import Guesses
from services.gateway.accounts.keys_ports import KeyStore, NewKey
from services.gateway.accounts.rules import (
    AccessRules,
    ApiKey,
    Caller,
    KeyQuotas,
    Scope,
    invalid_key,
    require_understood,
)
from shared.runtime.errors import NotAllowed, NotFound

_USED_AGAIN: Final = timedelta(minutes=1)
_log = structlog.get_logger(__name__)


class IdentifyCaller:
    """Finds out who asks.

    Secrets are compared by their hashes in constant time; a key is looked up by its hash, of which
    nobody can choose the first bytes. So the time of an answer tells nothing of a secret.
    """

    def __init__(
        self, keys: KeyStore, admin_key: str | None, guesses: Guesses | None = None
    ) -> None:
        self._keys = keys
        self._guesses = guesses or Guesses()
        self._admin_sha256 = credentials.sha256(admin_key) if admin_key else None

    async def __call__(self, secret: str | None, address: str) -> Caller:
        """Return the caller.

        Raises NotAllowed for a key that is unknown or revoked, QuotaExhausted for an address that
        sent too many wrong ones.
        """
        if secret is None:
            return Caller(address)
        digest = credentials.sha256(secret)
        could_be_root = self._admin_sha256 is not None and not credentials.is_ours(secret)
        if could_be_root:
            await self._guesses.check(address)
        if self._admin_sha256 is not None and hmac.compare_digest(digest, self._admin_sha256):
            return Caller(address, root=True)
        if could_be_root:
            await self._guesses.wrong(address)
        if not secret.startswith(credentials.KEY_PREFIX):
            understood = credentials.is_owner_token(secret) and await self._keys.is_owner_token(
                digest
            )
            return Caller(address, token=secret, understood=understood)
        key = await self._keys.find(digest)
        if key is None:
            await self._guesses.check(address)
            await self._guesses.wrong(address)
        if key is None or key.revoked_at is not None:
            raise invalid_key(revoked=key is not None)
        if key.last_used_at is None or datetime.now(UTC) - key.last_used_at > _USED_AGAIN:
            await self._keys.used(key.id)
        return Caller(address, key=key)


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key with its secret, which is shown once."""

    key: ApiKey
    secret: str


@dataclass(frozen=True, slots=True)
class ManageKeys:
    """Makes, lists and revokes API keys."""

    keys: KeyStore
    rules: AccessRules
    most_a_day: int

    async def make(
        self,
        caller: Caller,
        label: str,
        owner: str,
        scopes: frozenset[Scope],
        quotas: KeyQuotas,
        act: Act | None = None,
    ) -> MadeKey:
        """Make a key; only administrators give quotas. An `act` is for the audit log.

        Raises NotAllowed, QuotaExhausted.
        """
        self.rules.require_registrar(caller, scopes)
        by_administrator = self.rules.is_administrator(caller)
        if not by_administrator and quotas != KeyQuotas():
            self.rules.require_administrator(caller)
        secret = credentials.new_key()
        key = await self.keys.add(
            NewKey(
                id=uuid4(),
                label=label,
                owner=owner,
                key_sha256=credentials.sha256(secret),
                scopes=scopes,
                quotas=quotas,
                created_by=caller.name if by_administrator else f"address:{caller.address}",
            ),
            most_a_day=None if by_administrator else self.most_a_day,
            act=act if by_administrator else None,
        )
        _log.info("key_made", key_id=str(key.id), scopes=sorted(scopes), by=key.created_by)
        return MadeKey(key, secret)

    def own(self, caller: Caller) -> ApiKey:
        """Return the key that a caller sent; raises NotAllowed where it was none."""
        if caller.key is not None:
            return caller.key
        require_understood(caller)
        if caller.token is None and not caller.root:
            raise NotAllowed(
                "this needs an API key.",
                fix="Send it as 'Authorization: Bearer mvk_...'.",
                code="token_required",
            )
        raise NotAllowed(
            "what was sent is no API key.",
            fix="API keys begin with mvk_; owner tokens and the operator's key are others.",
            code="invalid_token",
        )

    async def page(
        self, caller: Caller, before: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[ApiKey]:
        """Return keys, newest first; raises NotAllowed."""
        self.rules.require_administrator(caller)
        return await self.keys.page(before, limit)

    async def revoke(
        self, caller: Caller, key_id: UUID, why: str = "", request_id: str = "-"
    ) -> ApiKey:
        """Revoke a key: any by an administrator, who says why; its own by the key itself.

        Raises NotAllowed, NotFound, InvalidInput. Revoking twice changes nothing.
        """
        act = None
        if self.require_revoker(caller, key_id):
            act = Act.of(caller.name, why, request_id)
        revoked = await self.keys.revoke(key_id, act)
        if revoked is None:
            raise key_not_found()
        _log.info("key_revoked", key_id=str(key_id), by=caller.name)
        return revoked

    def require_revoker(self, caller: Caller, key_id: UUID) -> bool:
        """Raise NotAllowed unless the caller may revoke the key; tell whether as administrator."""
        if caller.key is not None and caller.key.id == key_id:
            return False
        self.rules.require_administrator(caller)
        return True

    async def set_quotas(self, caller: Caller, key_id: UUID, quotas: KeyQuotas, act: Act) -> ApiKey:
        """Replace a key's own quotas; raises NotAllowed, NotFound."""
        self.rules.require_administrator(caller)
        changed = await self.keys.set_quotas(key_id, quotas, act)
        if changed is None:
            raise key_not_found()
        _log.info("key_quotas_set", key_id=str(key_id), by=caller.name)
        return changed


def key_not_found() -> NotFound:
    """Return the one answer for unknown and malformed ids of keys."""
    return NotFound(
        "there is no API key with this id.",
        fix="GET /api/v1/keys lists them.",
        code="key_not_found",
    )
