"""The gateway's SQL about quotas. Decisions about one account come one after the other.

An advisory lock on the account, held until the transaction ends, lets no two gateways count the
same room; what is counted and what uses it up are one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.gateway.domain.quotas import (
    Account,
    Usage,
    Use,
    check_bytes,
    check_judge_runs,
    check_submissions,
)
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
            )

    async def add_upload(self, account: Account, size: int) -> None:
        """Count the bytes of an upload that became no submission."""
        async with transient_errors():
            await self.database.pool.execute(_SQL["upload_use_add"], account.name, size)

    async def forget_old(self) -> None:
        """Remove what no quota looks at any more."""
        async with transient_errors():
            await self.database.pool.execute(_SQL["uses_forget"])


async def use_submission(
    connection: Connection, account: Account, submission_id: UUID, size: int
) -> None:
    """Use up a submission of `size` bytes in an open transaction; raises QuotaExhausted."""
    await connection.execute(_SQL["account_lock"], account.name)
    check_submissions(await _submissions(connection, account))
    check_bytes(await _bytes(connection, account, size), size)
    await connection.execute(_SQL["submission_use_add"], account.name, submission_id, size)


async def use_judge_run(connection: Connection, account: Account, run_id: UUID) -> None:
    """Use up a judge run in an open transaction; raises QuotaExhausted."""
    await connection.execute(_SQL["account_lock"], account.name)
    check_judge_runs(await _judge_runs(connection, account))
    await connection.execute(_SQL["judging_use_add"], account.name, run_id)


async def _submissions(connection: Connection, account: Account) -> Use:
    return await _use(
        connection, "submissions_used", account.name, account.limits.submissions_per_day
    )


async def _bytes(connection: Connection, account: Account, more: int) -> Use:
    limit = account.limits.bytes_per_day
    return await _use(connection, "bytes_used", account.name, limit, more)


async def _judge_runs(connection: Connection, account: Account) -> Use:
    return await _use(
        connection, "judge_runs_used", account.name, account.limits.judge_runs_per_month
    )


async def _use(connection: Connection, query: str, account: str, limit: int, *more: int) -> Use:
    row = await connection.fetchrow(_SQL[query], account, limit, *more)
    assert row is not None  # noqa: S101 - a SELECT without FROM
    full = row["used"] + sum(more or (1,)) > limit
    return Use(limit, row["used"], row["next_in"] if full else None)
