"""The gateway's SQL about quotas. Decisions about one account come one after the other.

An advisory lock on the account, held until the transaction ends, lets no two gateways count the
same room; what is counted and what uses it up are one transaction. Each network around an address
is an account too, with lines of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.gateway.accounts.quota_rules import (
    Account,
    Usage,
    Use,
    check_bytes,
    check_judge_runs,
    check_submissions,
    check_validations,
    tightest,
)
from services.gateway.web.errors import QuotaExhausted
from shared.storage.database import Connection, Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "quotas.sql")


@dataclass(frozen=True, slots=True)
class PostgresQuotas:
    """Implements Quotas."""

    database: Database

    async def usage(self, account: Account, more_bytes: int = 0) -> Usage:
        """Return what an account has used; `more_bytes`: how much room is looked for."""
        async with transient_errors(), self.database.pool.acquire() as connection:
            return Usage(
                await _submissions(connection, account),
                await _bytes(connection, account, more_bytes),
                await _judge_runs(connection, account),
                await _validations(connection, account),
            )

    async def add_upload(self, account: Account, size: int) -> None:
        """Count the bytes of an upload that became no submission."""
        async with transient_errors(), self.database.transaction() as transaction:
            await _add_bytes(transaction.connection, account, size)

    async def use_validation(self, account: Account, size: int) -> None:
        """Use up a dry run and its bytes, or only these; then raises QuotaExhausted."""
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
            await self.add_upload(account, size)
            raise

    async def forget_old(self) -> None:
        """Remove what no quota looks at any more."""
        async with transient_errors():
            await self.database.pool.execute(_SQL["uses_forget"])


async def use_submission(
    connection: Connection, account: Account, submission_id: UUID, size: int
) -> None:
    """Use up a submission of `size` bytes in an open transaction; raises QuotaExhausted."""
    await _lock(connection, account)
    check_submissions(await _submissions(connection, account))
    check_bytes(await _bytes(connection, account, size), size)
    for each in _payers(account):
        await connection.execute(_SQL["submission_use_add"], each.name, submission_id, size)


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
    return tightest([
        await _use(connection, "submissions_used", each, each.limits.submissions_per_day)
        for each in (account, *account.wider)
    ])  # fmt: skip


async def _bytes(connection: Connection, account: Account, more: int) -> Use:
    uses = [
        await _use(connection, "bytes_used", each, each.limits.bytes_per_day, more)
        for each in (account, *account.wider)
    ]
    return tightest(uses, more)


async def _judge_runs(connection: Connection, account: Account) -> Use:
    return tightest([
        await _use(connection, "judge_runs_used", each, each.limits.judge_runs_per_month)
        for each in (account, *account.wider)
    ])  # fmt: skip


async def _validations(connection: Connection, account: Account) -> Use:
    return tightest([
        await _use(connection, "validations_used", each, each.limits.validations_per_day)
        for each in (account, *account.wider)
    ])  # fmt: skip


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
