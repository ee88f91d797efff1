"""Computes what a re-score job would change on the boards, for the administrator who decides."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import replace
from typing import Final
from uuid import UUID

import asyncpg
import orjson
import structlog

from medvid.benchmark.tasks import BOARDS, SCORINGS, Board, Scoring
from medvid.benchmark.versions import JUDGED_VERSION
from services.ranker.bridge import JudgedTwice, bridge
from services.ranker.difference import NewScores, NewValues, board_difference
from services.ranker.store import BoardState, BoardStore, withheld_of
from shared.storage.database import Connection, Transaction
from shared.storage.queries import load_queries
from shared.storage.replicates import replicates_from

_SQL: Final = load_queries(__package__, "rescores.sql")
_LOCK_ORDER: Final = tuple(sorted(BOARDS))
_log = structlog.get_logger(__name__)


async def preview(transaction: Transaction, job_id: UUID) -> None:
    """Compute and store a job's difference from the boards, unless it waits for none."""
    connection = transaction.connection
    job = await connection.fetchrow(_SQL["rescore_lock"], job_id)
    if job is None or job["state"] != "scored":
        _log.info("rescore_not_waiting", job_id=str(job_id))
        return
    revisions: dict[Board, int] = {
        board: await connection.fetchval(_SQL["boards_hold"], board) for board in _LOCK_ORDER
    }
    new = await _new_values(connection, job_id, job["judge_version"])
    content: dict[str, object] = {
        "boards": {board: await _difference(transaction, board, new, job) for board in BOARDS},
        **await _others(connection, job_id, job),
    }
    if job["judge_version"] is not None:
        content["bridge"] = await _bridge(connection, job_id, job["judge_version"])
    packed = gzip.compress(orjson.dumps(content), 6, mtime=0)
    shown = orjson.dumps(revisions).decode()
    await connection.execute(_SQL["rescore_ready"], job_id, packed, shown)
    _log.info("rescore_previewed", job_id=str(job_id), entries=len(new))


async def _others(
    connection: Connection, job_id: UUID, job: asyncpg.Record
) -> dict[str, list[str]]:
    """Return entries that the job leaves as they are, though it computes otherwise."""
    if job["kind"] == "succession":
        return {"left_out": [], "judged_otherwise": []}  # the gateway names them, with the reason
    if job["kind"] == "reread":
        left = await _ids(connection, "left_unread", job_id, job["from_judge_version"])
        return {"left_out": left, "judged_otherwise": []}
    truth = job["ground_truth_version"]
    return {
        "left_out": await _ids(connection, "left_out", job_id, truth, job["metric_version"]),
        "judged_otherwise": await _ids(
            connection, "judged_otherwise", job_id, truth, JUDGED_VERSION
        ),
    }


async def _difference(
    transaction: Transaction, board: Board, new: NewValues, job: asyncpg.Record
) -> dict[Scoring, list[object]]:
    """Return a board's difference; it goes over to the new judge version with its last value."""
    now = await BoardStore(transaction, board).read()
    after = now.rule
    if _goes_over(now, new, job):
        after = replace(after, current=job["judge_version"])
    return await asyncio.to_thread(board_difference, now.entries, new, now.ranking, now.rule, after)


def _goes_over(now: BoardState, new: NewValues, job: asyncpg.Record) -> bool:
    """Tell whether a board will rank the job's judge version, as applying the job does."""
    if job["kind"] == "succession":
        return any(entry.entry_id in new for entry in now.entries)
    current = now.rule.current
    if current is None or current != job["from_judge_version"]:
        return False
    judged = [each for each in now.entries if current in each.judges.values()]
    return bool(judged) and all(each.entry_id in new for each in judged)


async def _bridge(connection: Connection, job_id: UUID, version: str) -> dict[str, object]:
    rows = await connection.fetch(_SQL["judged_twice"], job_id, version)
    agreements = await connection.fetch(_SQL["agreements"], job_id)
    values = [
        JudgedTwice(
            **{**row, "replicates_before": None, "replicates_after": None}
            if row["replicates_before"] is None or row["replicates_after"] is None
            else {
                **row,
                "replicates_before": replicates_from(row["replicates_before"]),
                "replicates_after": replicates_from(row["replicates_after"]),
            }
        )
        for row in rows
    ]
    found = [orjson.loads(row["agreement"]) for row in agreements]
    return await asyncio.to_thread(bridge, values, found)


async def _new_values(connection: Connection, job_id: UUID, judge: str | None) -> NewValues:
    rows = await connection.fetch(_SQL["shadow_values"], job_id)
    return {
        row["entry_id"]: NewScores(
            {scoring: dict(zip(row["metrics"], row[scoring], strict=True)) for scoring in SCORINGS},
            withheld_of(row),
            judge,
        )
        for row in rows
    }


async def _ids(connection: Connection, query: str, *arguments: object) -> list[str]:
    return [str(row[0]) for row in await connection.fetch(_SQL[query], *arguments)]
