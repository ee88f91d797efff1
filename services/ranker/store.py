"""The ranker's SQL."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from medvid.benchmark.disclosure import RULE, Withheld, withheld
from medvid.benchmark.tasks import METRIC_KEYS, SCORINGS, Board, Scoring
from services.ranker.board import Entry, RankedBoard
from services.ranker.ports import Picture, Revisions
from shared.contracts.messages import Envelope, Message
from shared.storage.database import Database, Transaction
from shared.storage.queries import load_queries

CONSUMER: Final = "ranker"
# A statement has 20 s: on a slow machine one for 100,000 entries would never be through.
_RANKS_AT_ONCE: Final = 5_000
_LOCK_SECONDS: Final = 600.0
"""A large board is ranked for a minute or two; whoever comes next waits for it, and then finds
nothing left to do."""
_SQL: Final = load_queries(__package__)


@dataclass(frozen=True, slots=True)
class PostgresBoardWork:
    """A board inside an open transaction."""

    transaction: Transaction
    board: Board

    async def revisions(self) -> Revisions:
        """Keep other rankers out until the transaction ends."""
        connection = self.transaction.connection
        await connection.execute(_SQL["lock_rankers"], self.board, timeout=_LOCK_SECONDS)
        row = await connection.fetchrow(_SQL["board_revisions"], self.board, timeout=_LOCK_SECONDS)
        assert row is not None  # noqa: S101 - the schema inserts both boards
        return Revisions(row["revision"], row["ranked_revision"])

    async def picture(self) -> Picture:
        """Return the board as it is now, with its entries' values."""
        connection = self.transaction.connection
        rows = await connection.fetch(_SQL["board_picture"], self.board)
        # Asked afterwards, so that none is missing; who came in between is not in the picture.
        waiting = await connection.fetch(_SQL["submissions_waiting"], self.board)
        shown = {row["submission_id"] for row in rows}
        return Picture(
            revision=rows[0]["revision"],
            ranking=rows[0]["ranking"],
            entries=[_entry(row) for row in rows if row["id"] is not None],
            waiting=[row["id"] for row in waiting if row["id"] in shown],
        )

    async def hypotheses(self) -> Sequence[Entry]:
        """Return the entries on no board whose scores are new; from now on they are not."""
        connection = self.transaction.connection
        due = {
            row["entry_id"] for row in await connection.fetch(_SQL["hypotheses_due"], self.board)
        }
        if not due:
            return []
        rows = await connection.fetch(_SQL["hypothetical_entries"], list(due))
        return [_entry(row) for row in rows]

    async def save_hypothesis(
        self, entry_id: UUID, scoring: Scoring, revision: int, entries: int, row: bytes
    ) -> None:
        """Store where an entry would stand; its submission becomes ranked."""
        connection = self.transaction.connection
        await connection.execute(
            _SQL["save_hypothesis"], entry_id, scoring, revision, entries, row.decode()
        )
        await connection.execute(_SQL["hypothesis_ranked"], entry_id)

    async def save_snapshot(self, scoring: Scoring, revision: int, ranked: RankedBoard) -> None:
        """Add a snapshot and the ranks that changed, unless the newest one shows the same."""
        connection = self.transaction.connection
        # Where nothing is unranked it is the digest that the version before compares with.
        digest = hashlib.sha256(ranked.content + (ranked.unranked or b"")).hexdigest()
        snapshot_id = await connection.fetchval(
            _SQL["add_snapshot"],
            self.board,
            scoring,
            revision,
            ranked.content,
            digest,
            len(ranked.ranks),
            ranked.unranked,
            ranked.ranking,
            RULE,
        )
        if snapshot_id is None:
            return
        await self._save_ranks(scoring, snapshot_id, ranked.ranks)

    async def _save_ranks(
        self, scoring: Scoring, snapshot_id: int, ranks: Mapping[UUID, int]
    ) -> None:
        """End the ranks of entries that stand elsewhere now, or nowhere; begin the new ones."""
        connection = self.transaction.connection
        rows = await connection.fetch(_SQL["standing_ranks"], self.board, scoring)
        standing = {row["entry_id"]: row["rank"] for row in rows}
        ended = [entry for entry, rank in standing.items() if ranks.get(entry) != rank]
        begun = {entry: rank for entry, rank in ranks.items() if standing.get(entry) != rank}
        snapshot = (self.board, scoring, snapshot_id)
        for some in _parts(ended):
            await connection.execute(_SQL["end_ranks"], *snapshot, some)
        for some in _parts([*begun]):
            ranked = [begun[entry] for entry in some]
            await connection.execute(_SQL["begin_ranks"], *snapshot, some, ranked)

    async def mark_ranked(self, picture: Picture) -> None:
        """Close the picture's revision; what was scored is now ranked."""
        connection = self.transaction.connection
        await connection.execute(_SQL["board_ranked"], self.board, picture.revision)
        await connection.execute(_SQL["submissions_ranked"], picture.waiting)

    async def emit(self, message: Message) -> object:
        """Put a message into the outbox."""
        return await self.transaction.emit(message)


@dataclass(frozen=True, slots=True)
class PostgresBoards:
    """Boards in Postgres."""

    database: Database

    @asynccontextmanager
    async def work(self, envelope: Envelope, board: Board) -> AsyncIterator[PostgresBoardWork]:
        """Open the transaction that handles this message once."""
        async with self.database.once(CONSUMER, envelope) as transaction:
            yield PostgresBoardWork(transaction, board)


def _parts(entries: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for begin in range(0, len(entries), _RANKS_AT_ONCE):
        yield entries[begin : begin + _RANKS_AT_ONCE]


def _entry(row: asyncpg.Record) -> Entry:
    return Entry(
        entry_id=row["id"],
        submission_id=row["submission_id"],
        model_name=row["model_name"],
        organization=row["organization"],
        team=row["team"],
        authors=row["authors"],
        model_url=row["model_url"],
        track=row["track"],
        badges=tuple(row["badges"]),
        submitted_on=row["submitted_on"],
        verified_on=row["verified_on"],
        values={
            scoring: {
                **dict.fromkeys(METRIC_KEYS),
                **dict(zip(row["metrics"], row[scoring], strict=True)),
            }
            for scoring in SCORINGS
        },
        withheld=withheld_of(row),
    )


def withheld_of(row: asyncpg.Record) -> dict[str, Withheld]:
    """Return which of a row's metrics are withheld, and why."""
    counts = zip(row["metrics"], row["answered"], row["expected"], strict=True)
    found = {metric: withheld(metric, *count) for metric, *count in counts}
    return {metric: why for metric, why in found.items() if why is not None}
