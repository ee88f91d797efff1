"""Results as JSON Lines: one object a line, each of which stands for itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from medvid.models.boards import Leaderboard, LeaderboardEntry
from services.gateway.boards.models import intervals_of

_OF_THE_BOARD = ("board", "scoring", "revision", "snapshot", "permalink", "updated_at")


def board_lines(board: Leaderboard) -> str:
    """Return a board's entries, each with what it is an entry of."""
    return written(row_facts(board, entry) for entry in board.entries).decode()


def row_facts(board: Leaderboard, entry: LeaderboardEntry) -> dict[str, Any]:
    """Return what is known of a row: the board that it is of, the row, its values' intervals."""
    return {
        **board.model_dump(mode="json", include=set(_OF_THE_BOARD)),
        **entry.model_dump(mode="json"),
        "intervals": intervals_of(entry),
    }


def written(lines: Iterable[Mapping[str, Any]]) -> bytes:
    """Return objects as JSON Lines."""
    return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
