"""The gateway's use case about quotas: is there room, what was used up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from services.gateway.domain.access import AccessRules, Caller
from services.gateway.domain.quotas import (
    Account,
    QuotaRules,
    Usage,
    check_bytes,
    check_submissions,
)


class QuotaStore(Protocol):
    """What accounts used up, in durable storage. Raises Transient when it cannot answer now."""

    async def usage(self, account: Account, more_bytes: int = 0) -> Usage:
        """Return what an account has used; `more_bytes`: how much room is looked for."""

    async def add_upload(self, account: Account, size: int) -> None:
        """Count the bytes of an upload that became no submission."""


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

    async def require_room(self, caller: Caller, size: int, *, submission: bool) -> None:
        """Raise QuotaExhausted where an upload of `size` bytes would be refused at its end.

        It spares the caller the upload; what decides is the count when the submission is stored.
        """
        account = self.account(caller)
        if account is None:
            return
        usage = await self.store.usage(account, max(1, size))
        if submission:
            check_submissions(usage.submissions)
        check_bytes(usage.bytes, max(1, size))

    async def count_upload(self, caller: Caller, size: int) -> None:
        """Count the bytes of an upload that was refused, or only checked."""
        account = self.account(caller)
        if account is not None:
            await self.store.add_upload(account, size)
