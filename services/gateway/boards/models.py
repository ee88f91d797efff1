"""What the API answers about boards."""

from __future__ import annotations

from collections import Counter

from pydantic import BaseModel

from medvid.models.boards import (
    BoardSummary,
    Leaderboard,
    LeaderboardEntry,
    LeaderboardIndex,
    Track,
    ranking_rule,
)
from services.gateway.boards.cursors import BoardCursor, Form
from services.gateway.boards.store import Snapshot
from services.gateway.boards.urls import board_url, csv_url, page_url
from services.gateway.web.urls import url


class _Rows(BaseModel):
    ranked: list[LeaderboardEntry]
    unranked: list[LeaderboardEntry]


def leaderboard(snapshot: Snapshot) -> Leaderboard:
    """Return a snapshot as it is served."""
    unranked = snapshot.unranked or b"[]"
    rows = _Rows.model_validate_json(
        b'{"ranked":' + snapshot.content + b',"unranked":' + unranked + b"}"
    )
    entries = rows.ranked + rows.unranked
    return Leaderboard(
        board=snapshot.board,
        scoring=snapshot.scoring,
        revision=snapshot.revision,
        snapshot=snapshot.id,
        permalink=url("api_snapshot", id=snapshot.id),
        updated_at=snapshot.created_at,
        ranking=snapshot.ranking,
        ranking_rule=ranking_rule(snapshot.ranking),
        total=len(entries),
        entries=entries,
    )


def page_of(
    board: Leaderboard, *, track: str | None, offset: int, limit: int | None, form: Form
) -> Leaderboard:
    """Return some of a board's entries, of one track or of all; ranks stay the whole board's."""
    entries = board.entries
    if track is not None:
        entries = [entry for entry in entries if entry.track == track]
    end = len(entries) if limit is None else min(offset + limit, len(entries))
    following = None
    if limit is not None and board.snapshot is not None and end < len(entries):
        cursor = BoardCursor(board.snapshot, end, limit, track).text()
        asked = {"cursor": cursor} | ({"format": form} if form == "csv" else {})
        following = url("api_board", board=board.board, query=asked)
    return board.model_copy(
        update={
            "track": track,
            "total": len(entries),
            "next": following,
            "entries": entries[offset:end],
        }
    )


def index(boards: list[Leaderboard]) -> LeaderboardIndex:
    """Return the list of boards."""
    return LeaderboardIndex(
        boards=[
            BoardSummary(
                board=board.board,
                scoring=board.scoring,
                revision=board.revision,
                updated_at=board.updated_at,
                snapshot=board.snapshot,
                permalink=board.permalink,
                ranking=board.ranking,
                entries=len(board.entries),
                ranked=sum(entry.rank is not None for entry in board.entries),
                tracks=_tracks(board),
                url=board_url(board.board, board.scoring),
                csv=csv_url(board.board, board.scoring),
                page=page_url(board.board, board.scoring),
            )
            for board in boards
        ]
    )


def _tracks(board: Leaderboard) -> list[Track]:
    counts = Counter(entry.track for entry in board.entries if entry.track is not None)
    return [Track(name=name, entries=count) for name, count in sorted(counts.items())]
