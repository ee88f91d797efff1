"""Ranked boards, present and past: snapshots, entries with their ranks, arrivals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

import asyncpg

from medvid.benchmark.tasks import Board, Ranking, Scoring
from medvid.benchmark.versions import STATISTICS_VERSION
from medvid.models.notes import PublicNote
from services.gateway.boards.notes import PublicNotes, notes_of_board, notes_of_entries
from shared.runtime.errors import NotFound
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
Row = Mapping[str, Any]
_ENTRIES_AT_ONCE: Final = 20
_RANKS_AT_ONCE: Final = 20_000
"""Of entries of a page: some five megabytes of lines."""


@dataclass(frozen=True, slots=True)
class SnapshotRef:
    """The newest snapshot of a board in one scoring.

    `is_measured`: it has statistics; `links`: how many links it and these have; `notes`: how many
    steps the notes on the board have taken.
    """

    id: int
    board: Board
    scoring: Scoring
    is_measured: bool = False
    links: int = 0
    notes: int = 0

    @property
    def state(self) -> tuple[int, bool, int, int]:
        """What differs where there is something new to show; it only rises."""
        return self.id, self.is_measured, self.links, self.notes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A ranked board as the ranker wrote it; `content` is a JSON list of rows.

    `unranked` has the rows without any value, which have no rank; None where there are none.
    `series` is its rule as JSON; None where the version before wrote it.
    `statistics` is the document beside it, as JSON; `is_final`: it has one, or will have none.
    `link` is the last of its `links`, by number, hash and key; `notes` are rows of those that its
    board shows while it is the newest.
    """

    id: int
    board: Board
    scoring: Scoring
    revision: int
    content: bytes
    created_at: datetime
    unranked: bytes | None = None
    ranking: Ranking = "competition"
    series: str | None = None
    statistics: bytes | None = None
    measured_at: datetime | None = None
    is_final: bool = True
    link: int | None = None
    link_sha256: str = ""
    link_key_id: str | None = None
    links: int = 0
    notes: Sequence[Row] = ()


class SnapshotSource(Protocol):
    """Ranked boards in durable storage."""

    async def newest_snapshots(self) -> Sequence[SnapshotRef]:
        """Return the newest snapshots, one for each board and scoring that has any; cheap."""

    async def snapshot(self, snapshot_id: int) -> Snapshot:
        """Return a snapshot."""


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """A listed entry with scores, similarities, judge's result and ranks, all of one moment."""

    entry: Row
    scores: Sequence[Row]
    similarities: Sequence[Row]
    judge: Row | None
    ranks: Sequence[Row]
    breaks: Sequence[Row] = ()
    fact_changes: Sequence[Row] = ()
    notes: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """An entry that came onto a board, and the rank that it came onto."""

    id: UUID
    board: Board
    model_name: str
    organization: str
    rank: int
    since: datetime


class BoardHistory(Protocol):
    """Past boards in durable storage. Every method raises Transient when it cannot answer now."""

    async def snapshot_id_at(self, board: Board, scoring: Scoring, moment: datetime) -> int | None:
        """Return the snapshot that was the newest at a moment; None before the first."""

    async def find_snapshot(self, snapshot_id: int) -> Snapshot | None:
        """Return a snapshot."""

    async def errata(self, snapshot_id: int) -> Sequence[PublicNote]:
        """Return the errata that correct a snapshot, or that it corrects."""

    async def entry(self, board: Board, entry_id: UUID, *, spans: int) -> FoundEntry | None:
        """Return an entry that is on a board now, with up to `spans` of its newest ranks."""

    async def scores_before(self, entry_id: UUID) -> Sequence[Row]:
        """Return the scores of the version that an entry replaces."""

    async def scores(
        self, boards: Sequence[Board], entry_ids: Sequence[UUID], scoring: Scoring
    ) -> Sequence[Row]:
        """Return the scores of entries on these boards with their replicates in a scoring."""

    async def sources(self, board: Board) -> Sequence[Row]:
        """Return the scores by source of a board's entries, as JSON."""

    async def arrivals(self, boards: Sequence[Board], limit: int) -> Sequence[Arrival]:
        """Return the entries that came onto these boards last, the newest first."""


def entry_not_found(board: str, entry_id: str) -> NotFound:
    """Return the one answer for unknown and malformed ids of entries."""
    return NotFound(
        f"the {board} board has no entry {entry_id[:40]!r}.",
        fix="Boards name theirs in 'entry_id'; a removed one is gone from its board.",
        code="entry_not_found",
    )


