"""What reading the boards' past needs: snapshots, entries with their ranks, arrivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from medvid.benchmark.tasks import Board, Scoring
from services.gateway.submissions.ports import Snapshot

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """A listed entry with scores, similarities, judge's result and ranks, all of one moment."""

    entry: Row
    scores: Sequence[Row]
    similarities: Sequence[Row]
    judge: Row | None
    ranks: Sequence[Row]


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

    async def entry(self, board: Board, entry_id: UUID, *, spans: int) -> FoundEntry | None:
        """Return an entry that is on a board now, with up to `spans` of its newest ranks."""

    async def arrivals(self, boards: Sequence[Board], limit: int) -> Sequence[Arrival]:
        """Return the entries that came onto these boards last, the newest first."""
