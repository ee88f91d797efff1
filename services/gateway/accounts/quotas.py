"""The gateway's use case about quotas: is there room, what was used up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from services.gateway.accounts.quota_rules import (
    Account,
    QuotaRules,
    Usage,
    Use,
    check_bytes,
    check_repeat,
)
from services.gateway.accounts.rules import AccessRules, Caller


class QuotaStore(Protocol):
    """What accounts used up, in durable storage. Raises Transient when it cannot answer now."""

    async def usage(self, account: Account, more_bytes: int = 0) -> Usage:
        """Return what an account has used; `more_bytes`: how much room is looked for."""

    async def add_upload(self, account: Account, size: int) -> None:
        """Count the bytes of an upload that became no submission."""

    async def use_validation(self, account: Account, size: int) -> None:
        """Use up a dry run and its bytes, or only these; then raises QuotaExhausted."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """Knows who pays. Administrators pay nothing."""

    store: QuotaStore
    rules: QuotaRules
    access: AccessRules

    def account(self, caller: Caller) -> Account | None:
        """Return who pays for what a caller does; None: nobody."""
        return None if self.access.is_administrator(caller) else self.rules.account(caller)

    async def usage(self, caller: Caller) -> Usage | None:
        """Return what the caller has used; None where nothing is counted."""
        account = self.account(caller)
        return None if account is None else await self.store.usage(account)

    async def require_room(self, caller: Caller, size: int, check: Callable[[Usage], None]) -> None:
        """Raise QuotaExhausted where an upload of `size` bytes would be refused at its end.

        It spares the caller the upload; what decides is the count at its end. `check` looks at
        what else the upload would use up.
        """
        account = self.account(caller)
        if account is None:
            return
        size = max(1, size)
        # What no quota ever has room for is not asked of the store, whose numbers have an end.
        check_bytes(Use(account.limits.bytes_per_day, 0), size)
        usage = await self.store.usage(account, size)
        check(usage)
        check_bytes(usage.bytes, size)

    async def require_room_for_repeat(self, caller: Caller) -> None:
        """Raise QuotaExhausted where a caller sent too much under keys that were used."""
        account = self.account(caller)
        if account is not None:
            check_repeat((await self.store.usage(account)).bytes)

    async def count_upload(self, caller: Caller, size: int) -> None:
        """Count the bytes of an upload that was refused."""
        account = self.account(caller)
        if account is not None and size:
            await self.store.add_upload(account, size)

    async def use_validation(self, caller: Caller, size: int) -> None:
        """Use up a dry run of `size` bytes; raises QuotaExhausted."""
        account = self.account(caller)
        if account is not None:
            await self.store.use_validation(account, size)
