"""Shows what a re-score job would change on the boards, before anybody decides about it."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson
import structlog

from medvid.benchmark.tasks import BOARDS, SCORINGS, Board, Scoring
from medvid.benchmark.versions import JUDGED_VERSION
from services.ranker.difference import NewScores, NewValues, board_difference
from services.ranker.store import CONSUMER, PostgresBoardWork, withheld_of
from shared.contracts.messages import Envelope, Message, RescoringCompleted
from shared.messaging.consumer import Consumer, Route
from shared.storage.database import Connection, Database, Transaction
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "rescores.sql")
_LOCK_ORDER: Final = tuple(sorted(BOARDS))
_log = structlog.get_logger(__name__)


def build_rescore_consumer(database: Database) -> Consumer:
    """Return the consumer of `ranker.rescores`.

    When a message dies the job stays where it is, and the reaper announces it again.
    """

    async def on_completed(envelope: Envelope, message: Message) -> None:
        assert isinstance(message, RescoringCompleted)  # noqa: S101 - as routed below
        async with database.once(CONSUMER, envelope) as transaction:
            await preview(transaction, message.job_id)

    return Consumer(database, {RescoringCompleted: Route(on_completed)})


async def preview(transaction: Transaction, job_id: UUID) -> None:
    """Compute a job's difference from the boards as they are; nothing where it waits for none."""
    connection = transaction.connection
    job = await connection.fetchrow(_SQL["rescore_lock"], job_id)
    if job is None or job["state"] != "scored":
        _log.info("rescore_not_waiting", job_id=str(job_id))
        return
    revisions: dict[Board, int] = {
        board: await connection.fetchval(_SQL["boards_hold"], board) for board in _LOCK_ORDER
    }
    new = await _new_values(connection, job_id)
    truth, code = job["ground_truth_version"], job["metric_version"]
    content = {
        "boards": {board: await _difference(transaction, board, new) for board in BOARDS},
        "left_out": await _ids(connection, "left_out", job_id, truth, code),
        "judged_otherwise": await _ids(
            connection, "judged_otherwise", job_id, truth, JUDGED_VERSION
        ),
    }
    packed = gzip.compress(orjson.dumps(content), 6, mtime=0)
    told = orjson.dumps(revisions).decode()
    await connection.execute(_SQL["rescore_ready"], job_id, packed, told)
    _log.info("rescore_previewed", job_id=str(job_id), entries=len(new))


async def _difference(
    transaction: Transaction, board: Board, new: NewValues
) -> dict[Scoring, list[object]]:
    picture = await PostgresBoardWork(transaction, board).picture()
    return await asyncio.to_thread(board_difference, picture.entries, new, picture.ranking)


async def _new_values(connection: Connection, job_id: UUID) -> NewValues:
    rows = await connection.fetch(_SQL["shadow_values"], job_id)
    return {
        row["entry_id"]: NewScores(
            {scoring: dict(zip(row["metrics"], row[scoring], strict=True)) for scoring in SCORINGS},
            withheld_of(row),
        )
        for row in rows
    }


async def _ids(connection: Connection, query: str, *arguments: object) -> list[str]:
    return [str(row[0]) for row in await connection.fetch(_SQL[query], *arguments)]


@dataclass(frozen=True, slots=True)
class RescoreReaper:
    """Announces again jobs that wait for their difference while nobody was told."""

    database: Database
    still_seconds: float

    async def announce_again(self) -> None:
        """Announce what was not announced for too long, with new message ids."""
        async with self.database.transaction() as transaction:
            rows = await transaction.connection.fetch(_SQL["rescores_waiting"], self.still_seconds)
            for row in rows:
                await transaction.emit(RescoringCompleted(job_id=row["id"]))
        for row in rows:
            _log.warning("rescore_announced_again", job_id=str(row["id"]))
