"""What the ranker's handlers need."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from medvid.benchmark.tasks import Board, Ranking, Scoring
from services.ranker.board import Entry, RankedBoard
from shared.contracts.messages import Envelope, Message


@dataclass(frozen=True, slots=True)
class Revisions:
    """How far a board has changed, and how far its snapshots show it."""

    current: int
    ranked: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A board at one moment: a revision, how it ranks, and the listed entries that make it up."""

    revision: int
    ranking: Ranking
    entries: Sequence[Entry]
    waiting: Sequence[UUID]
    """The submissions among them that are scored and not yet ranked."""


class BoardWork(Protocol):
    """One transaction on one board. No other ranker works on it meanwhile; others may change it."""

    async def revisions(self) -> Revisions:
        """Keep other rankers out and return the board's revisions."""

    async def picture(self) -> Picture:
        """Return the board as it is now."""

    async def save_snapshot(self, scoring: Scoring, revision: int, ranked: RankedBoard) -> None:
        """Add a snapshot and the ranks that changed, unless the newest one shows the same."""

    async def hypotheses(self) -> Sequence[Entry]:
        """Return the entries on no board whose scores are new, each once."""

    async def save_hypothesis(
        self, entry_id: UUID, scoring: Scoring, revision: int, entries: int, row: bytes
    ) -> None:
        """Store where an entry would stand among so many; its submission becomes ranked."""

    async def mark_ranked(self, picture: Picture) -> None:
        """Note that the snapshots show this picture; its scored submissions become ranked."""

    async def emit(self, message: Message) -> object:
        """Put a message into the outbox."""


class Boards(Protocol):
    """Where boards are kept."""

    def work(self, envelope: Envelope, board: Board) -> AbstractAsyncContextManager[BoardWork]:
        """Open the transaction that handles this message once; raises AlreadySeen."""
