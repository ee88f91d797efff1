"""What accounts have used of their quotas: is there room, what was used up.

Decisions about one account come one after the other: an advisory lock on it, held until the
transaction ends, lets no two gateways count the same room, and what is counted and what uses it up
are one transaction. Each network around an address is an account too, with lines of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.gateway.accounts.quota_rules import (
    Account,
    AccountUsage,
    QuotaLimits,
    QuotaRules,
    TrackQuota,
    Use,
    check_bytes,
    check_evaluations,
    check_judge_runs,
    check_repeat,
    check_submissions,
    check_track,
    check_validations,
    tightest,
)
from services.gateway.accounts.rules import AccessRules, Caller
from services.gateway.web.errors import QuotaExhausted
from shared.storage.database import Connection, Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "quotas.sql")


@dataclass(frozen=True, slots=True)
class Quotas:
    """Knows who pays; administrators pay nothing. Raises Transient when it cannot answer now."""

    database: Database
    rules: QuotaRules
    access: AccessRules

    def account(self, caller: Caller) -> Account | None:
        """Return who pays for what a caller does; None: nobody."""
        return None if self.access.is_administrator(caller) else self.rules.account(caller)

    async def usage(self, caller: Caller) -> AccountUsage | None:
        """Return what the caller has used; None where nothing is counted."""
        account = self.account(caller)
        return None if account is None else await self._usage(account)

    async def _usage(self, account: Account, more_bytes: int = 0) -> AccountUsage:
        async with transient_errors(), self.database.pool.acquire() as connection:
            return AccountUsage(
                await _submissions(connection, account),
                await _bytes(connection, account, more_bytes),
                await _judge_runs(connection, account),
                await _validations(connection, account),
                await _evaluations(connection, account),
                await _evaluations_total(connection, account),
            )

    async def require_room(
        self, caller: Caller, size: int, check: Callable[[AccountUsage], None]
    ) -> None:
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
        usage = await self._usage(account, size)
        check(usage)
        check_bytes(usage.bytes, size)

    async def require_room_for_repeat(self, caller: Caller) -> None:
        """Raise QuotaExhausted where a caller sent too much under keys that were used."""
        account = self.account(caller)
        if account is not None:
            check_repeat((await self._usage(account)).bytes)

    async def count_upload(self, caller: Caller, size: int) -> None:
        """Count the bytes of an upload that was refused."""
        account = self.account(caller)
        if account is not None and size:
            await self._add_upload(account, size)

    async def use_validation(self, caller: Caller, size: int) -> None:
        """Use up a dry run and its bytes, or only these; then raises QuotaExhausted."""
        account = self.account(caller)
        if account is None:
            return
        try:
            async with transient_errors(), self.database.transaction() as transaction:
                connection = transaction.connection
                await _lock(connection, account)
                check_validations(await _validations(connection, account))
                check_bytes(await _bytes(connection, account, size), size)
                await _add_bytes(connection, account, size)
                for each in _payers(account):
                    await connection.execute(_SQL["validation_use_add"], each.name)
        except QuotaExhausted:
            await self._add_upload(account, size)
            raise

    async def _add_upload(self, account: Account, size: int) -> None:
        async with transient_errors(), self.database.transaction() as transaction:
            await _add_bytes(transaction.connection, account, size)

    async def prune(self) -> None:
        """Delete what no quota looks at any more."""
        async with transient_errors():
            await self.database.pool.execute(_SQL["uses_forget"])
            await self.database.pool.execute(_SQL["evaluations_forget"])
            await self.database.pool.execute(_SQL["track_uses_forget"])


async def use_submission(
    connection: Connection,
    account: Account,
    submission_id: UUID,
    size: int,
    *,
    evaluate_only: bool = False,
) -> None:
    """Use up a submission of `size` bytes in an open transaction; raises QuotaExhausted."""
    await _lock(connection, account)
    check_submissions(await _submissions(connection, account))
    check_bytes(await _bytes(connection, account, size), size)
    if evaluate_only:
        check_evaluations(
            await _evaluations(connection, account), await _evaluations_total(connection, account)
        )
    for each in _payers(account):
        await connection.execute(_SQL["submission_use_add"], each.name, submission_id, size)
        if evaluate_only:
            await connection.execute(_SQL["evaluation_use_add"], each.name, submission_id)


async def use_track(
    connection: Connection, account: Account, quota: TrackQuota, submission_id: UUID
) -> None:
    """Use up a submission to a track, whose account is locked; raises QuotaExhausted."""
    row = await connection.fetchrow(
        _SQL["track_used"], account.name, quota.track, quota.limit_per_day
    )
    assert row is not None  # noqa: S101 - an aggregate
    check_track(quota, row["total"], row["today"], row["next_in"])
    await connection.execute(_SQL["track_use_add"], account.name, quota.track, submission_id)


async def use_judge_run(connection: Connection, account: Account, run_id: UUID) -> None:
    """Use up a judge run in an open transaction; raises QuotaExhausted."""
    await _lock(connection, account)
    check_judge_runs(await _judge_runs(connection, account))
    for each in _payers(account):
        await connection.execute(_SQL["judging_use_add"], each.name, run_id)


def _payers(account: Account) -> tuple[Account, ...]:
    """Return who pays, the widest network first: the order in which everybody locks them."""
    return (*reversed(account.wider), account)


async def _lock(connection: Connection, account: Account) -> None:
    for each in _payers(account):
        await connection.execute(_SQL["account_lock"], each.name)


async def _add_bytes(connection: Connection, account: Account, size: int) -> None:
    for each in _payers(account):
        await connection.execute(_SQL["upload_use_add"], each.name, size)


async def _submissions(connection: Connection, account: Account) -> Use:
    return await _used(connection, "submissions_used", account, lambda x: x.submissions_per_day)


async def _bytes(connection: Connection, account: Account, more: int) -> Use:
    return await _used(connection, "bytes_used", account, lambda x: x.bytes_per_day, more)


async def _judge_runs(connection: Connection, account: Account) -> Use:
    return await _used(connection, "judge_runs_used", account, lambda x: x.judge_runs_per_month)


async def _validations(connection: Connection, account: Account) -> Use:
    return await _used(connection, "validations_used", account, lambda x: x.validations_per_day)


async def _evaluations(connection: Connection, account: Account) -> Use:
    return await _used(connection, "evaluations_used", account, lambda x: x.evaluations_per_day)


async def _evaluations_total(connection: Connection, account: Account) -> Use:
    return await _used(connection, "evaluations_total_used", account, lambda x: x.evaluations_total)


async def _used(
    connection: Connection,
    query: str,
    account: Account,
    limit: Callable[[QuotaLimits], int],
    *more: int,
) -> Use:
    """Return the use that decides, of the account and the networks around it."""
    uses = [
        await _use(connection, query, each, limit(each.limits), *more)
        for each in (account, *account.wider)
    ]
    return tightest(uses, *more)


async def _use(connection: Connection, query: str, account: Account, limit: int, *more: int) -> Use:
    row = await connection.fetchrow(_SQL[query], account.name, limit, *more)
    assert row is not None  # noqa: S101 - a SELECT without FROM
    full = row["used"] + sum(more or (1,)) > limit
    network = account.name.removeprefix("address:")
    return Use(
        limit,
        row["used"],
        row["next_in"] if full else None,
        network if "/" in network else None,
    )
