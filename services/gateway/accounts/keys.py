"""Makes, lists and revokes API keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import structlog

from medvid.models.accounts import Scope
from services.gateway.accounts import credentials
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.keys_store import KeyStore, KeyToStore
from services.gateway.accounts.rules import (
    AccessRules,
    ApiKey,
    Caller,
    KeyQuotas,
    require_understood,
)
from shared.runtime.errors import NotAllowed, NotFound

_log = structlog.get_logger(__name__)


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
        action: AdminAction | None = None,
    ) -> MadeKey:
        """Make a key; only administrators give quotas. An `action` is for the audit log.

        Raises NotAllowed, QuotaExhausted.
        """
        self.rules.require_registrar(caller, scopes)
        by_administrator = self.rules.is_administrator(caller)
        if not by_administrator and quotas != KeyQuotas():
            self.rules.require_administrator(caller)
        secret = credentials.new_key()
        key = await self.keys.add(
            KeyToStore(
                id=uuid4(),
                label=label,
                owner=owner,
                key_sha256=credentials.sha256(secret),
                scopes=scopes,
                quotas=quotas,
                created_by=caller.name if by_administrator else f"address:{caller.address}",
            ),
            most_a_day=None if by_administrator else self.most_a_day,
            action=action if by_administrator else None,
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
        action = None
        if self.require_revoker(caller, key_id):
            action = AdminAction.of(caller.name, why, request_id)
        revoked = await self.keys.revoke(key_id, action)
        if revoked is None:
            raise key_not_found()
        _log.info("key_revoked", key_id=str(key_id), by=caller.name)
        return revoked

    def require_revoker(self, caller: Caller, key_id: UUID) -> bool:
        """Raise NotAllowed unless the caller may revoke the key; tell whether as administrator."""
        if caller.key is not None and caller.key.id == key_id:
            if caller.key.is_account:
                raise NotAllowed(
                    "this is an account, which its secrets do not close.",
                    fix="End this one with 'medvid logout' or on the Account page; maintainers "
                    "close an account.",
                    code="account_stays",
                )
            return False
        self.rules.require_administrator(caller)
        return True

    async def set_quotas(
        self, caller: Caller, key_id: UUID, quotas: KeyQuotas, action: AdminAction
    ) -> ApiKey:
        """Replace a key's own quotas; raises NotAllowed, NotFound."""
        self.rules.require_administrator(caller)
        changed = await self.keys.set_quotas(key_id, quotas, action)
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
