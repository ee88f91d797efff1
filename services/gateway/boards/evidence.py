"""A board's evidence: the archive of a snapshot for `medvid verify`, and the keys that sign."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from medvid.benchmark.tasks import Board, Scoring
from medvid.evidence.archive import SNAPSHOT, STATISTICS, UNRANKED, VALUES, make_archive
from medvid.evidence.links import ChainLink
from medvid.models.boards import EvidenceKeys, SigningKey
from services.gateway.boards.current import CACHE_CONTROL, Boards
from services.gateway.web.addresses import LOCAL
from services.gateway.web.render_cache import RenderCache, bytes_of
from services.gateway.web.representations import Representation, represent
from services.gateway.web.security import READ_HEADERS
from services.gateway.web.turns import USUAL, Turns, WaitingLimits
from shared.runtime.errors import NotFound, Unavailable
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

TAR: Final = "application/x-tar"
_KEPT_BYTES: Final = 16 << 20
_COLUMNS: Final = {
    SNAPSHOT: "content",
    UNRANKED: "unranked",
    VALUES: "values",
    STATISTICS: "statistics",
}
_SQL: Final = load_queries(__package__, "evidence.sql")
Row = Mapping[str, Any]


class BoardEvidence:
    """Makes archives from what the database has; the same of the same. Methods raise Transient."""

    def __init__(
        self, database: Database, boards: Boards, *, limits: WaitingLimits = USUAL
    ) -> None:
        self._database = database
        self._boards = boards
        self._made = RenderCache(Turns(limits), bytes_of, _KEPT_BYTES)

    async def archive(
        self, board: Board, scoring: Scoring, snapshot: int | None, *, address: str = LOCAL
    ) -> Representation:
        """Return the archive of a snapshot, None for the board's newest; raises NotFound, Busy."""
        number = snapshot or self._boards.get(board, scoring).snapshot_id
        async with transient_errors():
            last = await self._database.pool.fetchrow(_SQL["evidence_last"], number)
            if last is None or last["board"] != board:
                raise await self._why_not(board, number)
        return await self._made.get(
            address, ("evidence", number, last["last"], last["is_kept"]), lambda: self._make(number)
        )

    async def _why_not(self, board: Board, number: int) -> NotFound | Unavailable:
        if await self._database.pool.fetchval(_SQL["snapshot_is_there"], number, board):
            return Unavailable(
                f"snapshot {number} has no link yet.", fix="Try again in a few seconds."
            )
        return NotFound(
            f"the {board} board has no snapshot {number}.",
            fix="Boards name theirs in 'snapshot'.",
            code="snapshot_not_found",
        )

    async def _make(self, number: int) -> Representation:
        async with self._database.moment() as connection:
            row = await connection.fetchrow(_SQL["evidence_of_snapshot"], number)
            assert row is not None  # noqa: S101 - links are never deleted
            links = await connection.fetch(_SQL["evidence_chain"], row["board"], row["last"])
            keys = await connection.fetch(_SQL["signing_keys"])
        chain = [ChainLink(**link) for link in links]
        public = {key["key_id"]: key["public_key"] for key in keys}
        return await asyncio.to_thread(_represent, number, dict(row), chain, public)

    async def keys(self) -> EvidenceKeys:
        """Return the public keys that have signed links, the first one first."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["signing_keys"])
        return EvidenceKeys(keys=[SigningKey(**row) for row in rows])


def _represent(
    number: int, row: Row, chain: Sequence[ChainLink], keys: Mapping[str, str]
) -> Representation:
    kept = {name: row[column] for name, column in _COLUMNS.items() if row[column] is not None}
    scoring = row["scoring"] or orjson.loads(chain[-1].body)["content"]["scoring"]
    name = f"medvidbench-{row['board']}-{scoring}-{number}.evidence.tar"
    return represent(
        make_archive(scoring, kept, chain, keys),
        content_type=TAR,
        cache_control=CACHE_CONTROL,
        headers={**READ_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'},
    )
