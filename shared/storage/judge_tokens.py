"""What the newest verdicts of a judge took, for estimates of the judge and of the gateway."""

from __future__ import annotations

from typing import Final

import asyncpg

from medvid.judging.calls import Usage
from medvid.judging.estimates import Measured
from shared.storage.database import Connection
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "judge_tokens.sql")


async def tokens_measured(connection: Connection | asyncpg.Pool, judge_version: str) -> Measured:
    """Return the tokens of a judge's newest verdicts; of calls without a usable bill none."""
    row = await connection.fetchrow(_SQL["tokens_measured"], judge_version)
    assert row is not None  # noqa: S101 - it counts
    used = Usage(row["prompt"], row["completion"], row["cached"], row["reasoning"])
    return Measured(row["verdicts"], used, row["text_bytes"])
