"""Writes the chain of links: one for each snapshot and for its statistics, in their transaction.

What an older version wrote without a link gets it from the next ranker of this one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import structlog

from medvid.benchmark.tasks import Board
from medvid.evidence.links import chained, snapshot_document, statistics_document
from medvid.evidence.signatures import Signer
from shared.storage.database import Database, Transaction
from shared.storage.queries import load_queries

_LOCK_SECONDS: Final = 600.0
"""As long as the ranking of a large board may take, which holds the chain at its end."""
_SQL: Final = load_queries(__package__, "links.sql")
_log = structlog.get_logger(__name__)


async def link(transaction: Transaction, board: Board, signer: Signer | None) -> int:
    """Add a link for every document of a board that has none; return how many.

    The chain's other writers wait until the transaction ends.
    """
    connection = transaction.connection
    await connection.execute(_SQL["lock_links"], board, timeout=_LOCK_SECONDS)
    rows = [dict(row) for row in await connection.fetch(_SQL["unlinked"], board)]
    if not rows:
        return 0
    head = await connection.fetchrow(_SQL["links_head"], board)
    documents = [
        snapshot_document(row) if row["kind"] == "snapshot" else statistics_document(row)
        for row in rows
    ]
    at = datetime.now(UTC)
    found = chained(board, (head["number"], head["hash"]) if head else (0, None), at, documents)
    if signer:
        await connection.execute(_SQL["add_signing_key"], signer.key_id, signer.public_key)
    await connection.executemany(
        _SQL["add_link"],
        [
            (board, number, each.snapshot, each.kind, previous, body, *_signed(signer, body))
            for number, previous, each, body in found
        ],
    )
    _log.info("links_added", board=board, links=len(found), head=found[-1][0])
    return len(found)


def _signed(signer: Signer | None, body: bytes) -> tuple[str | None, str | None]:
    return (signer.key_id, signer.sign(body)) if signer else (None, None)


async def link_what_is_left(database: Database, signer: Signer | None) -> None:
    """Link what was written without: by rankers of the version before."""
    rows = await database.pool.fetch(_SQL["boards_unlinked"])
    for row in rows:
        async with database.transaction() as transaction:
            await link(transaction, row["board"], signer)
