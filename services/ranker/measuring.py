"""Makes the statistics of a board's newest snapshots: reads, computes, writes each once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
import structlog

from medvid.benchmark.sums import Array
from medvid.benchmark.tasks import Board, Scoring
from medvid.benchmark.versions import STATISTICS_VERSION
from services.ranker.statistics import Drawn, evidence, statistics_document
from shared.contracts.messages import BoardRanked
from shared.messaging.reaper import Overdue
from shared.messaging.topology import RANKER_STATISTICS
from shared.storage.database import Connection, Database, Transaction
from shared.storage.queries import load_queries
from shared.storage.replicates import replicates_from

_SQL: Final = load_queries(__package__, "statistics.sql")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Statistics:
    """A snapshot's statistics, as JSON."""

    snapshot_id: int
    content: bytes


async def digests(connection: Connection, board: Board) -> Mapping[Scoring, str | None]:
    """Return the digest of all replicates behind a board's values, by scoring."""
    rows = await connection.fetch(_SQL["board_digests"], board, STATISTICS_VERSION)
    found: dict[Scoring, list[tuple[UUID, str, bytes]]] = {}
    for row in rows:
        own = (row["entry_id"], row["metric"], row["digest"])
        found.setdefault(row["scoring"], []).append(own)
    return {scoring: evidence(own) for scoring, own in found.items()}


async def measure(database: Database, board: Board) -> list[Statistics]:
    """Return the statistics that the board's newest snapshots lack.

    A snapshot whose replicates have changed since has none: its board is about to be ranked again.
    """
    found = []
    for due in await database.pool.fetch(_SQL["statistics_due"], board):
        rows = await database.pool.fetch(
            _SQL["board_replicates"], board, STATISTICS_VERSION, due["scoring"]
        )
        now = evidence((row["entry_id"], row["metric"], row["digest"]) for row in rows)
        if now != due["replicates_sha256"]:
            _log.info("statistics_outdated", board=board, snapshot=due["id"])
            continue
        # In a thread, so that the loop answers the broker.
        content = await asyncio.to_thread(
            statistics_document, due["content"], due["ranking"], _drawn(rows)
        )
        found.append(Statistics(due["id"], content))
    return found


async def save_statistics(transaction: Transaction, found: Statistics) -> None:
    """Store a snapshot's statistics, unless another replica has."""
    sha256 = hashlib.sha256(found.content).hexdigest()
    await transaction.connection.execute(
        _SQL["add_statistics"], found.snapshot_id, STATISTICS_VERSION, found.content, sha256
    )


def _drawn(rows: list[asyncpg.Record]) -> Drawn:
    drawn: dict[UUID, dict[str, tuple[Array, Mapping[str, Any]]]] = {}
    for row in rows:
        own = (replicates_from(row["replicates"]), orjson.loads(row["interval"]))
        drawn.setdefault(row["entry_id"], {})[row["metric"]] = own
    return drawn


OVERDUE: Final = Overdue(
    _SQL["statistics_overdue"],
    BoardRanked,
    lambda message: _log.warning("statistics_announced_again", board=message.board),
    RANKER_STATISTICS,
)
