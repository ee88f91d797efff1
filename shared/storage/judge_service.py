"""What is known of the judge in force: who judges, until when, and what its verdicts take."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import asyncpg

from medvid.judging.calls import Usage
from medvid.judging.estimates import Measured
from medvid.judging.off import off, said_of
from medvid.models.judging import JudgeInForce
from shared.storage.database import Connection
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "judge_service.sql")


async def judge_in_force(connection: Connection | asyncpg.Pool) -> JudgeInForce:
    """Return who judges now, or why nobody does."""
    row = await connection.fetchrow(_SQL["judge_in_force"])
    assert row is not None  # noqa: S101 - the schema inserts it
    today = datetime.now(UTC).date()
    model, ends = row["model"], row["ends"]
    says = said_of(model, row["off_reason"], ends, today, is_stub=bool(row["is_stub"]))
    why_off = None if row["judge_version"] else row["off_reason"] or "no_provider"
    return JudgeInForce(
        judge_version=row["judge_version"],
        model=model,
        stub=bool(row["is_stub"]),
        off=why_off,
        ends=ends,
        says=says,
        fix=off(why_off).fix if why_off else None,
    )


async def tokens_measured(connection: Connection | asyncpg.Pool, judge_version: str) -> Measured:
    """Return what a judge's newest verdicts took; of calls without a usable bill nothing."""
    row = await connection.fetchrow(_SQL["tokens_measured"], judge_version)
    assert row is not None  # noqa: S101 - it counts
    used = Usage(row["prompt"], row["completion"], row["cached"], row["reasoning"])
    return Measured(row["verdicts"], used, row["text_bytes"], row["seconds"])
