"""A board as a table for spreadsheets."""

from __future__ import annotations

from typing import Final

from medvid.benchmark.tasks import METRIC_KEYS
from medvid.models.boards import Leaderboard
from medvid.spreadsheets import table

_ABOUT: Final = (
    "model_name", "organization", "team", "authors", "model_url", "track", "badges",
    "submitted_on", "verified_on",
)  # fmt: skip


def board_csv(board: Leaderboard) -> str:
    """Return a board's entries, one a line; an empty cell where there is no value."""
    rows = []
    for entry in board.entries:
        about = entry.model_dump(mode="json", include=set(_ABOUT))
        about["badges"] = " ".join(about["badges"])
        rows.append(
            [
                entry.rank,
                *(about[name] for name in _ABOUT),
                entry.mean_rank,
                *(entry.values.get(key) for key in METRIC_KEYS),
                str(entry.entry_id),
            ]
        )
    return table(["rank", *_ABOUT, "mean_rank", *METRIC_KEYS, "entry_id"], rows)