class SnapshotStore:
    """Ranked boards in the database: a SnapshotSource and a BoardHistory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._notes = PublicNotes(database)

    async def snapshot_id_at(self, board: Board, scoring: Scoring, moment: datetime) -> int | None:
        """Return the snapshot that was the newest at a moment; None before the first."""
        async with transient_errors():
            found: int | None = await self._database.pool.fetchval(
                _SQL["snapshot_at"], board, scoring, moment
            )
        return found

    async def find_snapshot(self, snapshot_id: int) -> Snapshot | None:
        """Return a snapshot."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL["snapshot_find"], snapshot_id)
        return None if row is None else Snapshot(**row)

    async def errata(self, snapshot_id: int) -> Sequence[PublicNote]:
        """Return the errata that correct a snapshot, or that it corrects."""
        return await self._notes.errata(snapshot_id)

    async def entry(self, board: Board, entry_id: UUID, *, spans: int) -> FoundEntry | None:
        """Return an entry that is on a board now, with up to `spans` of its newest ranks."""
        found = await self.entries(board, [entry_id], spans=spans)
        return found[0] if found else None

    async def entries(
        self, board: Board, entry_ids: Sequence[UUID], *, spans: int
    ) -> Sequence[FoundEntry]:
        """Return those of entries that are on a board now, in no order that means something."""
        async with self._database.moment() as connection:
            entries = await connection.fetch(_SQL["entries_find"], entry_ids, board)
            if not entries:
                return []
            scores = await connection.fetch(_SQL["entry_scores"], entry_ids, STATISTICS_VERSION)
            similarities = await connection.fetch(_SQL["entry_similarities"], entry_ids)
            judges = await connection.fetch(_SQL["entry_judge"], entry_ids)
            ranks = await connection.fetch(_SQL["entry_ranks"], entry_ids, board, spans)
            breaks = await connection.fetch(_SQL["series_breaks"], board)
            changes = await connection.fetch(_SQL["entry_fact_changes"], entry_ids)
            notes = await notes_of_entries(connection, entry_ids)
        of = {
            name: _by_entry(rows)
            for name, rows in (
                ("scores", scores), ("similarities", similarities), ("judge", judges),
                ("ranks", ranks), ("changes", changes), ("notes", notes),
            )
        }  # fmt: skip
        return [
            FoundEntry(
                entry=dict(entry),
                scores=of["scores"][entry["id"]],
                similarities=of["similarities"][entry["id"]],
                judge=next(iter(of["judge"][entry["id"]]), None),
                ranks=of["ranks"][entry["id"]],
                breaks=[dict(each) for each in breaks],
                fact_changes=of["changes"][entry["id"]],
                notes=of["notes"][entry["id"]],
            )
            for entry in entries
        ]

    async def ranks(
        self,
        board: Board,
        after: UUID | None,
        limit: int,
        *,
        spans: int,
        most: int = _RANKS_AT_ONCE,
    ) -> tuple[Sequence[Row], Sequence[Row], bool]:
        """Return the entries of a board that come after one by their ids, with their ranks.

        At most `limit` of them, and no more once they have `most` ranks; and whether there are
        more.
        """
        read, ranks = 0, list[Row]()
        async with self._database.moment() as connection:
            entries = await connection.fetch(_SQL["entries_after"], board, after, limit + 1)
            while read < min(limit, len(entries)) and len(ranks) < most:
                some = [each["id"] for each in entries[read : min(read + _ENTRIES_AT_ONCE, limit)]]
                ranks += map(dict, await connection.fetch(_SQL["entry_ranks"], some, board, spans))
                read += len(some)
        return [dict(entry) for entry in entries[:read]], ranks, len(entries) > read

    async def scores_before(self, entry_id: UUID) -> Sequence[Row]:
        """Return the scores of the version that an entry replaces."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["entry_scores_before"], entry_id)
        return [dict(row) for row in rows]

    async def scores(
        self, boards: Sequence[Board], entry_ids: Sequence[UUID], scoring: Scoring
    ) -> Sequence[Row]:
        """Return the scores of entries on these boards with their replicates in a scoring."""
        async with transient_errors():
            rows = await self._database.pool.fetch(
                _SQL["comparison_scores"], boards, entry_ids, scoring, STATISTICS_VERSION
            )
        return [dict(row) for row in rows]

    async def sources(self, board: Board) -> Sequence[Row]:
        """Return the scores by source of a board's entries, as JSON."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["board_sources"], board)
        return [dict(row) for row in rows]

    async def sources_of(self, board: Board, metrics: Sequence[str]) -> Sequence[Row]:
        """Return the scores by source of a board's entries in these metrics, as JSON."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["metric_sources"], board, metrics)
        return [dict(row) for row in rows]

    async def arrivals(self, boards: Sequence[Board], limit: int) -> Sequence[Arrival]:
        """Return the entries that came onto these boards last, the newest first."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["entries_newest"], list(boards), limit)
        return [Arrival(**row) for row in rows]

    async def newest_snapshots(self) -> Sequence[SnapshotRef]:
        """Return the newest snapshots, one for each board and scoring that has any."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["snapshots_newest"])
        return [SnapshotRef(**row) for row in rows]

    async def snapshot(self, snapshot_id: int) -> Snapshot:
        """Return a snapshot that is there, with the notes that its board shows."""
        found = await self.find_snapshot(snapshot_id)
        if found is None:
            raise LookupError(f"snapshot {snapshot_id} is gone")
        async with transient_errors(), self._database.pool.acquire() as connection:
            notes = await notes_of_board(connection, snapshot_id)
        return replace(found, notes=[dict(row) for row in notes])


def _by_entry(rows: Iterable[asyncpg.Record]) -> Mapping[UUID, Sequence[Row]]:
    """Return rows by the entry that they are of; of an entry without any there are none."""
    found: defaultdict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["entry_id"]].append(dict(row))
    return found
