"""An entry of a board with everything that is public about it."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from medvid.benchmark.tasks import SCORINGS, Board, Scoring
from medvid.models.boards import LeaderboardEntry
from medvid.models.entries import EntryDetails
from services.gateway.boards.current import Boards
from services.gateway.boards.entry_models import entry_details
from services.gateway.boards.store import BoardHistory, FoundEntry, entry_not_found
from services.gateway.boards.withdrawn import GoneEntries, gone
from services.gateway.web.parameters import uuid_of

_SPANS: Final = 1_000


async def entry_of(
    boards: Boards,
    history: BoardHistory,
    board: Board,
    entry_id: str,
    departed: GoneEntries | None = None,
) -> EntryDetails:
    """Return an entry that is on a board now; raises NotFound, and Gone where it was once."""
    known = uuid_of(entry_id)
    found = await history.entry(board, known, spans=_SPANS) if known is not None else None
    if found is None and known is not None and departed is not None:
        tombstone = await departed.find(board, known)
        if tombstone is not None:
            raise gone(tombstone)
    if found is None or known is None:
        raise entry_not_found(board, entry_id)
    await boards.rank_of(board, known)  # so that a new entry is on our board, too
    return details_of(boards, board, found)


def details_of(boards: Boards, board: Board, found: FoundEntry) -> EntryDetails:
    """Return an entry that was found, with its places on the board that is served."""
    series = boards.get(board, "compat").board.series
    return entry_details(found, _places(boards, board, found.entry["id"]), series)


def _places(
    boards: Boards, board: Board, entry_id: UUID
) -> dict[Scoring, tuple[LeaderboardEntry, int]]:
    places: dict[Scoring, tuple[LeaderboardEntry, int]] = {}
    for scoring in SCORINGS:
        ready = boards.get(board, scoring)
        if entry_id in ready.entries:
            places[scoring] = (ready.entries[entry_id], ready.ranked)
    return places
